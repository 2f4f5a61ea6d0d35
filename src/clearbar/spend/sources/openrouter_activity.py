"""OpenRouter's activity: what was charged each day, by model and endpoint.

Where: `GET /api/v1/activity` with a management key, saved as JSON (`data` holds the items). Each
item is a record of the calls of one UTC day, with what OpenRouter took off the credits for them,
`usage`: billed. Read again, a day replaces its earlier reading; only completed days are told, and
none older than 30 days.

It is a bucket and no line of a bill, as it tells calls and tokens too. Where the generations of
the same day are read as well, they are counted once. Tokens are the models' own; how many of them
were cached is not told, so that no cost could be computed of them: all input stands as fresh.
Reasoning is inside the completion.

`byok_usage_inference` is what calls on keys of one's own cost at their providers: it stands on
those providers' bills, and is never added here; the label `byok` says that there were such.

Never here: anything of a single call.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.entry import Entry, each_record, provenance, text
from clearbar.spend.files.json_records import entries, fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of, usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "openrouter_activity"
PARSER_VERSION: Final = 1
TITLE: Final = "OpenRouter activity"
WHERE: Final = "GET https://openrouter.ai/api/v1/activity, saved as JSON"
CONVENTION: Final = (
    "How much of the prompt was cached is not told; reasoning is counted inside the completion."
)

_MARKS: Final = (b'"byok_usage_inference"', b'"endpoint_id"', b'"requests"')
_ENDINGS: Final = (".json", ".jsonl", ".ndjson")
_DAY_US: Final = 86_400_000_000


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the fields of an item of activity."""
    return file.name.endswith(_ENDINGS) and all(mark in file.head for mark in _MARKS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each item.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(entries(file), _record)


def _record(found: Entry) -> Record:
    row = fields(found.value)
    start = _day_us(row)
    calls = quantity(row.get("requests"), "requests")
    cost = usd(row.get("usage"), "usage")
    if calls is None or cost is None:
        raise QuarantineError("requests or usage is missing", "save the whole answer of the API")
    origin = _origin(row)
    output = quantity(row.get("completion_tokens"), "completion_tokens")
    reasoning = quantity(row.get("reasoning_tokens"), "reasoning_tokens")
    rest_of(output, "completion_tokens", reasoning_tokens=reasoning)
    endpoint, host = text(row.get("endpoint_id")), text(row.get("provider_name"))
    dimensions = (origin.model, text(row.get("model")), endpoint, host)
    return Record(
        identity=identity.bucket(NAME, "", start, _DAY_US, *dimensions),
        evidence="provider",
        origin=origin,
        started_at_us=start,
        ended_at_us=start + _DAY_US,
        grain="bucket",
        calls=calls,
        input_tokens=quantity(row.get("prompt_tokens"), "prompt_tokens"),
        output_tokens=output,
        reasoning_tokens=reasoning,
        reported_cost_usd=cost,
        reported_basis="billed",
        **provenance(found),
    )


def _day_us(row: dict[str, Any]) -> int:
    told = text(row.get("date"))[:10]
    try:
        return moment_us(date.fromisoformat(told), "date")
    except ValueError as error:
        raise QuarantineError("date is no day", "write YYYY-MM-DD") from error


def _origin(row: dict[str, Any]) -> Origin:
    byok = usd(row.get("byok_usage_inference"), "byok_usage_inference")
    labels = {
        "byok": "true" if byok else "",
        "host": provider_named(text(row.get("provider_name"))),
    }
    return Origin(
        source=NAME,
        provider="openrouter",
        model=text(row.get("model_permaslug")) or text(row.get("model")),
        labels=label_text(labels),
    )
