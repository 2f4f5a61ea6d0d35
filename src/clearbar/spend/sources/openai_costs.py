"""Answers of OpenAI's Costs API: what the organisation is charged, by day.

Where: `GET /v1/organization/costs?bucket_width=1d`, grouped by `line_item`, `project_id` or
`api_key_id`; a page of buckets, a list of pages, or a page a line. Each result is a line of a bill.

Traps:

- `amount.value` is a JSON number with a point, or a text: its digits are read as they stand. It is
  in whole units of the currency, never in cents. An amount of null is refused, not zero.
- A day keeps changing for hours, and a correction may lower it. Read again, a result replaces the
  one with the same day and dimensions: the one pulled last (`pulled_at` in the page), or where that
  is not told, the larger.
- The same day grouped in two ways is the same money twice. Of several files the finest grouping
  counts; of one file the first, and a second is refused.
- A `project_id` or `api_key_id` of null beside others of its day is a line of that grouping, and
  not the whole of the day.
- There is no model, only a `line_item` in words. Of `gpt-4o-2024-08-06, cached input` and its like
  the model is certain; any other is a label only. `quantity` is what the line counts: tokens are
  for the usage and not for the bill to tell.
- Prepaid credits that were used are not in it. A negative amount is a credit.

Never here: usage (`/v1/organization/usage/*`); a result without its bucket has no time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.entry import each_record, provenance, text
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError, signed_usd
from clearbar.spend.shapes.provider_reports import null_label, results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.provider_reports import Result

NAME: Final = "openai_costs"
PARSER_VERSION: Final = 1
TITLE: Final = "OpenAI Costs API"
WHERE: Final = "GET https://api.openai.com/v1/organization/costs, saved as JSON"
CONVENTION: Final = "No tokens: amounts of money by day, in whole units of the currency."

_SAID_ELSEWHERE: Final = frozenset(
    {"object", "amount", "quantity", "quantity_unit", "organization_name", "project_name"}
)
_LINE_ITEM: Final = re.compile(
    r"(?:(?P<tier>batch|flex|priority|scale) \| )?"
    r"(?P<model>(?!ft-)[a-z][a-z0-9]*(?:[.-][a-z0-9]+)+)(?: (?:audio|image|text))?"
    r", (?:cached input|cache writes?|input|output|audio|images?|text|characters|seconds)"
    r"(?:, [a-z ]+)?"
)
"""A line item that names a model, and what of it was used."""
_MICRO: Final = 10**6


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a result of the Costs API."""
    return b'"organization.costs.result"' in file.head and file.name.endswith((".json", ".jsonl"))


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one line of a bill for each result of each bucket.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(results(file, "start_time", "end_time", _SAID_ELSEWHERE), _record)


def _record(found: Result) -> Record:
    result = found.value
    if text(result.get("object")) != "organization.costs.result":
        raise QuarantineError("no result of the Costs API", "keep usage and costs in other files")
    amount = fields(result.get("amount"))
    value = signed_usd(amount.get("value"), "amount.value")
    currency = text(amount.get("currency")).upper()
    if value is None or not currency:
        missing = "amount.value" if value is None else "amount.currency"
        raise QuarantineError(f"{missing} is missing", "what is not told is not nothing: ask again")
    in_usd = currency == "USD"
    line_item = text(result.get("line_item"))
    named = _LINE_ITEM.fullmatch(line_item)
    account = text(result.get("organization_id")) or text(result.get("organization_name"))
    return Record(
        identity=identity.bucket(
            NAME,
            account,
            found.start_us,
            found.end_us - found.start_us,
            currency,
            *found.key,
            *found.is_null_in,
        ),
        evidence="provider",
        origin=Origin(
            source=NAME,
            provider="openai",
            model=named["model"] if named else "",
            account=account,
            project=text(result.get("project_id")),
            credential=text(result.get("api_key_id")),
            labels=label_text({"line_item": line_item, **null_label(found)}),
        ),
        started_at_us=found.start_us,
        ended_at_us=found.end_us,
        grain="bill",
        calls=0,
        final=found.pulled_us or int(abs(value) * _MICRO),
        service_tier=(named["tier"] or "") if named else "",
        reported_cost_usd=value if in_usd else None,
        reported_basis="billed",
        reported_cost=None if in_usd else value,
        reported_currency="" if in_usd else currency,
        charge_category="credit" if value < 0 else "usage",
        **provenance(found.entry),
    )
