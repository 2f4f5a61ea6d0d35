"""Which bills of one account count where they overlap in time: never two for one day.

Lines of one export add up, however long they are. Of one export are lines of one file, lines of the
same days, and what is cut as these are: by the day, by the week, by the month. Other lines of one
source are another account of the same money, and so are those of another source. Of all choices
that leave no day with two bills the one counts that covers most days; of these the one with most
days by a provider's own bill, then the one of the finest cut. A bill of which nothing has a known
worth covers no day that another does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from clearbar.spend.reconciling.told import Told, day_after, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Span = tuple[date, date]
"""Half-open."""
LATER: Final = {"focus": 1, "table": 2}
"""Sources that stand behind a provider's own."""
_ABOUT: Final = ((28, 31), (89, 92), (365, 366))
"""Fewest and most days of a month, of a quarter, of a year."""
_Weight = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one export that count together or not at all."""

    source: str
    day: date
    days: int
    rows: tuple[Told, ...]

    @property
    def span(self) -> Span:
        """Its days."""
        return self.day, day_after(self.day, self.days)

    @property
    def is_known(self) -> bool:
        """Whether the worth of any of its lines is known."""
        return any(row.usage.cost_usd or not row.unpriced_lines for row in self.rows)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that say it."""
        return tuple(sorted({row.uri for row in self.rows}))

    def overlaps(self, other: Piece | Told) -> bool:
        """Return whether both are of some day."""
        (start, end), (begin, until) = _numbered(self), _numbered(other)
        return start < until and begin < end


def counted_pieces(rows: Sequence[Told]) -> tuple[list[Piece], list[Piece]]:
    """Return of an account's lines for usage the pieces that count, and those that do not."""
    pieces = sorted(_pieces(rows), key=lambda p: (*_numbered(p)[::-1], p.source, p.files))
    sources = sorted({each.source for each in pieces})
    weights = [_weight(each, sources.index(each.source)) for each in pieces]
    taken = _heaviest([_numbered(each) for each in pieces], weights)
    counted = [each for at, each in enumerate(pieces) if at in taken]
    return counted, [each for at, each in enumerate(pieces) if at not in taken]


def uncovered(span: Span, by: Iterable[Span]) -> list[Span]:
    """Return the parts of a span of days that no other covers."""
    start, end = span
    inside = [(max(a, start), min(b, end)) for a, b in by if a < end and start < b]
    edges = [start, *(day for each in spans(inside) for day in each), end]
    gaps = list(zip(edges[::2], edges[1::2], strict=True))
    return [(a, b) for a, b in gaps if a < b]


def _numbered(of: Piece | Told) -> tuple[int, int]:
    """Return the first day and the first after it, beyond the calendar's end too."""
    first = of.day.toordinal()
    return first, first + of.days


def _weight(piece: Piece, place: int) -> _Weight:
    """Return what a piece speaks for, so that sums compare as choices do."""
    widest = max(row.days for row in piece.rows)
    days = piece.days
    known = days if piece.is_known else 0
    return known, days, -days * LATER.get(piece.source, 0), -days * widest, -days * place


def _heaviest(intervals: Sequence[tuple[int, int]], weights: Sequence[_Weight]) -> set[int]:
    """Return which intervals, of which no two overlap, weigh most together.

    They stand in the order of their ends.
    """
    ends = [end for _, end in intervals]
    before = [bisect_right(ends, start) for start, _ in intervals]
    best: list[_Weight] = [(0, 0, 0, 0, 0)]
    for at, weight in enumerate(weights):
        with_it = tuple(a + b for a, b in zip(best[before[at]], weight, strict=True))
        best.append(max(best[at], with_it))
    taken: set[int] = set()
    at = len(intervals)
    while at:
        if best[at] == best[at - 1]:
            at -= 1
        else:
            taken.add(at - 1)
            at = before[at - 1]
    return taken


def _pieces(rows: Sequence[Told]) -> Iterator[Piece]:
    by_source: dict[str, list[Told]] = defaultdict(list)
    for row in rows:
        by_source[row.origin.source].append(row)
    for source, mine in by_source.items():
        exports = _exports(mine)
        by_export: dict[frozenset[int], list[Told]] = defaultdict(list)
        for row in mine:
            by_export[exports[_cut(row)]].append(row)
        for of_export in by_export.values():
            for window in _windows(of_export):
                parts = _by_file(window) if _clashes(window) else [window]
                for part in parts:
                    first = min(row.day for row in part)
                    end = max(_numbered(row)[1] for row in part)
                    yield Piece(source, first, end - first.toordinal(), tuple(part))


def _cut(row: Told) -> int:
    """Return how long a line is; months, quarters and years are of one length each."""
    return next((least for least, most in _ABOUT if least <= row.days <= most), row.days)


def _exports(rows: Iterable[Told]) -> Mapping[int, frozenset[int]]:
    """Return for each cut those that stand beside it for the same days of one file, and so on.

    A month's line beside lines of its days adds to them; the short week at its end says nothing.
    """
    by_file: dict[str, list[Told]] = defaultdict(list)
    for row in rows:
        by_file[row.uri].append(row)
    joined: dict[int, frozenset[int]] = {}
    for _, mine in sorted(by_file.items()):
        for window in _windows(mine):
            cuts = {_cut(row) for row in window}
            whole = frozenset(cuts).union(*(joined.get(each, ()) for each in cuts))
            joined.update(dict.fromkeys(whole, whole))
    return joined


def _windows(rows: Sequence[Told]) -> Iterable[list[Told]]:
    """Return the lines in groups of days that overlap."""
    joined = spans((row.day, row.until) for row in rows)
    groups: dict[date, list[Told]] = {start: [] for start, _ in joined}
    starts = [start for start, _ in joined]
    for row in rows:
        groups[starts[bisect_right(starts, row.day) - 1]].append(row)
    return groups.values()


def _clashes(rows: Sequence[Told]) -> bool:
    """Whether files tell of unequal days that overlap, cut alike: no export does that."""
    files: dict[int, dict[Span, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        files[_cut(row)][row.day, row.until].add(row.uri)
    for by_span in files.values():
        ordered = sorted(by_span.items())
        for at, ((_, end), mine) in enumerate(ordered, 1):
            later = takewhile(lambda each: each[0][0] < end, ordered[at:])  # noqa: B023 - used at once
            if any(not mine & theirs for _, theirs in later):
                return True
    return False


def _by_file(rows: Sequence[Told]) -> Iterable[list[Told]]:
    """Return the lines by file; files of the same days are parts of one export."""
    by_file: dict[str, list[Told]] = defaultdict(list)
    for row in rows:
        by_file[row.uri].append(row)
    parts: dict[Span, list[Told]] = defaultdict(list)
    for mine in by_file.values():
        for window in _windows(mine):
            span = min(row.day for row in window), max(row.until for row in window)
            parts[span] += window
    return parts.values()
