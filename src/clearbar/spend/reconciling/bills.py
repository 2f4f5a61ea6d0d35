"""Bills against all else: a day of an account that has a bill is worth the bill.

What calls cost, and what aggregates have beyond them, keeps its cost and its workflow. The
difference, more or less, is a line of its own that belongs to nobody; tax, credits, purchases and
adjustments are others. So usage that was paid for in advance, which a bill puts at nothing, does
not count beside the purchase.

A line of several days stands on its first day and says of which days it is. It is set against what
was logged on those of its days that have no line of their own. A bill with a line of unknown worth
can raise what was logged, and never lowers it.

Cost of an unknown account is some account's. Where every account of the provider that is known has
a bill for the day, it is in those bills, whole. Else the bills hold of it what they have room for,
and the rest stays: no dollar counts twice, and none is lost. So it is with cost of an unknown
project beside a bill of some projects alone; cost of another project is in no such bill.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.spend.reconciling.sharing import in_smallest, most_shared_by, of_smallest
from clearbar.spend.reconciling.told import RESIDUAL, Line, Told, day_after, line_origin, spans
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal(0)

Known = dict[tuple[str, str], dict[date, Decimal]]
"""Account and project -> day -> what calls and aggregates say that it cost; of one provider."""
Projects = dict[tuple[str, str, str], frozenset[str]]
"""Provider, account and source -> the projects that bills are of; whole ones are not in it."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Days of an account for which there is a bill, with what is known beside it."""

    provider: str
    account: str
    day: date
    days: int
    billed_usd: Decimal
    logged_usd: Decimal = _NOTHING
    """What is certainly in it: of this account, and of its projects where it is of some alone."""
    unpriced_lines: int = 0
    """Lines of the bill whose worth is not known: the bill is more than `billed_usd`."""
    projects: frozenset[str] = frozenset()
    """The projects that it is of; empty for the whole account."""

    @property
    def until(self) -> date:
        """The first day after it."""
        return day_after(self.day, self.days)

    @property
    def residual_usd(self) -> Decimal:
        """What the bill says beyond the logs; negative where it says less."""
        left = self.billed_usd - self.logged_usd
        return max(left, _NOTHING) if self.unpriced_lines else left

    def is_set_against(self, account: str, project: str) -> bool:
        """Return whether cost of an account and project is in it for certain."""
        return account == self.account and (not self.projects or project in self.projects)

    def may_hold(self, account: str, project: str) -> bool:
        """Return whether cost of an account and project may be in it."""
        of_account = not account or not self.account or account == self.account
        return of_account and (not self.projects or not project or project in self.projects)


class Held(NamedTuple):
    """Cost that bills hold without naming whose it is."""

    provider: str
    account: str
    """Of the cost; empty where it is not known."""
    day: date
    cost_usd: Decimal
    billed: Billed | None = None
    """In which bill; None where only all bills of the provider together can be named."""


def known_costs(rows: Iterable[Told]) -> dict[str, Known]:
    """Return provider -> account and project -> day -> cost."""
    found: dict[str, Known] = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for row in rows:
        if row.usage.cost_usd:
            scope = row.origin.account, row.origin.project
            found[row.origin.provider][scope][row.day] += row.usage.cost_usd
    return found


def billed_days(
    bills: Iterable[Told],
    known: Mapping[str, Known],
    projects: Projects,
) -> list[Billed]:
    """Return what each account was billed for usage, day by day, or for several days at once."""
    by_account: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in bills:
        if row.category == "usage":
            by_account[row.origin.provider, row.origin.account].append(row)
    return [
        found
        for (provider, _), rows in sorted(by_account.items())
        for found in _of_account(rows, known.get(provider, {}), projects)
    ]


def _of_account(rows: Sequence[Told], known: Known, projects: Projects) -> Iterator[Billed]:
    daily: dict[date, list[Told]] = defaultdict(list)
    for row in rows:
        if row.days == 1:
            daily[row.day].append(row)
    for day, lines in sorted(daily.items()):
        billed = _billed((day, day_after(day, 1)), lines, projects)
        yield replace(billed, logged_usd=_logged(billed, known, [day]))
    for start, end in spans((row.day, row.until) for row in rows if row.days > 1):
        lines = [row for row in rows if row.days > 1 and start <= row.day < end]
        billed = _billed((start, end), lines, projects)
        days = [day for day in _days(start, end) if day not in daily]
        yield replace(billed, logged_usd=_logged(billed, known, days))


def _billed(span: tuple[date, date], lines: Sequence[Told], projects: Projects) -> Billed:
    first = lines[0].origin
    named = [projects.get((first.provider, first.account, row.origin.source)) for row in lines]
    return Billed(
        provider=first.provider,
        account=first.account,
        day=span[0],
        days=(span[1] - span[0]).days,
        billed_usd=sum((line.usage.cost_usd for line in lines), _NOTHING),
        unpriced_lines=sum(line.unpriced_lines for line in lines),
        projects=frozenset().union(*(some or () for some in named)) if all(named) else frozenset(),
    )


