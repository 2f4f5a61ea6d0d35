"""Does a routed tool still clear its bar? Bets that it does not, for as long as it is in use.

Every graded answer has a loss in [0, 1], and the null is that the expected loss, whatever came
before, is at most `allowed`. A stake u has 1 - u + u loss / allowed of an answer, which is at most
1 in expectation. Stakes are laid for eight sizes of a fall, as nobody knows how far it will fall.

Nobody knows either when it falls. So each stake begins anew with every answer (Shiryaev and
Roberts), and the capitals of all beginnings are added: M <- (M + 1) (1 - u + u loss / allowed).
M - n is a supermartingale under the null, so that an alarm at a mean M of A comes after A answers
at least in expectation, with no assumption on how answers depend on each other: the average run
length. The other way to begin anew spends the beginnings, 1 / (j (j + 1)) on the j-th, and adds
what is not begun yet: then an alarm at 1 / alpha ever comes with a probability of alpha at most.

What stays above the bar raises no alarm: that is the point, and what sets it apart from detectors
of any change.

Never here: disk, network, clock, randomness.
"""

from __future__ import annotations

import math
from typing import Final

SIZES: Final = 8
"""How many falls are bet on."""
LEAST_FALL: Final = 0.01
GREATEST_FALL: Final = 0.4
"""Falls of a score below its bar that are bet on, on a scale of ratios."""
LEAST_STAKE: Final = 0.04
GREATEST_STAKE: Final = 0.9
"""Of differences: shares of the most that could be staked."""
DEFAULT_RUN_LENGTH: Final = 10_000
"""Graded answers between two false alarms, where nothing else is declared."""


class DriftTest:
    """The bets against one tool. Once it has alarmed, it stays so and takes nothing more in."""

    def __init__(
        self,
        allowed: float,
        stakes: tuple[float, ...],
        *,
        threshold: float,
        ever: bool = False,
    ) -> None:
        """`ever`: spend the beginnings, so that `threshold` is 1 / alpha of a false alarm ever."""
        if not 0 < allowed < 1:
            raise ValueError("the loss that is allowed lies between 0 and 1")
        if not all(0 < stake < 1 for stake in stakes):
            raise ValueError("a stake lies between 0 and 1")
        if not threshold > 1:
            raise ValueError("a threshold is above 1")
        self.allowed = allowed
        self.threshold = threshold
        self.n = 0
        """Answers taken in."""
        self.alarmed = False
        self.stakes = stakes
        """Shares of the capital that each answer risks."""
        self._ever = ever
        self._capitals = [0.0] * len(stakes)

    @property
    def statistic(self) -> float:
        """What is compared with the threshold: the mean capital of the stakes."""
        unspent = 1 / (self.n + 1) if self._ever else 0.0
        return math.fsum(self._capitals) / len(self._capitals) + unspent

    def add_loss(self, loss: float, weight: float = 1.0) -> bool:
        """Take in the loss of an answer, in [0, 1]; return whether the alarm stands.

        `weight`: of an answer that was drawn with another probability than the average one, the
        average over its own. It must not depend on the answer itself.
        """
        if not 0 <= loss <= 1:
            raise ValueError("a loss lies between 0 and 1")
        if not weight >= 0:
            raise ValueError("a weight is not negative")
        if self.alarmed:
            return True
        self.n += 1
        begun = 1 / (self.n * (self.n + 1)) if self._ever else 1.0
        edge = weight * loss / self.allowed - 1
        self._capitals = [
            (capital + begun) * (1 + stake * edge)
            for capital, stake in zip(self._capitals, self.stakes, strict=True)
        ]
        self.alarmed = self.statistic >= self.threshold
        return self.alarmed


class ScoreDrift(DriftTest):
    """Scores in [0, 1] against an absolute bar: the null is that their mean is at least `bar`."""

    def __init__(
        self, bar: float, threshold: float = DEFAULT_RUN_LENGTH, *, ever: bool = False
    ) -> None:
        super().__init__(1 - bar, _score_stakes(bar), threshold=threshold, ever=ever)

    def add(self, score: float, weight: float = 1.0) -> bool:
        """Take in a score; return whether the alarm stands."""
        return self.add_loss(1 - score, weight)


class PairedDrift(DriftTest):
    """Differences in [-1, 1] to the old tool: the null is that their mean is at least -`margin`.

    Where the two answers are the same, the difference is 0 and takes no grade.
    """

    def __init__(
        self, margin: float, threshold: float = DEFAULT_RUN_LENGTH, *, ever: bool = False
    ) -> None:
        # as a loss (1 - D) / 2: a stake u here is lambda (1 + margin) on the scale of differences
        stakes = _ratios(LEAST_STAKE, GREATEST_STAKE)
        super().__init__((1 + margin) / 2, stakes, threshold=threshold, ever=ever)

    def add(self, difference: float, weight: float = 1.0) -> bool:
        """Take in score of the routed tool - score of the old one; return whether it alarms."""
        return self.add_loss((1 - difference) / 2, weight)


def run_length(graded_a_day: float, days: float) -> float:
    """Return the threshold with one false alarm in so many days, at so many grades a day."""
    return max(graded_a_day * days, _LEAST_RUN_LENGTH)


def _score_stakes(bar: float) -> tuple[float, ...]:
    """Return the stakes that grow fastest where a score of 0 or 1 falls below the bar.

    For a rate mu it is lambda = (bar - mu) / (bar (1 - bar)), that is u = (bar - mu) / bar.
    """
    greatest = min(GREATEST_FALL, _MOST_OF_BAR * bar)
    least = min(LEAST_FALL, greatest / 2)
    return tuple(fall / bar for fall in _ratios(least, greatest))


def _ratios(least: float, greatest: float) -> tuple[float, ...]:
    """Return numbers from the least to the greatest, each the same multiple of the one before."""
    step = (greatest / least) ** (1 / (SIZES - 1))
    return tuple(least * step**place for place in range(SIZES))


_MOST_OF_BAR: Final = 0.9
_LEAST_RUN_LENGTH: Final = 100.0
