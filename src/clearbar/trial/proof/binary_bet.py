"""The test of a rate of passes against an absolute bar: exact, and faster than that of scores.

The bets are those of `bet`, in closed form, and what decides is calibrated to the most cases that
there may be (`calibrated`). Only the numbers of passes and failures matter, not their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clearbar.trial.proof.calibrated import boundaries
from clearbar.trial.proof.confidence import AnytimeInterval
from clearbar.trial.proof.futility import Prospect, fewest
from clearbar.trial.proof.rate_bets import LEAN, RateBets, rates_of
from clearbar.trial.proof.sequential import BettingTest, Decision, log_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clearbar.trial.trial import Error

    Floats = NDArray[np.float64]

_STAKES = 200


class PassTest(BettingTest):
    """Scores of 0 and 1 only."""

    def __init__(self, bar: float, alpha: float, error: Error, max_cases: int) -> None:
        super().__init__(alpha, error, max_cases)
        self.bar = bar
        self._above, self._below = rates_of(bar, error.slack)
        self._ends = boundaries(
            self._above, self._below, (alpha, error.drop), error.futility, max_cases
        )
        self._passes = 0
        self._interval = AnytimeInterval(log_needed(alpha), _log_wealth_at)
        self._decided = self._look()

    @property
    def log_for(self) -> float:
        """Logarithm of the wealth of the bet that the rate is above the bar."""
        return float(self._above.log_wealth(self._passes, self.n - self._passes))

    @property
    def log_for_needed(self) -> float:
        """Where it clears: calibrated, so less than log(1 / alpha)."""
        return self._ends.log_for_needed

    @property
    def log_against(self) -> float:
        """Logarithm of the wealth of the bet that the rate is below the bar and its slack."""
        return float(self._below.log_wealth(self.n - self._passes, self._passes))

    @property
    def log_against_needed(self) -> float:
        """Where it fails: calibrated."""
        return self._ends.log_against_needed

    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the rate.

        Once the tool has cleared, it begins at the bar at least: what is certified at the
        calibrated threshold is refuted of every lower rate as well.
        """
        low, high = self._interval.of(self.values, self._decided_at)
        if self._decided == ("clears", "evidence"):
            low = max(low, self.bar)
        return low, max(low, high)

    def more_cases(self) -> int | None:
        """Return about how many more cases would decide."""
        if not self.n:
            return None
        failures = self.n - self._passes
        return fewest(
            _prospect(self._above, self._passes, failures, self.log_for_needed).cases(),
            _prospect(self._below, failures, self._passes, self.log_against_needed).cases(),
        )

    def _bet(self, value: float) -> None:
        if value not in {0, 1}:
            raise ValueError("a binary score must be 0 or 1")
        self._passes += int(value)

    def _look(self) -> Decision | None:
        if self._passes >= self._ends.clears_at[self.n]:
            return "clears", "evidence"
        if self._passes <= self._ends.fails_at[self.n]:
            return "fails", "evidence"
        if self.n >= self.max_cases:
            return "undecided", "cases"
        if self._passes <= self._ends.futile_at[self.n]:
            return "undecided", "futile"
        return None


def _log_wealth_at(scores: Floats, bar: float) -> float:
    passes = float(scores.sum())
    return float(RateBets(bar, 1 - bar, LEAN).log_wealth(passes, len(scores) - passes))


def _prospect(rates: RateBets, wins: int, losses: int, needed: float) -> Prospect:
    stakes, log_weights = rates.stakes(_STAKES)
    gains = np.log1p(np.multiply.outer(stakes, np.array([0.0, 1.0]) / rates.null - 1))
    counts = np.array([losses, wins], dtype=float)
    return Prospect(log_weights + gains @ counts, gains, np.array([0.0, 1.0]), counts, needed)
