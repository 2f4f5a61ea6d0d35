"""What every sequential test of a trial shares: scores in, a decision out, valid at every look.

A test plays two bets on each case. The one for the tool wins money, in expectation, only where the
tool is above its bar; the one against it only where it is below the bar and its slack. Wealth over
1 / error rate decides (Ville's inequality), however often one looks.

Never here: randomness, the clock, anything that is not arithmetic.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, TypeAlias

from clearbar.trial.trial import Outcome, Reason, Step

if TYPE_CHECKING:
    from clearbar.trial.trial import Error

Decision: TypeAlias = tuple[Outcome, Reason]


class SequentialTest(Protocol):
    """One tool's test against its bar: scores are added in case order."""

    @property
    def n(self) -> int:
        """Cases added."""
        ...

    @property
    def mean(self) -> float | None:
        """Mean score (paired: mean difference); None without a case."""
        ...

    @property
    def log_for(self) -> float:
        """Natural logarithm of the wealth of the bet for the tool; 0 at the start."""
        ...

    @property
    def log_for_needed(self) -> float:
        """`log_for` at which the tool clears."""
        ...

    @property
    def log_against(self) -> float:
        """Natural logarithm of the wealth of the bet against the tool; 0 at the start."""
        ...

    @property
    def log_against_needed(self) -> float:
        """`log_against` at which the tool fails."""
        ...

    @property
    def level(self) -> float:
        """The probability with which `interval` holds the mean at every look together."""
        ...

    def add(self, value: float) -> None:
        """Add the score of the next case, in [0, 1]; paired: the difference, in [-1, 1]."""
        ...

    def decision(self) -> Decision | None:
        """Return the decision, which never changes once given; None to go on."""
        ...

    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the mean: it only ever shrinks."""
        ...

    def more_cases(self) -> int | None:
        """Return about how many more cases would decide at the mean so far; None if none would."""
        ...

    def step(self) -> Step:
        """Return what is known now, as a point of the evidence path."""
        ...


class BettingTest(ABC):
    """The course of a test: counts, looks, and a decision that stays.

    Raises `ValueError` for an `alpha` or a `drop` outside (0, 1), fewer than one case, or a value
    outside `span`.
    """

    span: tuple[float, float] = (0.0, 1.0)
    """The values that a case may have."""

    def __init__(self, alpha: float, error: Error, max_cases: int) -> None:
        if not (0 < alpha < 1 and 0 < error.drop < 1):
            raise ValueError("error rates must lie between 0 and 1")
        if not (0 <= error.slack < 1 and 0 <= error.futility < 1):
            raise ValueError("slack and futility must be at least 0 and less than 1")
        if max_cases < 1:
            raise ValueError("a trial needs at least one case")
        self.alpha = alpha
        self.level = max(1 - 2 * alpha, 0.0)
        self.max_cases = max_cases
        self.values: list[float] = []
        self._futility = error.futility
        self._total = 0.0
        self._decided: Decision | None = None
        self._decided_at: int | None = None

    @property
    def n(self) -> int:
        """Cases added."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean of the values; None without a case."""
        if not self.values:
            return None
        low, high = self.span
        return min(max(self._total / len(self.values), low), high)

    @property
    @abstractmethod
    def log_for(self) -> float:
        """Logarithm of the wealth of the bet for the tool."""

    @property
    @abstractmethod
    def log_for_needed(self) -> float:
        """Where it clears."""

    @property
    @abstractmethod
    def log_against(self) -> float:
        """Logarithm of the wealth of the bet against the tool."""

    @property
    @abstractmethod
    def log_against_needed(self) -> float:
        """Where it fails."""

    @abstractmethod
    def interval(self) -> tuple[float, float]:
        """Return the anytime-valid interval of the mean."""

    @abstractmethod
    def more_cases(self) -> int | None:
        """Return about how many more cases would decide."""

    @abstractmethod
    def _bet(self, value: float) -> None:
        """Settle both bets on a case."""

    @abstractmethod
    def _look(self) -> Decision | None:
        """Return what the evidence decides now."""

    def add(self, value: float) -> None:
        """Add the next case. After the decision cases still count, but no longer decide."""
        low, high = self.span
        if not low <= value <= high:
            raise ValueError(f"a value must lie in [{low:g}, {high:g}]")
        self._bet(value)
        self.values.append(value)
        self._total += value
        if self._decided is None:
            self._decided = self._look()
            self._decided_at = self.n if self._decided else None

    def decision(self) -> Decision | None:
        """Return the decision; None to go on."""
        return self._decided

    def step(self) -> Step:
        """Return what is known now; before the first case the mean is given as 0."""
        low, high = self.interval()
        mean = self.mean
        return Step(
            self.n, 0.0 if mean is None else mean, low, high, self.log_for, self.log_against
        )


def log_needed(error_rate: float) -> float:
    """Return the logarithm of the wealth that refutes at this error rate (Ville 1939)."""
    return -math.log(error_rate)


class TwoBets(BettingTest):
    """A test that carries the wealth of its two bets from case to case."""

    def __init__(self, alpha: float, error: Error, max_cases: int) -> None:
        super().__init__(alpha, error, max_cases)
        self._for_needed, self._against_needed = log_needed(alpha), log_needed(error.drop)
        self._log_for = self._log_against = 0.0

    @property
    def log_for(self) -> float:
        """Logarithm of the wealth of the bet that the mean is above the bar."""
        return self._log_for

    @property
    def log_for_needed(self) -> float:
        """Where it clears."""
        return self._for_needed

    @property
    def log_against(self) -> float:
        """Logarithm of the wealth of the bet that it is below the bar and its slack."""
        return self._log_against

    @property
    def log_against_needed(self) -> float:
        """Where it fails."""
        return self._against_needed
