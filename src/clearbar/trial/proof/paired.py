"""The test of "within a margin of the tool in use", by betting on paired differences.

D = score of the tool - score of the incumbent, on the same case. The null is E[D] <= -m. The stakes
follow the scatter of the differences so far: c m / v with v the mean square of D + m, for several
c at once; c = 1 is the best stake for a tool as good as the incumbent. With margin 0 this tests
that the tool is better. Where two outputs are the same, D is 0 and needs no label.

Where no disagreement can be labelled, `agreement_test` needs none: it tests that the two disagree
on less than m of the cases, from which it follows that they are within m of each other. To use
both tests, give each half of alpha. `paired_test` alone uses all of it and no shortcut; where
disagreements are labelled, that is better, because its bets gain as much from agreement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.trial.proof.binary_bet import PassTest
from clearbar.trial.proof.confidence import AnytimeInterval
from clearbar.trial.proof.futility import LOOK_EVERY, Prospect, fewest, log_sum_exp
from clearbar.trial.proof.rate_bets import NEAREST
from clearbar.trial.proof.sequential import Decision, SequentialTest, TwoBets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clearbar.trial.trial import Error

    Floats = NDArray[np.float64]

SCALES: Final = (0.3, 0.6, 0.85, 1.1, 1.5, 2.2, 3.5, 6.0)
WEIGHTS: Final = (1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.5, 0.5)
"""Of the scales; most on tools about as good as the incumbent."""
MOST_STAKED: Final = 0.98
PRIOR_CASES: Final = 40
"""How many cases the assumed scatter weighs: too few, and the first disagreement ruins a bet."""
PRIOR_DISAGREEMENT: Final = 0.15
LEAST_AIM: Final = 0.02
"""Stakes are scaled for an advantage of this much where the margin is smaller."""
BOLD: Final = (0.15, 0.3, 0.5, 0.75)
"""Stakes against a tool that is far worse: those scaled to the margin are too small for it."""
BOLD_WEIGHT: Final = 0.4
"""Of all of them together; it costs log(1 / 0.6) = 0.5 nats where the tool is a little worse."""


class ScaledBets:
    """Bets on differences D against E[D] <= `bar`, staked by their scatter so far.

    A stake u has 1 - u + u (1 + D) / (1 + bar) of a case. `bold`: also play the stakes `BOLD`.
    """

    def __init__(
        self, bar: float, aim: float, prior_disagreement: float, *, bold: bool = False
    ) -> None:
        self.bar = bar
        self._aim = aim
        self._prior = PRIOR_CASES * (prior_disagreement + aim**2)
        self._squares = 0.0
        self._n = 0
        self._scales = np.array(SCALES)
        self._bold = np.array(BOLD if bold else ())
        self._log_weights = np.log(_weights(len(self._bold)))
        self.log_capitals = self._log_weights.copy()

    def add(self, difference: float) -> None:
        """Settle a case, then learn from it."""
        self.log_capitals += self.gain(difference)
        self._n += 1
        self._squares += (difference - self.bar) ** 2

    def gain(self, difference: float | Floats) -> Floats:
        """Return what a case with this difference adds to each bet's log capital."""
        edge = (difference - self.bar) / (1 + self.bar)
        gains: Floats = np.log1p(np.multiply.outer(self._stakes(self._squares, self._n), edge))
        return gains

    def path(self, scores: Floats, bar: float) -> Floats:
        """Return the log wealth after each score (1 + D) / 2, were the stakes laid against `bar`.

        `bar` too is on the scale of scores; the stakes stay those against the bar of the test.
        """
        squares = (2 * scores - 1 - self.bar) ** 2
        before = np.concatenate(([0.0], np.cumsum(squares)[:-1]))
        stakes = self._stakes(before, np.arange(len(scores)))
        logs = np.cumsum(np.log1p(stakes * (scores / bar - 1)), axis=1)
        paths: Floats = np.logaddexp.reduce(logs + self._log_weights[:, None], axis=0)
        return paths

    def log_wealth_at(self, scores: Floats, bar: float) -> float:
        """Return the last of `path`."""
        return float(self.path(scores, bar)[-1])

    def _stakes(self, squares: float | Floats, n: float | NDArray[np.int64]) -> Floats:
        """Return u = lambda (1 + bar), where lambda = c aim / v."""
        mean_square = (self._prior + squares) / (PRIOR_CASES + n)
        best = np.asarray(self._aim * (1 + self.bar) / mean_square)
        scaled = np.minimum(np.multiply.outer(self._scales, best), MOST_STAKED)
        bold = np.multiply.outer(self._bold, np.ones_like(best))
        stakes: Floats = np.concatenate([scaled, bold])
        return stakes

    @property
    def log_wealth(self) -> float:
        """Logarithm of the average wealth."""
        return log_sum_exp(self.log_capitals)

    @property
    def most_gained(self) -> float:
        """The most that one case can add to the log wealth."""
        edge = (1 - self.bar) / (1 + self.bar)
        return float(np.log1p(MOST_STAKED * edge))

    def prospect(self, differences: Floats, needed: float) -> Prospect:
        """Return what these bets may still gain, by the differences seen."""
        values, seen = np.unique(np.append(differences, (-1.0, 1.0)), return_counts=True)
        counts = seen.astype(float)
        counts[[0, -1]] -= 1
        return Prospect(self.log_capitals, self.gain(values), values, counts, needed)


