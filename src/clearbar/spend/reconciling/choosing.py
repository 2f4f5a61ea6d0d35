"""Which of several bills of one account counts: never two for the same days.

For usage, of bills that overlap in time: the one that covers most days; then the provider's own
export or API before FOCUS, and FOCUS before a declared table; then the first by name. Tax,
credits, purchases and adjustments may stand on other days in another export: there each account,
month and category has one bill, by the same order.

Costs that an API gives in any grouping (by project, by line item, by key) are a bill for each
grouping: of each day the finest counts, with its credits. What stands in one file is of one
grouping, because a dimension may be null in it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.reconciling.told import Told, spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

_LATER: Final = {"focus": 1, "table": 2}
"""Sources that stand behind a provider's own."""
_IN_ANY_GROUPING: Final = frozenset({"openai_costs", "anthropic_costs"})
_WHOLE: Final = (False, False, False)

_Grouping = tuple[bool, ...]
"""Whether lines name a project, a key and what was bought."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Lines of a bill that are not counted, because another bill tells of the same."""

    provider: str
    account: str
    day: date
    until: date
    category: str
    source: str
    counted: str
    """The source that counts instead."""
    cost_usd: Decimal


def accounts_of(rows: Iterable[Told]) -> dict[str, set[str]]:
    """Return provider -> the accounts of it that anything names."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.origin.account:
            found[row.origin.provider].add(row.origin.account)
    return found


def with_only_account(rows: Iterable[Told], accounts: Mapping[str, Collection[str]]) -> list[Told]:
    """Return lines of bills; where a provider has one account only, those without one are of it."""
    return [_of_only_account(row, accounts.get(row.origin.provider, ())) for row in rows]


def _of_only_account(row: Told, accounts: Collection[str]) -> Told:
    if row.origin.account or len(accounts) != 1:
        return row
    [account] = accounts
    origin = msgspec.structs.replace(row.origin, account=account)
    return replace(row, origin=origin)


def chosen(bills: Sequence[Told]) -> tuple[list[Told], list[Duplicate]]:
    """Return the lines that count, and what stands beside them and does not."""
    counted: list[Told] = []
    finest, duplicates = _of_finest_grouping(bills)
    for rows in _rivals(finest):
        by_source: dict[str, list[Told]] = defaultdict(list)
        for row in rows:
            by_source[row.origin.source].append(row)
        best = _best(by_source)
        counted += by_source.pop(best)
        duplicates += [_duplicate(best, twice) for _, twice in sorted(by_source.items())]
    return counted, duplicates


def _of_finest_grouping(bills: Sequence[Told]) -> tuple[list[Told], list[Duplicate]]:
    """Return the lines without those that an API also gives in a finer grouping, and these.

    Credits go with the usage: what one grouping tells apart, another may have taken off already.
    """
    groupings = _groupings(bills)
    by_day: dict[tuple[Any, ...], dict[_Grouping, list[Told]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in bills:
        named = groupings.get((row.uri, _grouping(row)), _WHOLE)
        place = row.origin.source, row.origin.provider, row.origin.account, row.day, row.until
        by_day[place][named].append(row)
    left: list[Told] = []
    duplicates: list[Duplicate] = []
    for place, by_grouping in sorted(by_day.items()):
        left += by_grouping.pop(min(by_grouping, key=lambda named: (-sum(named), named)))
        for _, twice in sorted(by_grouping.items()):
            for category in sorted({row.category for row in twice}):
                rows = [row for row in twice if row.category == category]
                duplicates.append(_duplicate(place[0], rows))
    return left, duplicates


def _groupings(bills: Iterable[Told]) -> dict[tuple[str, _Grouping], _Grouping]:
    """Return, for what lines of a file name, the grouping that they are of."""
    together: dict[tuple[str, str], set[_Grouping]] = defaultdict(set)
    for row in bills:
        if row.origin.source in _IN_ANY_GROUPING:
            together[row.origin.source, row.uri].add(_grouping(row))
    joined: dict[tuple[str, _Grouping], frozenset[_Grouping]] = {}
    for (source, _), members in sorted(together.items()):
        whole = members.union(*(joined.get((source, each), ()) for each in members))
        joined.update({(source, each): frozenset(whole) for each in whole})
    return {
        (uri, each): max(joined[source, each], key=lambda named: (sum(named), named))
        for (source, uri), members in together.items()
        for each in members
    }


def _grouping(row: Told) -> _Grouping:
    origin = row.origin
    return bool(origin.project), bool(origin.credential), bool(origin.model or origin.labels)


def _rivals(bills: Iterable[Told]) -> Iterable[list[Told]]:
    """Yield lines of one provider and account that tell of the same: one bill of them counts."""
    usage: dict[tuple[str, str], list[Told]] = defaultdict(list)
    others: dict[tuple[Any, ...], list[Told]] = defaultdict(list)
    for row in bills:
        account = row.origin.provider, row.origin.account
        if row.category == "usage":
            usage[account].append(row)
        else:
            others[*account, row.day.year, row.day.month, row.category].append(row)
    for _, rows in sorted(usage.items()):
        yield from _overlapping(rows)
    for _, rows in sorted(others.items()):
        yield rows


def _overlapping(rows: Sequence[Told]) -> Iterable[list[Told]]:
    """Yield the lines in groups of days that overlap."""
    joined = spans((row.day, row.until) for row in rows)
    groups: dict[date, list[Told]] = {start: [] for start, _ in joined}
    starts = iter(joined)
    start, end = next(starts)
    for row in sorted(rows, key=lambda each: each.day):
        while start < end <= row.day:
            start, end = next(starts)
        groups[start].append(row)
    yield from groups.values()


def _best(by_source: Mapping[str, Sequence[Told]]) -> str:
    """Return the source whose bill counts."""

    def order(source: str) -> tuple[Any, ...]:
        rows = by_source[source]
        days = sum((end - start).days for start, end in spans((r.day, r.until) for r in rows))
        covered = days if rows[0].category == "usage" else 0
        return -covered, _LATER.get(source, 0), source

    return min(by_source, key=order)


def _duplicate(counted: str, rows: Sequence[Told]) -> Duplicate:
    first = rows[0].origin
    return Duplicate(
        provider=first.provider,
        account=first.account,
        day=min(row.day for row in rows),
        until=max(row.until for row in rows),
        category=rows[0].category,
        source=first.source if first.source != counted else f"{counted}, grouped otherwise,",
        counted=counted,
        cost_usd=sum((row.usage.cost_usd for row in rows), Decimal(0)),
    )
