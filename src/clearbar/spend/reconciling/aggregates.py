"""Aggregates against calls: each call counts once, and what an aggregate has beyond them stays.

Meter by meter, money among them. A dimension that is not known, of a call or of an aggregate, can
be any; a known, different one never matches.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.charge import BASES
from clearbar.spend.reconciling.sharing import agree, in_smallest, most_shared, of_smallest
from clearbar.spend.reconciling.told import Overlap, Told, spans
from clearbar.spend.reconciling.views import views
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

_METERS: Final = tuple(name for name in USAGE_FIELDS if not name.startswith("calls_"))
_NOTHING: Final = Usage()
_HOUR_MINUTES: Final = 60
_Alike = tuple["date", "date", tuple[int, int] | None, tuple[str, ...]]
"""The first day, the first day after, the span, and the dimensions that matter."""
_LAST_VIEW: Final = (2,)
"""Of lines of a bill: whatever aggregates tell goes before."""


def overlaps(aggregates: Iterable[Told], calls: Iterable[Told]) -> tuple[list[Overlap], list[Told]]:
    """Return what comes off each aggregate, and what is left of each.

    Lines of a bill may be among the aggregates, for the tokens that they name; they come last.
    """
    found: list[Overlap] = []
    left: list[Told] = []
    known = _by_provider(calls)
    for provider, rows in sorted(_by_provider(aggregates).items()):
        for told, explained in _windows(rows, known.get(provider, [])):
            for row, rest, shared in _shared_of_views(told, explained):
                left.append(rest)
                if row.grain == "bucket" and rest is not row:
                    found.append(Overlap(row.key, row.day, -shared))
    return found, left


def _by_provider(rows: Iterable[Told]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for row in rows:
        found[row.origin.provider].append(row)
    return found


def _windows(
    aggregates: Sequence[Told], calls: Sequence[Told]
) -> Iterator[tuple[list[tuple[tuple[Any, ...], Told]], list[Told]]]:
    """Yield the aggregates of days that belong together, with their views, and the calls."""
    by_day = views([row for row in aggregates if row.grain != "bill"])
    numbered = iter(by_day)
    viewed = [(_LAST_VIEW if row.grain == "bill" else next(numbered), row) for row in aggregates]
    edges = spans((row.day, row.until) for row in aggregates)
    window_of = {
        start.toordinal() + n: start for start, end in edges for n in range((end - start).days)
    }
    told: dict[Any, list[tuple[tuple[Any, ...], Told]]] = defaultdict(list)
    known: dict[Any, list[Told]] = defaultdict(list)
    for view, row in viewed:
        told[window_of.get(row.day.toordinal(), row.day)].append((view, row))
    for row in calls:
        if (start := window_of.get(row.day.toordinal())) is not None:
            known[start].append(row)
    for start, _ in edges:
        yield told[start], sorted(known[start], key=_order)


def _shared_of_views(
    told: Sequence[tuple[tuple[Any, ...], Told]], calls: Sequence[Told]
) -> Iterator[tuple[Told, Told, Usage]]:
    """Yield each aggregate, what is left of it, and what is told elsewhere.

    That is by calls, or by a view that came before.
    """
    explained = list(calls)
    for view in sorted({view for view, _ in told}):
        rows = sorted((row for each, row in told if each == view), key=_order)
        for row, shared in zip(rows, _shared(rows, explained), strict=True):
            rest = row if shared == _NOTHING else replace(row, usage=row.usage + -shared)
            yield row, rest, shared
            explained.append(rest)


def _order(row: Told) -> tuple[Any, ...]:
    """Return a sort key that does not depend on the order of reading; the most named goes first."""
    named = sum(bool(value) for value in row.dimensions)
    span = row.span or (-1, -1)
    return -named, row.dimensions, row.day, row.key, row.width_minutes, span, row.context, row.uri


def _shared(rows: Sequence[Told], others: Sequence[Told]) -> list[Usage]:
    """Return what each row has in common with others; each other is used up once."""
    shared = [_NOTHING] * len(rows)
    for mine, theirs in _parts(rows, others):
        some, more = [rows[number] for number in mine], [others[number] for number in theirs]
        sums = _of_part(some, more)
        for place, number in enumerate(mine):
            parts = {name: amounts[place] for name, amounts in sums.items()}
            shared[number] = _with_bases(parts, rows[number].usage)
    return shared


def _of_part(rows: Sequence[Told], others: Sequence[Told]) -> dict[str, list[Any]]:
    """Return meter -> what each row shares. Rows that nothing tells apart here are taken as one."""
    told_by_both = [
        number
        for number in range(len(rows[0].dimensions))
        if any(row.dimensions[number] for row in rows)
        and any(other.dimensions[number] for other in others)
    ]
    by_span = all(any(row.span for row in some) for some in (rows, others))
    mine, theirs = (_alike(some, told_by_both, by_span=by_span) for some in (rows, others))
    edges = [
        [number for number, row in enumerate(mine) if _may_be_same(row, other)] for other in theirs
    ]
    found = {
        name: _meter(name, rows, others, list(mine.values()), list(theirs.values()), edges)
        for name in _METERS
    }
    return {name: amounts for name, amounts in found.items() if amounts}


def _alike(rows: Sequence[Told], by: Sequence[int], *, by_span: bool) -> dict[_Alike, list[int]]:
    """Return the days and the dimensions that matter -> the rows that have them, in order."""
    found: dict[_Alike, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        named = row.dimensions
        span = row.span if by_span else None
        found[row.day, row.until, span, tuple(named[n] for n in by)].append(number)
    return found


def _may_be_same(one: _Alike, other: _Alike) -> bool:
    (day, until, span, named), (other_day, other_until, other_span, other_named) = one, other
    if span and other_span and not (span[0] < other_span[1] and other_span[0] < span[1]):
        return False
    return day < other_until and other_day < until and agree(named, other_named)


def _parts(rows: Sequence[Told], others: Sequence[Told]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield rows and others in parts that have nothing to do with each other."""
    keys = [_day_and_dimensions(row) for row in rows]
    other_keys = [_day_and_dimensions(row) for row in others]
    named = [n for n in range(len(keys[0])) if all(key[n] for key in (*keys, *other_keys))]
    mine, theirs = _grouped(keys, named), _grouped(other_keys, named)
    for part in sorted(mine.keys() & theirs.keys()):
        yield mine[part], theirs[part]


