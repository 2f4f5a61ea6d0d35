"""Answers of Anthropic's cost report: what the organisation is charged, by day.

Where: `GET /v1/organizations/cost_report`, grouped by `workspace_id` and `description`; a page of
buckets, a list of pages, or a page a line. Each result is a line of a bill.

Traps:

- `amount` is a decimal text in **cents**, with fractions of a cent: "123.45" is $1.2345.
- Priority Tier is not in it, though its tokens are in the usage report: what was committed is
  billed elsewhere. A day whose usage is larger than its cost may be just that.
- Model, kind of token, tier and place are told only where the request grouped by `description`,
  the workspace only by `workspace_id`, and null there is the default workspace:
  beside others of its day a line of that grouping, and not the whole of the day.
- Read again, a line replaces the earlier reading of it: the one pulled last (`pulled_at` in the
  page), or where that is not told, the larger. The same day grouped in two ways is the same money
  twice: of several files the finest grouping counts, of one file the first, and a second is
  refused. The console's CSV of costs tells the same money too.
- Web searches, code execution and sessions are lines of their own (`cost_type`).
- Rows by group (`rbac_group_id`, in reports for enterprises) overlap and are refused.

Never here: usage, which is counted in tokens (`anthropic_usage`).
"""

from __future__ import annotations

from decimal import Context
from typing import TYPE_CHECKING, Final

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.entry import each_record, provenance, text
from clearbar.spend.files.quarantine import QuarantineError, signed_usd
from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.spend.shapes.provider_reports import null_label, results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.provider_reports import Result

NAME: Final = "anthropic_costs"
PARSER_VERSION: Final = 1
TITLE: Final = "Anthropic cost report"
WHERE: Final = "GET https://api.anthropic.com/v1/organizations/cost_report, saved as JSON"
CONVENTION: Final = "No tokens: amounts of money by day, in cents as decimal text."

_NAMES: Final = (b'"starting_at"', b'"results"', b'"amount"', b'"currency"')
_SAID_ELSEWHERE: Final = frozenset({"amount", "list_amount"})
_LABELS: Final = ("cost_type", "token_type", "context_window", "description")
_EXACT: Final = Context(prec=60)
_NOT_TOLD: Final = "not_available"
_MICRO: Final = 10**6


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a result of the cost report."""
    return file.name.endswith((".json", ".jsonl")) and all(name in file.head for name in _NAMES)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one line of a bill for each result of each bucket.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(results(file, "starting_at", "ending_at", _SAID_ELSEWHERE), _record)


def _record(found: Result) -> Record:
    result = found.value
    if result.get("rbac_group_id"):
        raise QuarantineError("groups overlap: a user in two of them counts twice", "ask without")
    amount = _dollars(result.get("amount"), text(result.get("currency")))
    geo = text(result.get("inference_geo"))
    return Record(
        identity=identity.bucket(
            NAME,
            "",
            found.start_us,
            found.end_us - found.start_us,
            *found.key,
            *found.is_null_in,
        ),
        evidence="provider",
        origin=Origin(
            source=NAME,
            provider="anthropic",
            model=text(result.get("model")),
            project=text(result.get("workspace_id")),
            labels=label_text(
                {name: text(result.get(name)) for name in _LABELS} | null_label(found)
            ),
        ),
        started_at_us=found.start_us,
        ended_at_us=found.end_us,
        grain="bill",
        calls=0,
        final=found.pulled_us or int(abs(amount) * _MICRO),
        service_tier=service_tier_named(text(result.get("service_tier"))),
        speed=text(result.get("speed")),
        geo="" if geo == _NOT_TOLD else geo,
        reported_cost_usd=amount,
        reported_basis="billed",
        charge_category="credit" if amount < 0 else "usage",
        **provenance(found.entry),
    )


def _dollars(amount: object, currency: str) -> Decimal:
    if currency.upper() != "USD":
        raise QuarantineError(
            "the currency is not USD", "what its smallest unit is, the report does not tell"
        )
    cents = signed_usd(amount, "amount")
    if cents is None:
        raise QuarantineError("amount is missing", "what is not told is not nothing: ask again")
    return cents.scaleb(-2, _EXACT)
