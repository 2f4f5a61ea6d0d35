"""A judge's verdicts, corrected by people's labels on some of them (one-sided active labelling).

People label every answer that the judge flags, and a share pi of those it passes, chosen by chance
that knows nothing of the answer. With H the label in [0, 1]:

    Z = H                 flagged
    Z = 1                 passed, not chosen
    Z = 1 - (1 - H) / pi  passed, chosen

has the mean of H, whatever the judge's faults, so a bet on Z is a bet on what people would say of
all answers. Z reaches below zero. What is added to a test is Z' = 1 - pi (1 - Z), which lies in
[0, 1] and has to clear b' = 1 - pi (1 - b): the same bets, and the test for absolute bars as it is.

Measured where 95% of answers are good, at a bar of 0.90 and an error rate of 0.05: 209 labels
without a judge; 155 with one that passes 95% of the good answers and flags 80% of the bad (pi 0.4);
138 at 97% and 90% (pi 0.35); 130 at 99% and 95% (pi 0.25). It pays only where judge and people
mostly agree: see `advice`.

Of a relative bar the difference of two Z' is pi times that of the labels, in the mean, and lies in
[-1, 1]: it has to clear -pi m. Where the two answers are the same it is 0, whatever Z' would be, so
the judge and people look only where they differ.

Never here: disk, network, clock, randomness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.trial.proof.bet import absolute_test
from clearbar.trial.proof.paired import PRIOR_DISAGREEMENT, paired_test
from clearbar.trial.trial import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.own.workflow import Bar
    from clearbar.trial.proof.sequential import Decision, SequentialTest
    from clearbar.trial.trial import Error

FIRST_LABELS: Final = 50
"""So many labels tell whether the judge is worth its price."""
LEAST_RHO2: Final = 0.4
"""Below this squared correlation of verdict and label, labels alone take fewer labels."""
JUDGE_IS_THE_TRUTH: Final = (
    "the judge's verdict is taken as the truth: the error rate is about the judge, not about people"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """How scores and bar change where a share of the passed answers is labelled."""

    share: float
    """pi, in (0, 1]."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError("the share of passed answers to label must lie above 0, up to 1")

    def score(self, label: float | None, *, passed: bool) -> float:
        """Return Z', in [0, 1]. `label` is None where none is asked for, which only a pass can be.

        Raises:
            ValueError: when a flagged answer has no label, or a label is no score.
        """
        if label is None:
            if not passed:
                raise ValueError("a flagged answer needs a label")
            return 1.0
        if not 0 <= label <= 1:
            raise ValueError("a label must lie in [0, 1]")
        return label if passed else 1 - self.share * (1 - label)

    def bar(self, bar: float) -> float:
        """Return the bar b' that Z' has to clear."""
        return 1 - self.share * (1 - bar)

    def bar_of(self, bar: Bar) -> Bar:
        """Return the bar, absolute or relative, on the scale of Z'."""
        if bar.within is not None:
            return replace(bar, within=self.share * bar.within)
        return replace(bar, at_least=self.bar(bar.at_least or 0.0))

    def disagreement(self, prior: float | None) -> float:
        """Return how often answers differ, for stakes on differences that are pi as large.

        Stakes follow the mean square of the differences, so that the rate shrinks by pi squared.
        """
        return self.share**2 * (PRIOR_DISAGREEMENT if prior is None else prior)

    def error(self, error: Error) -> Error:
        """Return the error rates with the slack on the scale of Z'."""
        return replace(error, slack=self.share * error.slack)

    def plain(self, value: float) -> float:
        """Return a mean of Z' as a mean of labels; by chance it may fall below 0."""
        return 1 - (1 - value) / self.share

    def plain_difference(self, value: float) -> float:
        """Return a mean difference of Z' as one of labels; by chance it may pass -1 or 1."""
        return value / self.share


