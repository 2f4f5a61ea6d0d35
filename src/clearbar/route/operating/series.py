"""Series of a metric whose number is bounded, whatever the values of their labels are."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OTHER: Final = "other"
MOST_VALUES: Final = 200
"""Values of one label that are told apart; the rest is `other`."""
MOST_SERIES: Final = 2_000
"""Combinations of one metric that are told apart."""

Labels = tuple[str, ...]


class Known:
    """The first values of one label that were seen."""

    __slots__ = ("_most", "_seen")

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._seen: set[str] = set()

    def of(self, value: str) -> str:
        """Return the value, or `other` once there are too many."""
        if value in self._seen:
            return value
        if len(self._seen) >= self._most:
            return OTHER
        self._seen.add(value)
        return value


class Sums:
    """A number for each combination of labels. Counters only grow; gauges may fall."""

    __slots__ = ("_most", "_sums")

    def __init__(self, most: int = MOST_SERIES) -> None:
        self._most = most
        self._sums: dict[Labels, int] = {}

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Add to one series."""
        if labels not in self._sums and len(self._sums) >= self._most:
            labels = (OTHER,) * len(labels)
        self._sums[labels] = self._sums.get(labels, 0) + amount

    def __iter__(self) -> Iterator[tuple[Labels, int]]:
        """Yield the series and their sums."""
        return iter(list(self._sums.items()))


class Distribution:
    """Counts of one series by bucket; `le` is inclusive, as Prometheus has it."""

    __slots__ = ("counts", "total_ms")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total_ms = 0


class Distributions:
    """A histogram of milliseconds for each combination of labels."""

    __slots__ = ("_bounds_ms", "_most", "_series")

    def __init__(self, bounds_ms: Sequence[int], most: int = MOST_SERIES // 10) -> None:
        self._bounds_ms = tuple(bounds_ms)
        self._most = most
        self._series: dict[Labels, Distribution] = {}

    def add(self, labels: Labels, values_ms: Iterable[int]) -> None:
        """Count some values."""
        if labels not in self._series and len(self._series) >= self._most:
            labels = (OTHER,) * len(labels)
        found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = Distribution(len(self._bounds_ms))
        in_order = sorted(values_ms)
        before = 0
        for place, bound_ms in enumerate(self._bounds_ms):
            upto = bisect_right(in_order, bound_ms, before)
            found.counts[place] += upto - before
            before = upto
        found.counts[-1] += len(in_order) - before
        found.total_ms += sum(in_order)

    def cumulative(self) -> Iterator[tuple[Labels, list[tuple[str, float]], float]]:
        """Yield the labels, the cumulative buckets with their bounds, and the sum in seconds."""
        for labels, found in list(self._series.items()):
            below, buckets = 0, []
            bounds = [*(f"{bound / 1000:g}" for bound in self._bounds_ms), "+Inf"]
            for bound, count in zip(bounds, found.counts, strict=True):
                below += count
                buckets.append((bound, float(below)))
            yield labels, buckets, found.total_ms / 1000
