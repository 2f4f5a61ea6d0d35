"""CSV exports of the Claude Console: usage by day, and costs by day.

Where: platform.claude.com, Usage or Cost, Export. A row of the usage export is an aggregate of many
calls; a row of the cost export is a line of a bill.

Traps:

- The kinds of input stand beside each other; older exports do not tell for how long a cache was
  written. How many calls there were is not told.
- Days are days of UTC.
- Workspaces and API keys stand by their names here and by their ids in the Admin API. So the same
  usage is told twice where both are read: choose one. Two keys may have one name; their rows are
  then kept apart by their order.
- The usage export names models by id, the cost export as people do ("Claude Haiku 4.5"); a name of
  another form is a label only. `cost_usd` is after discounts, in dollars, and rounded;
  `list_price_usd` is before them and never what was paid.
- Read again, a row replaces the earlier reading of it; the larger one stands.

Never here: the keys themselves, which are not in the exports either.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import provenance, text
from clearbar.spend.files.quarantine import QuarantineError, quantity, signed_usd
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.entry import Counts, Entry
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "anthropic_console"
PARSER_VERSION: Final = 1
TITLE: Final = "Claude Console exports"
WHERE: Final = "platform.claude.com: Usage or Cost, Export; CSV"
CONVENTION: Final = (
    "Cached tokens and cache writes are counted beside the input; costs are in dollars."
)

_USAGE: Final = frozenset({"usage_date_utc", "model_version", "usage_output_tokens"})
_COST: Final = frozenset({"usage_date_utc", "token_type", "cost_usd"})
_METERS: Final = {
    "input_tokens": "usage_input_tokens_no_cache",
    "cache_read_tokens": "usage_input_tokens_cache_read",
    "cache_write_5m_tokens": "usage_input_tokens_cache_write_5m",
    "cache_write_1h_tokens": "usage_input_tokens_cache_write_1h",
    "cache_write_tokens": "usage_input_tokens_cache_write",
    "output_tokens": "usage_output_tokens",
    "web_searches": "web_search_count",
}
_DIMENSIONS: Final = (
    "model_version",
    "model",
    "api_key",
    "workspace",
    "usage_type",
    "context_window",
    "token_type",
    "cost_type",
    "inference_geo",
    "speed",
)
_TIERS: Final = frozenset({"standard", "batch", "priority", "flex"})
_LABELS: Final = ("context_window", "token_type", "cost_type")
_MODEL: Final = re.compile(r"Claude (Opus|Sonnet|Haiku) (\d{1,2})(?:\.(\d{1,2}))?")
_FAMILY_FIRST: Final = 4
"""From the fourth generation on the family goes before the number: claude-sonnet-4-5."""
_DAY: Final = len("2026-03-22")
_DAY_US: Final = 86_400_000_000
_MICRO: Final = 10**6
_MOST_KEYS: Final = 100_000
"""Held at once to tell rows of one key apart; such rows stand near each other."""


def recognises(file: SourceFile) -> bool:
    """Return whether the header is that of an export of the console."""
    if b"usage_date_utc" not in file.head[:4096]:
        return False
    columns = set(csv_header(file.head))
    return columns >= _USAGE or columns >= _COST


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one aggregate for each row of usage, or one line of a bill for each row of costs.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    is_usage = set(csv_header(file.head)) >= _USAGE
    seen: Counter[str] = Counter()
    for row in csv_rows(file):
        if isinstance(row, Problem):
            yield row
            continue
        try:
            record = _usage(row) if is_usage else _cost(row)
        except QuarantineError as error:
            yield error.problem(row.number)
            continue
        seen[record["identity"]] += 1
        if (time := seen[record["identity"]]) > 1:
            record["identity"] += f"#{time}"
        if len(seen) > _MOST_KEYS:
            seen.clear()
        yield Record(**record)


def _usage(row: Entry) -> dict[str, Any]:
    value = row.value
    meters: Counts = {}
    for meter, column in _METERS.items():
        meters[meter] = quantity(value.get(column), column)  # type: ignore[literal-required]
    return {
        **_told(row, text(value.get("model_version"))),
        "grain": "bucket",
        "final": sum(count for count in meters.values() if isinstance(count, int)),
        **meters,
    }


def _cost(row: Entry) -> dict[str, Any]:
    value = row.value
    amount = signed_usd(value.get("cost_usd"), "cost_usd")
    if amount is None:
        raise QuarantineError("cost_usd is missing", "what is not told is not nothing")
    return {
        **_told(row, _model(text(value.get("model")))),
        "grain": "bill",
        "final": int(abs(amount) * _MICRO),
        "reported_cost_usd": amount,
        "reported_basis": "billed",
        "charge_category": "credit" if amount < 0 else "usage",
    }


def _told(row: Entry, model: str) -> dict[str, Any]:
    """Return what both exports tell."""
    value = row.value
    date = text(value.get("usage_date_utc"))
    start = moment_us(date, "usage_date_utc")
    width = _DAY_US if len(date) == _DAY else 0
    tier, geo = text(value.get("usage_type")).lower(), text(value.get("inference_geo"))
    dimensions = (f"{name}={text(value.get(name))}" for name in _DIMENSIONS)
    labels = {name: text(value.get(name)) for name in _LABELS}
    labels["model"] = "" if model else text(value.get("model"))
    return {
        "identity": identity.bucket(NAME, "", start, width, *dimensions),
        "evidence": "provider",
        "origin": Origin(
            source=NAME,
            provider="anthropic",
            model=model,
            project=text(value.get("workspace")),
            credential=text(value.get("api_key")),
            labels=label_text(labels),
        ),
        "started_at_us": start,
        "ended_at_us": start + width if width else None,
        "calls": 0,
        "service_tier": tier if tier in _TIERS else "",
        "speed": text(value.get("speed")),
        "geo": "" if geo == "not_available" else geo,
        **provenance(row),
    }


def _model(name: str) -> str:
    """Return the id of a model that is named as people do; empty where that is not certain."""
    found = _MODEL.fullmatch(name)
    if not found:
        return name if name.startswith("claude-") else ""
    family, major, minor = found[1].lower(), found[2], found[3]
    number = f"{major}-{minor}" if minor else major
    if int(major) >= _FAMILY_FIRST:
        return f"claude-{family}-{number}"
    return f"claude-{number}-{family}"