class JudgedTest:
    """The sequential test of people's opinion against a bar, through a judge.

    Figures (mean, interval, steps) are on the scale of labels. `add` takes Z'; of a relative bar
    the difference of two.
    """

    def __init__(
        self,
        bar: Bar,
        alpha: float,
        error: Error,
        max_cases: int,
        share: float,
        prior_disagreement: float | None = None,
    ) -> None:
        self.correction = Correction(share)
        moved, rates = self.correction.bar_of(bar), self.correction.error(error)
        self._test: SequentialTest
        if moved.within is None:
            self._plain, self._least = self.correction.plain, 0.0
            self._test = absolute_test(moved.at_least or 0.0, alpha, rates, max_cases, binary=False)
        else:
            self._plain, self._least = self.correction.plain_difference, -1.0
            prior = self.correction.disagreement(prior_disagreement)
            self._test = paired_test(
                moved.within, alpha, rates, max_cases, prior_disagreement=prior
            )

    def add_judged(self, label: float | None, *, passed: bool) -> None:
        """Add the next case: the judge's verdict, and the label where one was asked for."""
        self.add(self.correction.score(label, passed=passed))

    def add(self, value: float) -> None:
        """Add the next case's Z', or difference of two."""
        self._test.add(value)

    def decision(self) -> Decision | None:
        """Return the decision; None to go on."""
        return self._test.decision()

    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the mean label, or difference of labels."""
        low, high = (min(max(self._plain(end), self._least), 1.0) for end in self._test.interval())
        return low, high

    def more_cases(self) -> int | None:
        """Return about how many more cases would decide."""
        return self._test.more_cases()

    def step(self) -> Step:
        """Return what is known now."""
        low, high = self.interval()
        mean = self.mean
        return Step(
            self.n, 0.0 if mean is None else mean, low, high, self.log_for, self.log_against
        )

    @property
    def n(self) -> int:
        """Cases added."""
        return self._test.n

    @property
    def mean(self) -> float | None:
        """Estimate of the mean label, or difference of labels; None without a case."""
        mean = self._test.mean
        return None if mean is None else self._plain(mean)

    @property
    def log_for(self) -> float:
        """Logarithm of the wealth of the bet that the mean is above the bar."""
        return self._test.log_for

    @property
    def log_for_needed(self) -> float:
        """Where it clears."""
        return self._test.log_for_needed

    @property
    def log_against(self) -> float:
        """Logarithm of the wealth of the bet against."""
        return self._test.log_against

    @property
    def log_against_needed(self) -> float:
        """Where it fails."""
        return self._test.log_against_needed

    @property
    def level(self) -> float:
        """The probability with which the interval holds the mean."""
        return self._test.level


class Judged(NamedTuple):
    """An answer with a verdict and a label."""

    passed: bool
    label: float


class Advice(NamedTuple):
    """Whether the judge is worth its price."""

    labels: int
    rho2: float | None
    """Squared correlation of verdict and label; None where either is always the same."""
    use: bool | None
    """None: not enough is known yet."""

    def __str__(self) -> str:
        if self.use is None:
            return f"{self.labels} labels do not tell yet whether the judge is worth its price"
        agree = f"judge and people correlate with rho squared {self.rho2:.2f}"
        if self.use:
            return f"{agree}: the judge saves labels"
        return f"{agree}, below {LEAST_RHO2}: labels alone, or a relative bar, take fewer labels"


def advice(judged: Sequence[Judged], share: float) -> Advice:
    """Return whether the judge saves labels, by those that there are.

    A passed answer stands for 1 / share of its kind. No control variate saves more than the factor
    1 / (1 - rho squared).
    """
    rho2 = _rho2(judged, share)
    known = len(judged) >= FIRST_LABELS and rho2 is not None
    return Advice(len(judged), rho2, rho2 >= LEAST_RHO2 if known and rho2 is not None else None)


def _rho2(judged: Sequence[Judged], share: float) -> float | None:
    weights = [1 / share if each.passed else 1.0 for each in judged]
    whole = math.fsum(weights)
    if not whole:
        return None

    def mean(values: Sequence[float]) -> float:
        return math.fsum(w * x for w, x in zip(weights, values, strict=True)) / whole

    verdicts, labels = [float(each.passed) for each in judged], [each.label for each in judged]
    verdict, label = mean(verdicts), mean(labels)
    spread = mean([(x - verdict) ** 2 for x in verdicts]) * mean([(y - label) ** 2 for y in labels])
    both = mean([(x - verdict) * (y - label) for x, y in zip(verdicts, labels, strict=True)])
    return both**2 / spread if spread > 0 else None
