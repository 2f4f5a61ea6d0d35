"""Which aggregates tell of the same usage again, grouped in another way.

A provider's usage can be asked for by key, by project or not grouped at all, by the hour or by the
day. Rows of one grouping are disjoint and add up; those of two groupings are two accounts of the
same. What a row was grouped by is what it names. A dimension may be null in a grouping by it (the
default project, a key of the console). Of an API's reports a label says so. Of others groupings are
one where one file holds both, unless a coarser row is exactly the sum of the finer ones.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.charge import NULL_IN, labels_of
from clearbar.spend.reconciling.sharing import agree
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from clearbar.spend.reconciling.told import Told

_IN_ANY_GROUPING: Final = frozenset({"openai_usage", "anthropic_usage"})
"""Sources whose labels are what they are grouped by, or are null in."""
_DIMENSIONS: Final = ("account", "project", "credential", "principal", "model")
"""Of `Told.dimensions`."""
_DAY_MINUTES: Final = 1440
_Grouping = tuple[str, int, str, tuple[bool, ...]]
"""Source, minutes of a bucket, other dimensions, and which of the dimensions are named."""


def views(rows: Sequence[Told]) -> list[tuple[Any, ...]]:
    """Return, for each aggregate, which view it is of; the finest view sorts first.

    Rows of one view add up; what two views tell may be the same.
    """
    groups = _joined_by_file(rows)
    found: list[tuple[Any, ...]] = []
    for row in rows:
        own = _grouping(row)
        members = groups.get(own, frozenset([own]))
        finest = max(sum(each[3]) for each in members)
        found.append((-finest, *min(members)))
    for number in [*_repeated(rows, found), *_relabelled(rows, found)]:
        found[number] = (1, *_grouping(rows[number]))
    return found


def need_spans(rows: Iterable[Told]) -> bool:
    """Return whether parts of some day are told of by a provider in more than one grouping."""
    found: dict[tuple[str, date], _Grouping] = {}
    partial = (row for row in rows if row.grain == "bucket" and row.width_minutes < _DAY_MINUTES)
    return any(
        found.setdefault((row.origin.provider, row.day), grouping) != grouping
        for row in partial
        for grouping in [_grouping(row)]
    )


def _grouping(row: Told) -> _Grouping:
    by = _grouped_by(row)
    named = tuple(name in by for name in _DIMENSIONS)
    others = " ".join(sorted(by.difference(_DIMENSIONS)))
    return row.origin.source, row.width_minutes, others, named


def _joined_by_file(rows: Sequence[Told]) -> dict[_Grouping, frozenset[_Grouping]]:
    """Return, for each grouping, all that stand in one file with it, directly or by others.

    A file in which a label says what is null tells its grouping itself. Rows of it without one are
    of an earlier reading, when it named less.
    """
    together: dict[tuple[str, int, str], set[_Grouping]] = defaultdict(set)
    labelled = {row.uri for row in rows if _nulls(row)}
    for row in rows:
        if row.uri not in labelled:
            together[row.uri, row.width_minutes, row.origin.source].add(_grouping(row))
    joined: dict[_Grouping, frozenset[_Grouping]] = {}
    for members in together.values():
        whole = frozenset(members).union(*(joined.get(each, ()) for each in members))
        joined.update(dict.fromkeys(whole, whole))
    return joined


def _repeated(rows: Sequence[Told], found: Sequence[tuple[Any, ...]]) -> list[int]:
    """Return the rows that are exactly the sum of finer ones of the same view and day."""
    days: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        days[found[number], row.day, row.days, row.span].append(number)
    repeated = []
    for numbers in days.values():
        same = [(rows[number], _grouped_by(rows[number])) for number in numbers]
        if len({named for _, named in same}) > 1:
            repeated += [
                number
                for number, (row, named) in zip(numbers, same, strict=True)
                if _is_sum(row, [other for other, finer in same if named < finer])
            ]
    return repeated


def _relabelled(rows: Sequence[Told], found: Sequence[tuple[Any, ...]]) -> list[int]:
    """Return the rows that another of their view repeats, null in more: of two readings of one."""
    readings: dict[tuple[Any, ...], dict[frozenset[str], list[int]]] = defaultdict(dict)
    for number, row in enumerate(rows):
        if row.origin.source in _IN_ANY_GROUPING:
            told = labels_of(row.origin.labels)
            told.pop(NULL_IN, None)
            said = row.dimensions, tuple(sorted(told.items())), row.context
            alike = readings[found[number], row.day, row.days, row.span, *said]
            alike.setdefault(_nulls(row), []).append(number)
    return [
        number
        for alike in readings.values()
        for nulls in sorted(alike, key=lambda each: (-len(each), sorted(each)))[1:]
        for number in alike[nulls]
    ]


def _is_sum(row: Told, finer: Sequence[Told]) -> bool:
    if not row.usage.tokens:
        return False
    parts = [other for other in finer if agree(row.dimensions, other.dimensions)]
    whole = sum((part.usage for part in parts), Usage())
    return len(parts) > 1 and _counts(whole) == _counts(row.usage)


def _grouped_by(row: Told) -> frozenset[str]:
    """Return what a row is grouped by, whether it has that or is null there."""
    named = (name for name, value in zip(_DIMENSIONS, row.dimensions, strict=True) if value)
    by_labels = row.origin.source in _IN_ANY_GROUPING
    labels = _labels_of_grouping(row.origin.labels) if by_labels else frozenset()
    return labels.union(named, row.context.split())


def _nulls(row: Told) -> frozenset[str]:
    """Return by what a row is grouped and has none, as its label says."""
    return _nulls_of(row.origin.labels) if row.origin.source in _IN_ANY_GROUPING else frozenset()


@lru_cache(maxsize=10_000)
def _nulls_of(labels: str) -> frozenset[str]:
    return frozenset(labels_of(labels).get(NULL_IN, "").split())


@lru_cache(maxsize=10_000)
def _labels_of_grouping(labels: str) -> frozenset[str]:
    """Return the names of labels, and of what the label of nulls names."""
    told = labels_of(labels)
    return frozenset([*told.pop(NULL_IN, "").split(), *told])


def _counts(usage: Usage) -> tuple[int, ...]:
    cached = usage.cache_read_tokens, usage.cache_write_tokens
    return usage.calls, usage.input_tokens, *cached, usage.output_tokens