def _day_and_dimensions(row: Told) -> tuple[str, ...]:
    return str(row.day) if row.days == 1 else "", _hour(row.span), *row.dimensions


def _hour(span: tuple[int, int] | None) -> str:
    """Return the hour in which all of a bucket is; empty where there is no such."""
    if span is None:
        return ""
    first, last = span[0] // _HOUR_MINUTES, (span[1] - 1) // _HOUR_MINUTES
    return str(first) if first == last else ""


def _grouped(keys: Sequence[tuple[str, ...]], by: Sequence[int]) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        found[tuple(key[n] for n in by)].append(number)
    return found


def _meter(
    name: str,
    rows: Sequence[Told],
    others: Sequence[Told],
    mine: Sequence[Sequence[int]],
    theirs: Sequence[Sequence[int]],
    edges: Sequence[Sequence[int]],
) -> list[Any]:
    """Return what each row shares of one meter; nothing where there is none of it."""
    supplies = [_whole(getattr(other.usage, name)) for other in others]
    demands = [_whole(getattr(row.usage, name)) for row in rows]
    if not any(supplies) or not any(demands):
        return []
    found = most_shared(
        [sum(supplies[number] for number in some) for some in theirs],
        [sum(demands[number] for number in some) for some in mine],
        edges,
    )
    shared: list[Any] = [0] * len(rows)
    for some, amount in zip(mine, found, strict=True):
        left = amount
        for number in some:
            shared[number] = min(left, demands[number])
            left -= shared[number]
    if isinstance(getattr(_NOTHING, name), Decimal):
        return [of_smallest(amount) for amount in shared]
    return shared


def _whole(amount: Any) -> int:
    """Return a quantity, or money in its smallest unit; what is negative shares nothing."""
    whole = in_smallest(amount) if isinstance(amount, Decimal) else int(amount)
    return max(whole, 0)


def _with_bases(parts: dict[str, Any], of: Usage) -> Usage:
    """Return what is shared; of the aggregate's calls, those of the least certain cost."""
    calls = parts.get("calls", 0)
    for basis in reversed(BASES):
        name = f"calls_{basis}"
        parts[name] = min(getattr(of, name), calls)
        calls -= parts[name]
    return Usage(**parts)
