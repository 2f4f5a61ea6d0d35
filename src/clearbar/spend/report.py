"""Spend by some dimension: rows that add up to the total, dearest first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import UnknownName, nearest
from clearbar.core.money import plain
from clearbar.spend.charge import labels_of
from clearbar.spend.reconciling.told import LINE_NAMES, RESIDUAL
from clearbar.spend.usage import Usage, UsageRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from clearbar.core.period import Period
    from clearbar.spend.charge import Origin
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.reconciling.closed import Fixed
    from clearbar.spend.repricing.agreed_use import Covered

BY: Final = {
    "workflow": "the declared workflow that a rule gives it",
    "model": "the model as reported",
    "provider": "who bills",
    "account": "the provider's account or organisation",
    "day": "the UTC day",
    "label": "all labels; `label:KEY` for the values of one",
    "project": "the project, repository or folder",
    "team": "the team",
    "principal": "the user or service account",
    "service": "the program that made the call",
    "source": "the format it was read from",
}
"""What spend can be shown by, with its meaning."""

UNNAMED: Final = "(none)"
_OF_LINES: Final = ("provider", "account", "source")
"""What a line that no call tells of has a value of; elsewhere it is a row of its own name."""

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "period.start": "First day of the period, in UTC; 1970-01-01 for all of time.",
        "period.end": "First day after the period; 9999-01-01 for all of time.",
        "by": "What a row is.",
        "rows": "Dearest first, days in their order; they sum to `total`.",
        "rows[].key": "The value of the dimension; `(none)` where it was not reported.",
        "total": "Usage of all rows.",
        "unattributed": "Of the total, what no workflow's rule took; `residual` is part of it.",
        "residual": "Of the total, what bills say beyond the logs; negative where they say less.",
        "lines": "What no call tells of, and is nobody's: residuals, tax, credits, purchases.",
        "lines[].name": "What it is; in most views the key of its row.",
        "lines[].provider": "Who bills.",
        "lines[].account": "The account; empty where it is not known.",
        "lines[].day": "The UTC day; of a line of several days the first.",
        "lines[].days": "Of a line of several days: which, the last not included; else empty.",
        "corrections": "Of the total, what was seen in the period and is of months closed before.",
        "corrections[].day": "The UTC day on which it was seen.",
        "corrections[].month": "The closed month that it corrects.",
        "corrections[].workflow": "Whose it is.",
        "corrections[].usage": "How much more, or less, than was reported.",
        "overlap": "What aggregates and single calls both tell of; the total holds it once.",
        "unpriced_calls": "Calls whose cost is not known: in no sum of money.",
        "unpriced_lines": "Lines of bills whose worth is not known: in no sum of money.",
        "covered": "What plans and commitments covered: calls that cost nothing extra.",
        "covered[].name": "`plan:NAME` or `commitment:NAME`.",
        "covered[].calls": "Calls of the total that it covered.",
        "covered[].list_usd": "What they would have cost by the price book, as text.",
        "quarantined_records": "Records that were not taken in, and are in no sum.",
    }
)
"""Every field of `report_json`, by its path; a row, and each sum, has the fields of `Usage` too."""

CHARGE_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "charge_id": "24 hexadecimal digits; the first four or more name it.",
        "day": "The UTC day on which it began.",
        "provider": "Who bills.",
        "model": "The model as reported.",
        "basis": "`billed`, `priced` or `estimated`: how far the cost can be trusted.",
        "cost_usd": "The cost, as text.",
    }
)
"""Every field of one of `dearest_charges`."""


@dataclass(frozen=True, slots=True)
class SpendReport:
    """Usage by one dimension over a period."""

    period: Period
    by: str
    rows: tuple[UsageRow, ...]
    """Dearest first; by day, in time order. They sum to `total`."""
    total: Usage
    unattributed: Usage
    """Of the total, what no workflow's rule took, `residual` among it."""
    residual: Usage
    """Of the total, what bills say beyond the logs, or less."""
    lines: tuple[tuple[Origin, date, Usage], ...]
    """What no call tells of, residuals among it."""
    corrections: tuple[Fixed, ...]
    """What was seen in the period and corrects months that were closed before."""
    overlap: Usage
    """What aggregates and single calls both told of, and the total holds once."""
    quarantined_records: int
    unpriced_lines: int = 0
    """Lines of bills whose worth is not known."""
    covered: tuple[Covered, ...] = ()
    """What plans and commitments covered: calls of the total that cost nothing extra."""


def key_of(origin: Origin, by: str) -> str:
    """Return the origin's value of a dimension.

    Raises:
        UnknownName: when there is no such dimension.
    """
    check_dimension(by)
    if origin.source in LINE_NAMES and by not in _OF_LINES:
        return LINE_NAMES[origin.source]
    if by == "label":
        return origin.labels.strip("|").replace("|", ", ") or UNNAMED
    if by.startswith("label:"):
        return labels_of(origin.labels).get(by.removeprefix("label:"), UNNAMED)
    return str(getattr(origin, by)) or UNNAMED