def _logged(billed: Billed, known: Known, days: Iterable[date]) -> Decimal:
    """Return what is certainly in a bill of cost on these of its days."""
    mine = [costs for scope, costs in known.items() if billed.is_set_against(*scope)]
    costs = (costs[day] for day in days for costs in mine if day in costs)
    return sum(costs, _NOTHING)


def held_costs(
    billed: Sequence[Billed], known: Mapping[str, Known], accounts: Mapping[str, Collection[str]]
) -> list[Held]:
    """Return what bills hold of cost that does not say whose it is.

    That is what is of an unknown account; beside a bill of an unknown account, what is of those
    that have none of their own; and of an unknown project beside a bill of some.
    """
    return [
        Held(provider, *held)
        for provider in sorted({each.provider for each in billed})
        for held in _held(
            [each for each in billed if each.provider == provider],
            known.get(provider, {}),
            accounts.get(provider, ()),
        )
    ]


def lines_of(
    billed: Sequence[Billed],
    bills: Iterable[Told],
    held: Iterable[Held],
    unlogged: Iterable[Told] = (),
) -> list[Line]:
    """Return every line that no call tells of: one for each origin and day, in a stable order.

    `unlogged` are the tokens that bills name and nothing else does.
    """
    found: dict[tuple[str, str, str, date, int], Usage] = defaultdict(Usage)
    for row in bills:
        place = row.origin.provider, row.origin.account, row.day, row.days
        if row.category != "usage":
            cost = Usage(cost_usd=row.usage.cost_usd)
            found[f"bill-{row.category}", *place] += cost
    for row in unlogged:
        found[RESIDUAL, row.origin.provider, row.origin.account, row.day, row.days] += row.usage
    for each in billed:
        place = each.provider, each.account, each.day, each.days
        found[RESIDUAL, *place] += Usage(cost_usd=each.residual_usd)
    for one in held:
        found[RESIDUAL, one.provider, one.account, one.day, 1] += Usage(cost_usd=-one.cost_usd)
    return [
        Line(line_origin(*place), place[3], usage)
        for place, usage in sorted(found.items())
        if usage != Usage()
    ]


class _Floating(NamedTuple):
    """Cost that may be in a bill of another name."""

    account: str
    project: str
    day: date
    cost_usd: Decimal


def _held(
    billed: Sequence[Billed], known: Known, accounts: Collection[str]
) -> Iterator[tuple[str, date, Decimal, Billed | None]]:
    """Yield account, day, cost and bill of what the bills of a provider hold of others."""
    for start, end in spans((each.day, each.until) for each in billed):
        mine = [each for each in billed if start <= each.day < end]
        floating = [
            _Floating(*scope, day, costs[day])
            for scope, costs in sorted(known.items())
            for day in _days(start, end)
            if day in costs and _floats(*scope, day, mine)
        ]
        if _is_whole(mine, floating, accounts):
            for each in floating:
                yield each.account, each.day, each.cost_usd, None
            continue
        for each, taken in zip(floating, _taken(mine, floating), strict=True):
            for number, cost_usd in sorted(taken.items()):
                yield each.account, each.day, cost_usd, mine[number]


def _taken(billed: Sequence[Billed], floating: Sequence[_Floating]) -> list[dict[int, Decimal]]:
    """Return how much of each cost each bill has room for."""
    rooms = [in_smallest(max(each.residual_usd, _NOTHING)) for each in billed]
    costs = [in_smallest(each.cost_usd) for each in floating]
    edges = [
        [
            number
            for number, cost in enumerate(floating)
            if each.day <= cost.day < each.until and each.may_hold(cost.account, cost.project)
        ]
        for each in billed
    ]
    return [
        {number: of_smallest(part) for number, part in parts.items() if part}
        for parts in most_shared_by(rooms, costs, edges)
    ]


def _floats(account: str, project: str, day: date, billed: Sequence[Billed]) -> bool:
    """Whether such cost of this day may be in a bill, and is in none for certain."""
    of_day = [each for each in billed if each.day <= day < each.until]
    if any(each.is_set_against(account, project) for each in of_day):
        return False
    return any(each.may_hold(account, project) for each in of_day)


def _is_whole(
    billed: Sequence[Billed], floating: Sequence[_Floating], accounts: Collection[str]
) -> bool:
    """Whether these bills must hold all that floats: no account is known that they leave out."""
    if any(each.unpriced_lines or each.projects or not each.account for each in billed):
        return False
    return all(
        any(each.account == account and each.day <= cost.day < each.until for each in billed)
        for account in accounts
        for cost in floating
    )


def _days(start: date, end: date) -> list[date]:
    return [start + n * _ONE_DAY for n in range((end - start).days)]
