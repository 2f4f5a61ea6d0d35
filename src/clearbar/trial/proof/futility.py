"""Is it worth going on? Predictions of a sequential test from what it has seen.

None of these touch the error rate of certifying: they only ever stop a test earlier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOOK_EVERY: Final = 25
"""Cases between two looks at the predictive probability."""
_MOST_CASES: Final = 10_000_000
_TILT_STEPS: Final = 40


def log_sum_exp(logs: Floats) -> float:
    """Return log(sum(exp(logs))) without overflow."""
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum()))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a mixture of bets has, and what it gains by each value that a case may have."""

    log_capitals: Floats
    """Per bet, its weight included."""
    gains: Floats
    """Bets x values: what a case with the value adds to the bet's log capital."""
    values: Floats
    counts: Floats
    """How often each value was seen; need not be whole."""
    needed: float
    """Log wealth that decides."""

    def after(self, cases: float, shares: Floats) -> float:
        """Return the log wealth after more cases with these shares of the values."""
        return log_sum_exp(self.log_capitals + cases * (self.gains @ shares))

    def cases(self) -> int | None:
        """Return how many cases with the shares seen so far decide; None where none do.

        Log wealth is convex in their number, so it crosses what is needed at most once.
        """
        shares = self.counts / self.counts.sum()
        if self.after(0, shares) >= self.needed:
            return 0
        if self.after(_MOST_CASES, shares) < self.needed:
            return None
        few, enough = 0, _MOST_CASES
        while enough - few > 1:
            middle = (few + enough) // 2
            decides = self.after(middle, shares) >= self.needed
            few, enough = (few, middle) if decides else (middle, enough)
        return enough

    def probability(self, cases: int) -> float:
        """Return about the probability that `cases` more cases suffice.

        The mean that they need is that of the least exponential tilt of what was seen with which
        they suffice; their mean is predicted as normal. One case at each end of the scale is
        taken as seen beforehand, half of it each: no scatter is not certainty.
        """
        prior = np.zeros_like(self.counts)
        prior[[int(self.values.argmin()), int(self.values.argmax())]] = 0.5
        seen = self.counts + prior
        total = float(seen.sum())
        mean = float(seen @ self.values) / total
        scatter = float(seen @ (self.values - mean) ** 2) / total
        needed = self._mean_needed(cases, seen)
        if needed is None:
            return 0.0
        spread = math.sqrt(scatter * (1 / cases + 1 / total))
        return NormalDist().cdf((mean - needed) / spread)

    def _mean_needed(self, cases: int, seen: Floats) -> float | None:
        """Return the mean at which `cases` more suffice; None where the best values do not."""
        low, high = -1.0, 1.0
        scale = 60 / float(self.values.max() - self.values.min())
        if self.after(cases, _tilted(seen, self.values, scale)) < self.needed:
            return None
        for _ in range(_TILT_STEPS):
            middle = (low + high) / 2
            enough = self.after(cases, _tilted(seen, self.values, scale * middle)) >= self.needed
            low, high = (low, middle) if enough else (middle, high)
        return float(_tilted(seen, self.values, scale * high) @ self.values)


def _tilted(counts: Floats, values: Floats, tilt: float) -> Floats:
    exponents = tilt * values
    weights = counts * np.exp(exponents - exponents.max())
    shares: Floats = weights / weights.sum()
    return shares


def fewest(*numbers: int | None) -> int | None:
    """Return the least of the numbers that there are."""
    return min((number for number in numbers if number is not None), default=None)


def passes_probability(passes: int, failures: int, cases: int, most_failures: int) -> float:
    """Return the predictive probability that no more than `most_failures` fail in the end.

    Beta-binomial with Jeffreys' prior, over `cases` more cases.
    """
    left = most_failures - failures
    if left < 0:
        return 0.0
    if left >= cases:
        return 1.0
    a, b = failures + 0.5, passes + 0.5
    none = _log_beta(a, b + cases) - _log_beta(a, b)
    more = np.arange(left, dtype=float)
    ratios = (cases - more) * (more + a) / ((more + 1) * (cases - more - 1 + b))
    return min(math.exp(log_sum_exp(none + np.append(0.0, np.cumsum(np.log(ratios))))), 1.0)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
