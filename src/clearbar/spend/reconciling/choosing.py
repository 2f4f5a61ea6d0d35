"""Which of several bills of one account counts: never two for the same days.

For usage, of bills that overlap in time: see `covering`. Tax, credits, purchases and adjustments
may stand on other days in another export: there each account, month and category has one bill, the
provider's own before FOCUS, and FOCUS before a declared table. Those of an export whose usage does
not count give way to those of one whose usage does.

Costs that an API gives in any grouping (by project, by line item, by key) are a bill for each
grouping: of each day the finest counts, with its credits. A line that is null where others of its
day are not says so by a label. Costs of one project alone give way to a coarser grouping that
knows of more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.charge import NULL_IN, labels_of
from clearbar.spend.reconciling.covering import LATER, Piece, Span, counted_pieces, uncovered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from clearbar.spend.reconciling.told import Told

IN_ANY_GROUPING: Final = frozenset({"openai_costs", "anthropic_costs"})
_IN_REPORTS: Final = frozenset({"copilot_billing"})
"""Sources whose label `report` says how fine a bill is, whatever its lines name."""
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
    files: tuple[str, ...] = ()
    """That tell of it."""
    counted_files: tuple[str, ...] = ()
    uncovered: tuple[Span, ...] = ()
    """Days of it that what counts does not cover: they are left to the logs."""


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
    finest, duplicates = _of_finest_grouping(bills)
    by_account: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in finest:
        by_account[row.origin.provider, row.origin.account].append(row)
    counted: list[Told] = []
    for _, rows in sorted(by_account.items()):
        taken, twice = _of_account(rows)
        counted += taken
        duplicates += twice
    return counted, duplicates


def _of_account(rows: Sequence[Told]) -> tuple[list[Told], list[Duplicate]]:
    taken, left = counted_pieces([row for row in rows if row.category == "usage"])
    counted = [row for piece in taken for row in piece.rows]
    duplicates = _not_counted(taken, left)
    others: dict[tuple[Any, ...], list[Told]] = defaultdict(list)
    for row in rows:
        if row.category != "usage":
            others[row.day.year, row.day.month, row.category].append(row)
    for _, mine in sorted(others.items()):
        best, twice = _of_category(mine, taken, left)
        counted += best
        duplicates += twice
    return counted, duplicates


def _not_counted(taken: Sequence[Piece], left: Sequence[Piece]) -> list[Duplicate]:
    """Return what does not count, gathered by what counts instead."""
    found: dict[tuple[Any, ...], list[Piece]] = defaultdict(list)
    for piece in left:
        instead = [each for each in taken if each.overlaps(piece)]
        sources = sorted({each.source for each in instead})
        files = sorted({file for each in instead for file in each.files})
        found[piece.source, piece.files, " and ".join(sources), tuple(files)].append(piece)
    spans = [each.span for each in taken]
    return [
        replace(
            _duplicate(counted, [row for piece in pieces for row in piece.rows]),
            counted_files=counted_files,
            uncovered=tuple(day for piece in pieces for day in uncovered(piece.span, spans)),
        )
        for (_, _, counted, counted_files), pieces in sorted(found.items())
    ]


def _of_category(
    rows: Sequence[Told], taken: Sequence[Piece], left: Sequence[Piece]
) -> tuple[list[Told], list[Duplicate]]:
    """Return of one month and category the lines that count, and the others."""
    by_source: dict[str, list[Told]] = defaultdict(list)
    for row in rows:
        by_source[row.origin.source].append(row)
    best = min(by_source, key=lambda source: (LATER.get(source, 0), source))
    mine = by_source.pop(best)
    kept: list[Told] = []
    twice: list[Told] = []
    for row in mine:
        (twice if _loses(row, taken, left) else kept).append(row)
    if not kept:
        kept, twice = twice, kept
    duplicates = [_duplicate(best, each) for _, each in sorted(by_source.items())]
    return kept, duplicates + ([_duplicate(best, twice)] if twice else [])


def _loses(row: Told, taken: Sequence[Piece], left: Sequence[Piece]) -> bool:
    """Whether the file that says it has usage of these days, and none of that counts."""

    def tells(piece: Piece) -> bool:
        same = piece.source == row.origin.source and row.uri in piece.files
        return same and piece.overlaps(row)

    return any(map(tells, left)) and not any(map(tells, taken))


def _of_finest_grouping(bills: Sequence[Told]) -> tuple[list[Told], list[Duplicate]]:
    """Return the lines without those that an API also gives in a finer grouping, and these.

    Credits go with the usage: what one grouping tells apart, another may have taken off already.
    """
    by_day: dict[tuple[Any, ...], dict[_Grouping, list[Told]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in bills:
        named = _grouping(row)
        place = row.origin.source, row.origin.provider, row.origin.account, row.day, row.until
        by_day[place][named].append(row)
    left: list[Told] = []
    duplicates: list[Duplicate] = []
    for place, by_grouping in sorted(by_day.items()):
        left += by_grouping.pop(_best_grouping(by_grouping))
        for _, twice in sorted(by_grouping.items()):
            for category in sorted({row.category for row in twice}):
                rows = [row for row in twice if row.category == category]
                found = _duplicate(place[0], rows)
                duplicates.append(replace(found, source=f"{place[0]}, grouped otherwise,"))
    return left, duplicates


def _best_grouping(by_grouping: Mapping[_Grouping, Sequence[Told]]) -> _Grouping:
    """Return the finest; but not of one project alone, where a coarser one knows of more."""

    def cost(named: _Grouping) -> Decimal:
        return sum((row.usage.cost_usd for row in by_grouping[named]), Decimal(0))

    finest, *others = sorted(by_grouping, key=lambda named: (-sum(named), named))
    of_one = len({row.origin.project for row in by_grouping[finest]}) == 1
    coarser = (each for each in others if finest[0] and not each[0])
    whole = next(coarser, finest) if of_one else finest
    return whole if cost(whole) > cost(finest) else finest


def _grouping(row: Told) -> _Grouping:
    """Return how a line is grouped; those of sources with one grouping only are all alike."""
    origin = row.origin
    if origin.source not in IN_ANY_GROUPING | _IN_REPORTS:
        return _WHOLE
    if origin.source in _IN_REPORTS:
        return "|report=detailed|" in origin.labels, False, True
    labels = labels_of(origin.labels)
    null_in = labels.pop(NULL_IN, "").split()
    return (
        bool(origin.project) or "project" in null_in,
        bool(origin.credential) or "credential" in null_in,
        bool(origin.model or labels) or "item" in null_in,
    )


def _duplicate(counted: str, rows: Sequence[Told]) -> Duplicate:
    first = rows[0].origin
    return Duplicate(
        provider=first.provider,
        account=first.account,
        day=min(row.day for row in rows),
        until=max(row.until for row in rows),
        category=rows[0].category,
        source=first.source,
        counted=counted,
        cost_usd=sum((row.usage.cost_usd for row in rows), Decimal(0)),
        files=tuple(sorted({row.uri for row in rows})),
    )
