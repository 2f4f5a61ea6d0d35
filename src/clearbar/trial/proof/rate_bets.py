"""The bets on passes and failures: their rates, and their wealth in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import (  # type: ignore[import-untyped]
    betaincc,
    betaln,
    roots_legendre,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

REACH: Final = 0.4
"""How far below the bar the rates lie on which the bet against a tool spreads."""
NEAREST: Final = 1e-9
"""A bar of 0 or 1 is tested as if it stood this far inside."""
LEAN: Final = 0.3
"""How far the bet for a tool leans to rates near the bar.

An even bet takes up to 1.28 times the information bound of a tool a fifth of the way from the bar
to 1, this one at most 1.24 times from a fifth to four fifths (benchmarks/trial_cases.py).
"""
_LEAST_MASS: Final = 1e-6
_NODES: Final = 200


@dataclass(frozen=True, slots=True)
class RateBets:
    """A bet on wins against the rate `null`: likelihood ratios over (null, null + width).

    `null` and `width` are positive and add up to 1 at most. The ratios are weighted evenly but for
    the share `lean`, 0 to 1, which is weighted by 1 - rate.
    """

    null: float
    width: float
    lean: float = 0.0

    @property
    def most_staked(self) -> float:
        """The share of the capital that the boldest of the bets stakes on each case."""
        return min(self.width / (1 - self.null), 1.0)

    def stakes(self, number: int) -> tuple[Floats, Floats]:
        """Return the bets as evenly spaced stakes, and the logarithms of their weights."""
        places = (np.arange(number) + 0.5) / number
        stakes = places * self.most_staked
        leaning = (1 - stakes) / float((1 - stakes).mean())
        return stakes, np.log((1 - self.lean + self.lean * leaning) / number)

    def log_wealth(self, wins: Floats | Ints | float, losses: Floats | Ints | float) -> Floats:
        """Return the log wealth after wins and losses in any order; both need not be whole.

        To weigh a rate by 1 - rate is to have seen one loss more beforehand.
        """
        even = self._even_log_wealth(wins, losses)
        if not self.lean:
            return even
        leaning = self._even_log_wealth(wins, losses + 1) - self._even_log_wealth(0.0, 1.0)
        both: Floats = np.logaddexp(even + math.log1p(-self.lean), leaning + math.log(self.lean))
        return both

    def _even_log_wealth(
        self, wins: Floats | Ints | float, losses: Floats | Ints | float
    ) -> Floats:
        """Return the log wealth of even weights, in closed form.

        Where the posterior lies almost wholly outside the rates, the closed form loses its digits
        and Gauss-Legendre quadrature takes over.
        """
        won, lost = np.broadcast_arrays(np.asarray(wins, float), np.asarray(losses, float))
        mass = betaincc(won + 1, lost + 1, self.null)
        if self.null + self.width < 1:
            mass = mass - betaincc(won + 1, lost + 1, self.null + self.width)
        inside = mass > _LEAST_MASS
        logs: Floats = np.array(
            betaln(won + 1, lost + 1)
            + np.log(np.where(inside, mass, 1.0))
            - math.log(self.width)
            - won * math.log(self.null)
            - lost * math.log1p(-self.null)
        )
        if not inside.all():
            logs[~inside] = self._by_quadrature(won[~inside], lost[~inside])
        return logs

    def _by_quadrature(self, won: Floats, lost: Floats) -> Floats:
        if won.size > _NODES:
            halves = zip(np.array_split(won, 2), np.array_split(lost, 2), strict=True)
            return np.concatenate([self._by_quadrature(*half) for half in halves])
        nodes, weights = _legendre()
        rates = self.null + self.width * nodes
        logs = np.multiply.outer(won, np.log(rates / self.null))
        logs += np.multiply.outer(lost, np.log1p(-rates) - math.log1p(-self.null))
        top = logs.max(axis=-1)
        sums: Floats = top + np.log(np.exp(logs - top[..., None]) @ weights)
        return sums

    def least_wins(self, log_needed: float, cases: int) -> Ints:
        """Return, for 0 to `cases` cases, the least wins that suffice; one more than all if none.

        Wealth rises with each win and falls with each loss. So the boundary is found by bisection
        for each number of losses, or of wins where these are the rarer.
        """
        by = self._affordable_losses if self.null > 1 / 2 else self._needed_wins
        return by(lambda wins, losses: self.log_wealth(wins, losses) >= log_needed, cases)

    def _affordable_losses(self, enough: Callable[[Ints, Ints], Bools], cases: int) -> Ints:
        most = _last(lambda lost: enough(cases - lost, lost), np.array([cases]))[0]
        losses = np.arange(most + 1)
        wins = _last(lambda won: ~enough(won, losses), cases - losses) + 1
        n = np.arange(cases + 1)
        fewer: Ints = n + 1 - np.searchsorted(losses + wins, n, side="right")
        return fewer

    def _needed_wins(self, enough: Callable[[Ints, Ints], Bools], cases: int) -> Ints:
        most = _last(lambda won: ~enough(won, cases - won), np.array([cases]))[0] + 1
        wins = np.arange(most + 1)
        losses = _last(lambda lost: enough(wins, lost), np.full(len(wins), cases))
        n = np.arange(cases + 1)
        needed: Ints = np.searchsorted(np.where(losses < 0, -1, wins + losses), n)
        return np.minimum(needed, n + 1)


def rates_of(bar: float, slack: float) -> tuple[RateBets, RateBets]:
    """Return the bet that the mean is above the bar, and the bet that it is below, mirrored.

    The second is on 1 - score. It refutes that the mean is `slack` or more above the bar; where
    there is less room than twice the slack below 1, half the room. Raises `ValueError` for a bar
    outside [0, 1].
    """
    if not 0 <= bar <= 1:
        raise ValueError("a bar must lie in [0, 1]")
    inside = min(max(bar, NEAREST), 1 - NEAREST)
    kept = min(bar + slack, (1 + inside) / 2)
    kept = max(kept, inside)
    return RateBets(inside, 1 - inside, LEAN), RateBets(1 - kept, min(REACH, kept))


def _last(holds: Callable[[Ints], Bools], most: Ints) -> Ints:
    """Return the last of 0, 1, ..., `most` at which it holds, -1 where none; it holds up to it."""
    low, high = np.full(len(most), -1), most + 1
    while (open_ := high - low > 1).any():
        middle = np.maximum((low + high) // 2, 0)
        held = holds(middle)
        low = np.where(open_ & held, middle, low)
        high = np.where(open_ & ~held, middle, high)
    return low


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    """Return nodes and weights over (0, 1); the weights add up to 1."""
    nodes, weights = roots_legendre(_NODES)
    return (nodes + 1) / 2, weights / 2