class PairedTest(TwoBets):
    """Differences anywhere in [-1, 1]."""

    span = (-1.0, 1.0)

    def __init__(
        self, margin: float, alpha: float, error: Error, max_cases: int, disagreement: float
    ) -> None:
        super().__init__(alpha, error, max_cases)
        self.margin = margin
        self._above, self._below = bets_within(margin, error.slack, disagreement)
        self._interval = AnytimeInterval(self._for_needed, self._above.log_wealth_at)
        if max_cases * self._above.most_gained < self._for_needed:
            self._decided = "undecided", "futile"

    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the mean difference."""
        scores = [(1 + value) / 2 for value in self.values]
        low, high = self._interval.of(scores, self._decided_at)
        return 2 * low - 1, 2 * high - 1

    def more_cases(self) -> int | None:
        """Return about how many more cases would decide."""
        if not self.values:
            return None
        differences = np.array(self.values)
        return fewest(
            self._above.prospect(differences, self._for_needed).cases(),
            self._below.prospect(-differences, self._against_needed).cases(),
        )

    def _bet(self, value: float) -> None:
        self._above.add(value)
        self._below.add(-value)
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
        differences = np.array(self.values)
        prospect = self._above.prospect(differences, self._for_needed)
        return prospect.probability(left) < self._futility and not self._fails_soon(differences)

    def _fails_soon(self, differences: Floats) -> bool:
        """Say whether it would fail by the next look: to know that it does is worth those cases."""
        cases = self._below.prospect(-differences, self._against_needed).cases()
        return cases is not None and cases <= LOOK_EVERY


def bets_within(margin: float, slack: float, disagreement: float) -> tuple[ScaledBets, ScaledBets]:
    """Return the bet that the mean difference is above -margin, and the bet against, mirrored.

    The second is on -D, and bolder. Raises `ValueError` for a margin or a disagreement outside
    [0, 1].
    """
    if not 0 <= margin <= 1:
        raise ValueError("a margin must lie in [0, 1]")
    if not 0 <= disagreement <= 1:
        raise ValueError("a rate of disagreement must lie in [0, 1]")
    least, aim = -min(margin, 1 - NEAREST), max(margin, LEAST_AIM)
    above = ScaledBets(least, aim, disagreement)
    return above, ScaledBets(-(least + slack), aim, disagreement, bold=True)


def _weights(bold: int) -> Floats:
    """Return the shares of the capital: of the scaled stakes, then of so many bold ones."""
    scaled = np.array(WEIGHTS) / sum(WEIGHTS)
    if not bold:
        return scaled
    return np.concatenate([(1 - BOLD_WEIGHT) * scaled, np.full(bold, BOLD_WEIGHT / bold)])


def paired_test(
    margin: float,
    alpha: float,
    error: Error,
    max_cases: int,
    *,
    prior_disagreement: float | None = None,
) -> SequentialTest:
    """Return the test of "mean difference to the incumbent above -margin" for one tool.

    `alpha`: its share of the error rate. `prior_disagreement`: how often the two differed on other
    cases, never on those of this trial. Raises `ValueError` for a margin outside [0, 1].
    """
    prior = PRIOR_DISAGREEMENT if prior_disagreement is None else prior_disagreement
    return PairedTest(margin, alpha, error, max_cases, prior)


def agreement_test(margin: float, alpha: float, error: Error, max_cases: int) -> SequentialTest:
    """Return the test of "they disagree on less than `margin` of the cases", without labels.

    Add 1 where the two outputs are the same and 0 where they are not. To clear is to be within
    the margin; to fail says only that they disagree more often than that. Raises `ValueError` for
    a margin outside [0, 1].
    """
    return PassTest(1 - margin, alpha, error, max_cases)