def check_dimension(by: str) -> None:
    """Do nothing for a dimension that spend can be shown by.

    Raises:
        UnknownName: when there is no such dimension.
    """
    if by not in BY and not by.startswith("label:"):
        raise UnknownName(
            f'spend is not kept by "{by}".{nearest(by, BY)}', f"one of {', '.join(BY)}"
        )


def spend_report(
    reading: LedgerReading,
    period: Period,
    by: str,
    workflow_of: Mapping[int, str],
    unattributed: str,
    quarantined_records: int,
) -> SpendReport:
    """Return usage by a dimension. `workflow_of` says for each origin id who is charged for it.

    Raises:
        UnknownName: when there is no such dimension.
    """
    check_dimension(by)
    usages, origins = reading.by_origin(period), reading.origins
    lines = tuple(reading.lines(period))
    if by == "day":
        rows = _by_day(reading.by_day(period), lines)
    elif by == "workflow":
        rows = dearest_first(
            (LINE_NAMES.get(origins[key].source, workflow_of[key]), usage)
            for key, usage in usages.items()
        )
    else:
        rows = dearest_first((key_of(origins[key], by), usage) for key, usage in usages.items())
    left = (usage for key, usage in usages.items() if workflow_of[key] == unattributed)
    return SpendReport(
        period=period,
        by=by,
        rows=rows,
        total=total_of(usages.values()),
        unattributed=total_of(left),
        residual=total_of(usage for origin, _, usage in lines if origin.source == RESIDUAL),
        lines=lines,
        corrections=tuple(reading.corrections(period)),
        overlap=reading.overlap(period),
        quarantined_records=quarantined_records,
        unpriced_lines=reading.unpriced_lines(period),
        covered=reading.covered(period),
    )


def _by_day(
    days: Mapping[date, Usage], lines: Iterable[tuple[Origin, date, Usage]]
) -> tuple[UsageRow, ...]:
    """Return a row a day; what a bill says of several days at once is one beside their first."""
    sums = {str(day): usage for day, usage in sorted(days.items())}
    for origin, day, usage in lines:
        if several := labels_of(origin.labels).get("days"):
            sums[str(day)] += -usage
            name = f"{several} {LINE_NAMES[origin.source]}"
            sums[name] = sums.get(name, Usage()) + usage
    return tuple(UsageRow(key, sums[key]) for key in sorted(sums) if sums[key] != Usage())


def dearest_charges(
    reading: LedgerReading, period: Period, count: int = 20
) -> list[dict[str, Any]]:
    """Return the dearest charges as JSON values, with the ids by which they are traced."""
    return [
        {
            "charge_id": charge_id,
            "day": str(day),
            "provider": reading.origins[key].provider,
            "model": reading.origins[key].model,
            "basis": basis,
            "cost_usd": plain(cost_usd),
        }
        for charge_id, key, day, basis, cost_usd in reading.dearest(period, count)
    ]


def dearest_first(usages: Iterable[tuple[str, Usage]]) -> tuple[UsageRow, ...]:
    """Return the usages summed by key, dearest first."""
    sums: dict[str, Usage] = defaultdict(Usage)
    for key, usage in usages:
        sums[key] += usage
    rows = (UsageRow(key, usage) for key, usage in sums.items() if usage != Usage())
    return tuple(sorted(rows, key=lambda row: (-row.usage.cost_usd, -row.usage.calls, row.key)))


def total_of(usages: Iterable[Usage]) -> Usage:
    """Return the sum."""
    return sum(usages, Usage())


def usage_json(usage: Usage) -> dict[str, Any]:
    """Return the sums as JSON values; money as an exact decimal string."""
    return {**asdict(usage), "cost_usd": plain(usage.cost_usd)}


def report_json(report: SpendReport) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "period": {"start": str(report.period.start), "end": str(report.period.end)},
        "by": report.by,
        "rows": [{"key": row.key, **usage_json(row.usage)} for row in report.rows],
        "total": usage_json(report.total),
        "unattributed": usage_json(report.unattributed),
        "residual": usage_json(report.residual),
        "lines": [_line_json(*line) for line in report.lines],
        "corrections": [_correction_json(each) for each in report.corrections],
        "overlap": usage_json(report.overlap),
        "unpriced_calls": report.total.calls_unpriced,
        "unpriced_lines": report.unpriced_lines,
        "covered": [
            {"name": each.name, "calls": each.calls, "list_usd": plain(each.list_usd)}
            for each in report.covered
        ],
        "quarantined_records": report.quarantined_records,
    }


def _line_json(origin: Origin, day: date, usage: Usage) -> dict[str, Any]:
    return {
        "name": LINE_NAMES[origin.source],
        "provider": origin.provider,
        "account": origin.account,
        "day": str(day),
        "days": labels_of(origin.labels).get("days", ""),
        **usage_json(usage),
    }


def _correction_json(found: Fixed) -> dict[str, Any]:
    return {
        "day": str(found.day),
        "month": found.month,
        "workflow": found.workflow,
        "usage": usage_json(found.usage),
    }
