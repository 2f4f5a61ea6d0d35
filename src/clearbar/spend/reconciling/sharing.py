"""How much two accounts of the same usage can have in common, at most: a greatest flow.

Each account is a list of quantities that do not overlap, such as the rows of an aggregate. A row
of one and a row of the other may tell of the same where no dimension that both know differs. What
two accounts share is taken for the most that is possible: so nothing is counted twice.
"""

from __future__ import annotations

from collections import deque
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Dimensions = tuple[str, ...]

_PLACES: Final = 24
_EXACT: Final = Context(prec=60)


def agree(one: Dimensions, other: Dimensions) -> bool:
    """Return whether no dimension that both know differs."""
    return all(a == b or not a or not b for a, b in zip(one, other, strict=True))


def in_smallest(money: Decimal) -> int:
    """Return money in its smallest unit."""
    return int(money.scaleb(_PLACES, _EXACT))


def of_smallest(amount: int) -> Decimal:
    """Return the money that so many of its smallest units are."""
    return Decimal(amount).scaleb(-_PLACES, _EXACT)


def most_shared(
    supplies: Sequence[int], demands: Sequence[int], edges: Sequence[Sequence[int]]
) -> list[int]:
    """Return how much of each demand the supplies cover; together it is the most that they can.

    `edges` are, for each supply, the numbers of the demands that it may cover.
    """
    return [sum(givers.values()) for givers in most_shared_by(supplies, demands, edges)]


def most_shared_by(
    supplies: Sequence[int], demands: Sequence[int], edges: Sequence[Sequence[int]]
) -> list[dict[int, int]]:
    """Return for each demand how much of it each supply covers."""
    return _Flow(supplies, demands, edges).run()


class _Flow:
    def __init__(
        self, supplies: Sequence[int], demands: Sequence[int], edges: Sequence[Sequence[int]]
    ) -> None:
        self._edges = edges
        self._left = list(supplies)
        self._open = list(demands)
        self._givers: list[dict[int, int]] = [{} for _ in demands]
        """For each demand: what each supply gives it."""

    def run(self) -> list[dict[int, int]]:
        for supply in sorted(range(len(self._left)), key=lambda each: len(self._edges[each])):
            for demand in self._edges[supply]:
                self._give(supply, demand, min(self._left[supply], self._open[demand]))
        while any(self._left) and any(self._open) and (path := self._path()):
            self._push(path)
        return self._givers

    def _give(self, supply: int, demand: int, amount: int) -> None:
        if amount:
            givers = self._givers[demand]
            givers[supply] = givers.get(supply, 0) + amount
            self._left[supply] -= amount
            self._open[demand] -= amount

    def _path(self) -> list[int]:
        """Return supply, demand, supply, ..., demand: each demand but the last gives back."""
        before: dict[int, tuple[int, int] | None] = {
            supply: None for supply, left in enumerate(self._left) if left
        }
        queue, seen = deque(before), set[int]()
        while queue:
            supply = queue.popleft()
            for demand in self._edges[supply]:
                if demand in seen:
                    continue
                seen.add(demand)
                if self._open[demand]:
                    return [*self._way_to(supply, before), demand]
                for giver, amount in self._givers[demand].items():
                    if amount and giver not in before:
                        before[giver] = supply, demand
                        queue.append(giver)
        return []

    def _way_to(self, supply: int, before: dict[int, tuple[int, int] | None]) -> list[int]:
        way = [supply]
        while (step := before[way[0]]) is not None:
            way = [*step, *way]
        return way

    def _push(self, path: list[int]) -> None:
        supplies, demands = path[0::2], path[1::2]
        back = [
            self._givers[demand][giver]
            for demand, giver in zip(demands, supplies[1:], strict=False)
        ]
        amount = min(self._left[supplies[0]], self._open[demands[-1]], *back)
        for demand, giver in zip(demands, supplies[1:], strict=False):
            self._givers[demand][giver] -= amount
            self._left[giver] += amount
            self._open[demand] += amount
        for supply, demand in zip(supplies, demands, strict=True):
            self._give(supply, demand, amount)
