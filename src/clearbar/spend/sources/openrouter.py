"""OpenRouter: generations, from its API or as the CSV of its activity page.

Where: `GET /api/v1/generation?id=ID`, saved as JSON or a line each (`data` holds it), or the CSV
that the activity page exports, one generation a row. Each generation is a record, and `total_cost`,
or `cost_total`, is what OpenRouter took off the credits: billed. Its daily sums are another format:
`openrouter_activity`.

`native_tokens_*` are the model's own count, by which it is billed; `tokens_*` are counted with one
tokenizer for all models, for comparing, and are not read where the native ones are told. The CSV
has only `tokens_*`; there they are all that is known of the quantity, and the label
`tokens=normalised` says so: the cost never follows from them. Cached tokens are inside the prompt,
reasoning inside the completion; native reasoning of some models is told beside, and then exceeds
the completion, which is refused.

With `is_byok` the call ran on a key of one's own: `total_cost` is OpenRouter's fee alone, and the
inference stands on the provider's own bill. So such a record has the label `byok=true`, no tokens,
and not the provider's id: the two are charges of two bills. Any other knows the provider's id as
`upstream_id`. A cancelled generation is billed for what was made. Costs are negative nowhere.

Never here: prompts, completions, names of applications' users other than `external_user`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Counts, Entry, each_record, provenance, text
from clearbar.spend.files.json_records import entries, fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of, usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named, service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "openrouter"
PARSER_VERSION: Final = 1
TITLE: Final = "OpenRouter generations"
WHERE: Final = "GET https://openrouter.ai/api/v1/generation, or the CSV of the activity page"
CONVENTION: Final = (
    "Native tokens are read; cached tokens are inside the prompt, reasoning inside the completion."
)

_COLUMNS: Final = {"generation_id", "model_permaslug", "cost_total"}
_MARKS: Final = (b'"native_tokens_prompt"', b'"total_cost"', b'"provider_name"')
_ENDINGS: Final = (".json", ".jsonl", ".ndjson")
_BYOK: Final = "true"


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes name the fields of generations."""
    if file.name.endswith(".csv"):
        return set(csv_header(file.head)) >= _COLUMNS
    return file.name.endswith(_ENDINGS) and all(mark in file.head for mark in _MARKS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each generation.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    rows = csv_rows(file) if file.name.endswith(".csv") else entries(file)
    return each_record(rows, _record)


def _record(found: Entry) -> Record:
    row = fields(found.value)
    row = fields(row.get("data")) or row
    generation = text(row.get("id")) or text(row.get("generation_id"))
    if not generation:
        raise QuarantineError("a generation without an id", "export it with its id")
    byok = _is(row, "is_byok")
    upstream_id = text(row.get("upstream_id"))
    native = any(name.startswith("native_tokens_") for name in row)
    meters: Counts = {} if byok else _meters(row, "native_tokens_" if native else "tokens_")
    counted = any(each is not None for each in meters.values())
    provider = provider_named(text(row.get("provider_name")))
    alias = identity.upstream(provider, upstream_id) if upstream_id and not byok else ""
    return Record(
        identity=identity.upstream(NAME, generation),
        aliases=identity.alias_text(alias),
        evidence="provider",
        origin=_origin(row, provider, byok=byok, normalised=counted and not native),
        started_at_us=moment_us(row.get("created_at"), "created_at"),
        status=_status(row),
        usage="final" if counted else "missing",
        service_tier=service_tier_named(text(row.get("service_tier"))),
        geo=text(row.get("data_region")),
        **meters,
        reported_cost_usd=_cost(row),
        reported_basis="billed",
        upstream_id=upstream_id,
        session_id=text(row.get("session_id")),
        latency_ms=_milliseconds(row, "generation_time", "generation_time_ms"),
        **provenance(found),
    )


def _cost(row: dict[str, Any]) -> Any:
    told = next(
        (row[n] for n in ("total_cost", "cost_total") if row.get(n) not in (None, "")), None
    )
    return usd(told, "total_cost")


def _meters(row: dict[str, Any], prefix: str) -> Counts:
    def told(name: str) -> int | None:
        return quantity(row.get(f"{prefix}{name}"), f"{prefix}{name}")

    prompt, completion = told("prompt"), told("completion")
    cached, reasoning = told("cached"), told("reasoning")
    images = told("completion_images")
    rest_of(completion, f"{prefix}completion", reasoning=reasoning)
    return {
        "input_tokens": rest_of(prompt, f"{prefix}prompt", cached=cached),
        "cache_read_tokens": cached,
        "output_tokens": rest_of(completion, f"{prefix}completion", completion_images=images),
        "output_image_tokens": images,
        "reasoning_tokens": reasoning,
    }


def _status(row: dict[str, Any]) -> Literal["ok", "error", "cancelled"]:
    if _is(row, "cancelled"):
        return "cancelled"
    reason = text(row.get("finish_reason")) or text(row.get("finish_reason_normalized"))
    return "error" if reason == "error" else "ok"


def _is(row: dict[str, Any], name: str) -> bool:
    told = row.get(name)
    return told is True or text(told).lower() == _BYOK


def _milliseconds(row: dict[str, Any], *names: str) -> int | None:
    told = next((text(row.get(name)) for name in names if text(row.get(name))), "")
    return quantity(told, "generation_time") if told.isdecimal() else None


def _origin(row: dict[str, Any], provider: str, *, byok: bool, normalised: bool) -> Origin:
    labels = {
        "byok": "true" if byok else "",
        "host": provider,
        "app": text(row.get("app_name")) or text(row.get("app_id")),
        "tokens": "normalised" if normalised else "",
    }
    return Origin(
        source=NAME,
        provider=NAME,
        model=text(row.get("model_permaslug")) or text(row.get("model")),
        credential=text(row.get("api_key_name")),
        principal=text(row.get("external_user")) or text(row.get("user")),
        labels=label_text(labels),
    )
