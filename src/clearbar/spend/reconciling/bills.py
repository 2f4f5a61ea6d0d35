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
and the rest stays: no dollar counts twice, and none is lost.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.spend.reconciling.told import RESIDUAL, Line, Told, day_after, line_origin, spans
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal(0)

Known = dict[str, dict[date, Decimal]]
"""Account -> day -> what calls and aggregates say that it cost; of one provider."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Days of an account for which there is a bill, with what is known beside it."""

    provider: str
    account: str
    day: date
    days: int
    billed_usd: Decimal
    logged_usd: Decimal
    """Of this account; what is of an unknown one is not in it."""
    unpriced_lines: int = 0
    """Lines of the bill whose worth is not known: the bill is more than `billed_usd`."""

    @property
    def until(self) -> date:
        """The first day after it."""
        return day_after(self.day, self.days)

    @property
    def residual_usd(self) -> Decimal:
        """What the bill says beyond the logs; negative where it says less."""
        left = self.billed_usd - self.logged_usd
        return max(left, _NOTHING) if self.unpriced_lines else left


def known_costs(rows: Iterable[Told]) -> dict[str, Known]:
    """Return provider -> account -> day -> cost."""
    found: dict[str, Known] = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for row in rows:
        if row.usage.cost_usd:
            found[row.origin.provider][row.origin.account][row.day] += row.usage.cost_usd
    return found


def billed_days(bills: Iterable[Told], known: Mapping[str, Known]) -> list[Billed]:
    """Return what each account was billed for usage, day by day, or for several days at once."""
    by_account: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in bills:
        if row.category == "usage":
            by_account[row.origin.provider, row.origin.account].append(row)
    return [
        found
        for (provider, account), rows in sorted(by_account.items())
        for found in _of_account(provider, account, rows, known.get(provider, {}).get(account, {}))
    ]


def _of_account(
    provider: str, account: str, rows: Sequence[Told], known: Mapping[date, Decimal]
) -> Iterator[Billed]:
    daily: dict[date, list[Told]] = defaultdict(list)
    for row in rows:
        if row.days == 1:
            daily[row.day].append(row)
    for day, lines in sorted(daily.items()):
        yield _billed(provider, account, (day, day_after(day, 1)), lines, known.get(day, _NOTHING))
    for start, end in spans((row.day, row.until) for row in rows if row.days > 1):
        lines = [row for row in rows if row.days > 1 and start <= row.day < end]
        logged = sum(
            (cost for day, cost in known.items() if start <= day < end and day not in daily),
            _NOTHING,
        )
        yield _billed(provider, account, (start, end), lines, logged)


def _billed(
    provider: str,
    account: str,
    span: tuple[date, date],
    lines: Sequence[Told],
    logged_usd: Decimal,
) -> Billed:
    return Billed(
        provider=provider,
        account=account,
        day=span[0],
        days=(span[1] - span[0]).days,
        billed_usd=sum((line.usage.cost_usd for line in lines), _NOTHING),
        logged_usd=logged_usd,
        unpriced_lines=sum(line.unpriced_lines for line in lines),
    )


def lines_of(
    billed: Sequence[Billed],
    bills: Iterable[Told],
    known: Mapping[str, Known],
    accounts: Mapping[str, Collection[str]],
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
    for provider in sorted({each.provider for each in billed}):
        mine = [each for each in billed if each.provider == provider]
        of_provider = known.get(provider, {})
        for account, day, days, cost_usd in _held(mine, of_provider, accounts.get(provider, ())):
            found[RESIDUAL, provider, account, day, days] += Usage(cost_usd=-cost_usd)
    return [
        Line(line_origin(*place), place[3], usage)
        for place, usage in sorted(found.items())
        if usage != Usage()
    ]


def _held(
    billed: Sequence[Billed], known: Known, accounts: Collection[str]
) -> Iterator[tuple[str, date, int, Decimal]]:
    """Yield account, first day, days and cost: what the bills of a provider hold of other accounts.

    That is what is of an unknown account; and beside a bill of an unknown account, what is of
    those that have none of their own.
    """
    for start, end in spans((each.day, each.until) for each in billed):
        mine = [each for each in billed if start <= each.day < end]
        window = [start + n * _ONE_DAY for n in range((end - start).days)]
        floating = {
            (account, day): costs[day]
            for account, costs in sorted(known.items())
            for day in window
            if day in costs and _floats(account, day, mine)
        }
        if _is_whole(mine, floating, accounts):
            for (account, day), cost in floating.items():
                yield account, day, 1, cost
            continue
        room = sum((max(each.residual_usd, _NOTHING) for each in mine), _NOTHING)
        by_account: dict[str, Decimal] = defaultdict(Decimal)
        for (account, _), cost in floating.items():
            by_account[account] += cost
        for account, cost in by_account.items():
            taken = min(cost, room)
            room -= taken
            yield account, start, (end - start).days, taken


def _floats(account: str, day: date, billed: Sequence[Billed]) -> bool:
    """Whether cost of this account and day may be in a bill of another name."""
    if any(each.account == account and each.day <= day < each.until for each in billed):
        return False
    return not account or any(not each.account for each in billed)


def _is_whole(
    billed: Sequence[Billed],
    floating: Mapping[tuple[str, date], Decimal],
    accounts: Collection[str],
) -> bool:
    """Whether these bills must hold all that floats: no account is known that they leave out."""
    if any(each.unpriced_lines or not each.account for each in billed):
        return False
    return all(
        any(each.account == account and each.day <= day < each.until for each in billed)
        for account in accounts
        for _, day in floating
    )
