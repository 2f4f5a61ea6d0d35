"""The test of a mean score against an absolute bar, by betting.

Many constant stakes are played at once and their wealth is averaged; the average of bets is a
bet, so nothing has to be tuned to a tool that nobody knows yet. The stakes on the tool spread
over all that are possible, which for scores of 0 and 1 is a mixture of likelihood ratios over all
rates above the bar (`rates`); those against it over rates up to 0.4 below.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.trial.proof.binary_bet import PassTest
from clearbar.trial.proof.confidence import AnytimeInterval
from clearbar.trial.proof.futility import LOOK_EVERY, Prospect, fewest, log_sum_exp
from clearbar.trial.proof.rate_bets import LEAN, RateBets, rates_of
from clearbar.trial.proof.sequential import Decision, SequentialTest, TwoBets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clearbar.trial.trial import Error

    Floats = NDArray[np.float64]

BETS: Final = 200
DISTINCT: Final = 1024
"""Of more values than this, intervals round down to so many steps."""


class Mixture:
    """Bets with constant stakes on scores in [0, 1]; a stake u has 1 - u + u x / b of a case."""

    def __init__(self, rates: RateBets) -> None:
        self.bar = rates.null
        self.stakes, log_weights = rates.stakes(BETS)
        self.log_capitals = log_weights.copy()

    def add(self, score: float) -> None:
        """Settle a case."""
        self.log_capitals += self.gain(score)

    def gain(self, score: float | Floats) -> Floats:
        """Return what a case with this score adds to each bet's log capital."""
        gains: Floats = np.log1p(np.multiply.outer(self.stakes, score / self.bar - 1))
        return gains

    @property
    def log_wealth(self) -> float:
        """Logarithm of the average wealth."""
        return log_sum_exp(self.log_capitals)

    @property
    def most_gained(self) -> float:
        """The most that one case can add to the log wealth."""
        return math.log1p(float(self.stakes[-1]) * (1 / self.bar - 1))

    def prospect(self, scores: Floats, needed: float) -> Prospect:
        """Return what these bets may still gain, by the scores seen."""
        values, seen = np.unique(np.append(scores, (0.0, 1.0)), return_counts=True)
        counts = seen.astype(float)
        counts[[0, -1]] -= 1
        return Prospect(self.log_capitals, self.gain(values), values, counts, needed)


class ScoreTest(TwoBets):
    """Scores anywhere in [0, 1]."""

    def __init__(self, bar: float, alpha: float, error: Error, max_cases: int) -> None:
        super().__init__(alpha, error, max_cases)
        self.bar = bar
        above, below = rates_of(bar, error.slack)
        self._above, self._below = Mixture(above), Mixture(below)
        self._interval = AnytimeInterval(self._for_needed, _log_wealth_at)
        best = self._above.log_capitals + max_cases * self._above.gain(1.0)
        if log_sum_exp(best) < self._for_needed:
            self._decided = "undecided", "futile"

    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the mean score."""
        low, high = self._interval.of(self.values, self._decided_at)
        if self._decided == ("clears", "evidence"):
            low = max(low, self.bar)
        return low, max(low, high)

    def more_cases(self) -> int | None:
        """Return about how many more cases would decide."""
        if not self.values:
            return None
        scores = np.array(self.values)
        return fewest(
            self._above.prospect(scores, self._for_needed).cases(),
            self._below.prospect(1 - scores, self._against_needed).cases(),
        )

    def _bet(self, value: float) -> None:
        self._above.add(value)
        self._below.add(1 - value)
        self._log_for, self._log_against = self._above.log_wealth, self._below.log_wealth

    def _look(self) -> Decision | None:
        if self._log_for >= self._for_needed:
            return "clears", "evidence"
        if self._log_against >= self._against_needed:
            return "fails", "evidence"
        if self.n >= self.max_cases:
            return "undecided", "cases"
        return ("undecided", "futile") if self._hopeless() else None

    def _hopeless(self) -> bool:
        left = self.max_cases - self.n
        if self._log_for + left * self._above.most_gained < self._for_needed:
            return True
        if self.n % LOOK_EVERY:
            return False
        prospect = self._above.prospect(np.array(self.values), self._for_needed)
        return prospect.probability(left) < self._futility


def absolute_test(
    bar: float, alpha: float, error: Error, max_cases: int, *, binary: bool
) -> SequentialTest:
    """Return the test of "mean score above the bar" for one tool.

    `alpha`: its share of the error rate. `binary`: all scores are 0 or 1, which needs fewer cases.
    A bar of 0 is cleared by the first score above 0. A bar of 1 can never be certified, by any
    number of cases, and is futile before the first. Raises `ValueError` for a bar outside [0, 1].
    """
    test = PassTest if binary else ScoreTest
    return test(bar, alpha, error, max_cases)


def _log_wealth_at(scores: Floats, bar: float) -> float:
    """Return the log wealth at another bar; of very many values a little less than it is."""
    mixture = Mixture(RateBets(bar, 1 - bar, LEAN))
    values, counts = np.unique(scores, return_counts=True)
    if len(values) > DISTINCT:
        values, counts = np.unique(np.floor(scores * DISTINCT) / DISTINCT, return_counts=True)
    return log_sum_exp(mixture.log_capitals + mixture.gain(values) @ counts)
