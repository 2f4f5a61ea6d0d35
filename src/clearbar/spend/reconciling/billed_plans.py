"""A plan that is declared and billed counts once: on the days of its line in a bill, as billed.

The bill is the better witness, but only people know which line is the plan's: `billed_as` names it.
Lines that may be it are told of, with what would count twice. Pure.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import labels_of
from clearbar.spend.reconciling.accounts import ANY, is_named_by, names_of
from clearbar.spend.reconciling.covering import uncovered
from clearbar.spend.reconciling.told import Told, day_after, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clearbar.core.period import Period
    from clearbar.spend.prices.agreements import Plan
    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.spend.reconciling.covering import Span

_FIRST: Final = ("line_item", "sku", "description", "service", "usage_type")
"""Labels that say best what was bought."""
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PlanInBill:
    """A plan beside a bill of an account that has its line, or lines that may be it."""

    plan: str
    provider: str
    account: str
    declared_usd: Decimal
    """What the plan costs as declared, for the time of these lines."""
    billed_usd: Decimal
    names: tuple[str, ...]
    """What the bill calls them, the dearest first."""
    gives_way: bool
    """Whether the bill counts instead of what is declared; else both count."""


def unbilled(
    plans: Iterable[Plan], bills: Sequence[Told], accounts: Sequence[DeclaredAccount] = ()
) -> tuple[Plan, ...]:
    """Return the plans for the days on which no bill has their line; of one plan, several.

    A plan of an account alone may call it by any of its names.
    """
    return tuple(part for plan in plans for part in _unbilled(plan, bills, accounts))


def _unbilled(
    plan: Plan, bills: Sequence[Told], accounts: Sequence[DeclaredAccount]
) -> Iterator[Plan]:
    mine = (row for row in bills if _may_be_of(plan, row, accounts))
    billed = [_time_of(row) for row in mine if _is_line_of(plan, row)]
    if not billed or plan.start is None:
        yield plan
        return
    for start, end in uncovered((plan.start, plan.end or date.max), billed):
        yield replace(plan, start=start, end=None if end == date.max else end)


def plans_in_bills(
    plans: Iterable[Plan],
    bills: Sequence[Told],
    period: Period,
    until: date,
    accounts: Sequence[DeclaredAccount] = (),
) -> tuple[PlanInBill, ...]:
    """Return what bills have of plans with a declared price, or may have; before `until`."""
    shown = period.start, min(period.end, until)
    found: list[PlanInBill] = []
    for plan in plans:
        if plan.usd_per_month and plan.start and plan.billed_as != ():
            of_plan: dict[tuple[str, str], list[Told]] = defaultdict(list)
            for row in bills:
                if _may_be_of(plan, row, accounts):
                    of_plan[row.origin.provider, row.origin.account].append(row)
            for _, mine in sorted(of_plan.items()):
                found += _beside(plan, mine, shown)
    return tuple(found)


def _beside(plan: Plan, bills: Sequence[Told], shown: Span) -> Iterator[PlanInBill]:
    lines: list[Told] = []
    others: list[Told] = []
    for row in bills:
        if _is_line_of(plan, row):
            lines.append(row)
        elif _may_be_line_of(row):
            others.append(row)
    billed = spans(map(_time_of, lines))
    may_be = [gap for each in spans(map(_time_of, others)) for gap in uncovered(each, billed)]
    for rows, time, gives_way in ((lines, billed, True), (others, may_be, False)):
        declared_usd = _declared_usd(plan, time, shown)
        of_time = [row for row in rows if any(_meets(_time_of(row), (a, b)) for a, b in time)]
        now = [row for row in of_time if _meets(_time_of(row), shown)]
        if declared_usd and now:
            now.sort(key=lambda row: (-row.usage.cost_usd, _names(row)))
            yield PlanInBill(
                plan=plan.name,
                provider=now[0].origin.provider,
                account=now[0].origin.account,
                declared_usd=declared_usd,
                billed_usd=sum((row.usage.cost_usd for row in now), _NOTHING),
                names=tuple(dict.fromkeys(_names(row)[0] for row in now)),
                gives_way=gives_way,
            )


def _is_line_of(plan: Plan, row: Told) -> bool:
    globs = [glob.lower() for glob in plan.billed_as or ()]
    return any(fnmatchcase(name.lower(), glob) for name in _names(row) for glob in globs)


def _may_be_line_of(row: Told) -> bool:
    return row.category == "purchase" or not row.origin.model


def _may_be_of(plan: Plan, row: Told, accounts: Sequence[DeclaredAccount]) -> bool:
    """Whether it is money for something else than tokens, from who bills the plan."""
    account, provider = dict(plan.only).get("account", ANY), row.origin.provider
    names = names_of(provider, row.origin.account, accounts)
    return (
        row.category in ("usage", "purchase")
        and row.usage.cost_usd > 0
        and not row.usage.tokens
        and fnmatchcase(provider.lower(), plan.provider.lower())
        and (not row.origin.account or any(is_named_by(account, name) for name in names))
    )


def _names(row: Told) -> list[str]:
    """Return what a line may be called by, the best first: never empty."""
    labels = labels_of(row.origin.labels)
    first = [labels.pop(name) for name in _FIRST if name in labels]
    said = (*first, row.origin.service, row.origin.model, *labels.values(), row.category)
    return [name for name in said if name]


def _time_of(row: Told) -> Span:
    """Return for which days it pays: of a line of one day its month."""
    if row.days > 1:
        return row.day, row.until
    first = row.day.replace(day=1)
    return first, day_after(first, monthrange(first.year, first.month)[1])


def _declared_usd(plan: Plan, time: Iterable[Span], shown: Span) -> Decimal:
    holds = plan.start or shown[1], plan.end or date.max
    fee = (plan.usd_per_month or _NOTHING) * plan.seats
    months: Counter[tuple[int, int]] = Counter()
    for start, end in time:
        first, last = max(start, holds[0], shown[0]), min(end, holds[1], shown[1])
        days = (first + timedelta(n) for n in range((last - first).days))
        months.update((day.year, day.month) for day in days)
    parts = (fee * days / monthrange(*month)[1] for month, days in months.items())
    return sum(parts, _NOTHING)


def _meets(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
