"""When a test of passes and failures decides: exact boundaries and exact probabilities.

Ville's inequality holds for any scores and any number of cases. Where scores are 0 and 1 and the
number of cases is limited, wealth of 1 / alpha is more than is needed. The threshold here is the
least at which a tool exactly at its bar is certified with probability alpha, all looks taken
together, and when nothing else stops the test. A tool below its bar, also one that drifts but
never rises above it, is certified more rarely: its passes can be coupled below those of the tool
at the bar, and what is refuted by some passes is refuted by more. For the bet against a tool the
same holds with failures for passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.trial.proof.futility import LOOK_EVERY, passes_probability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clearbar.trial.proof.rate_bets import RateBets

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_CASES: Final = 20_000
"""Beyond so many cases the threshold is left at 1 / alpha, which is sound."""
_CLOSE: Final = 1e-3
_TRIM_EVERY: Final = 64
_NO_MASS: Final = 1e-22


@dataclass(frozen=True, slots=True)
class Walk:
    """How a test of passes and failures ends, exactly, at one true rate of passes."""

    clears: float
    """Probability that it ends at the upper boundary."""
    fails: float
    """Probability that it ends at the lower one."""
    cases: float
    """Expected number of cases."""


def walk(rate: float, clears_at: Ints, stops_at: Ints | None = None) -> Walk:
    """Return how a test ends that clears at `clears_at[n]` passes, or stops at `stops_at[n]`.

    Both are over n = 0, 1, ..., the most cases; out of reach is n + 1 above and -1 below.
    """
    alive, base = np.ones(1), 0
    clears = fails = cases = 0.0
    kernel = np.array([1 - rate, rate])
    lowest = [-1] * len(clears_at) if stops_at is None else stops_at.tolist()
    for n, upper in enumerate(clears_at.tolist()):
        if n:
            cases += float(alive.sum())
            alive = np.convolve(alive, kernel)
        if upper < base + len(alive):
            clears += float(alive[max(upper - base, 0) :].sum())
            alive = alive[: max(upper - base, 0)]
        if lowest[n] >= base:
            fails += float(alive[: lowest[n] + 1 - base].sum())
            alive, base = alive[lowest[n] + 1 - base :], lowest[n] + 1
        if n % _TRIM_EVERY == 0 and alive.size:
            kept = int(np.argmax(alive > _NO_MASS))
            alive, base = alive[kept:], base + kept
        if not alive.size:
            break
    return Walk(clears, fails, cases)


@lru_cache(maxsize=1024)
def log_threshold(rates: RateBets, error_rate: float, cases: int) -> float:
    """Return the least log wealth that refutes the null at this error rate within so many cases.

    Never above log(1 / error_rate), to which it falls back beyond `MOST_CASES`. It errs on the
    safe side, by a thousandth up to 1,000 cases, then in proportion. The probability of crossing
    falls about as 1 / wealth, so that its logarithm says where to look next; where that does not
    halve the rest, bisection does.
    """
    safe, unsafe = -math.log(error_rate), 0.0
    if cases > MOST_CASES:
        return safe
    guess, close = safe, max(_CLOSE, _CLOSE * cases / 1000)
    while True:
        before = safe - unsafe
        excess = _log_excess(rates, guess, error_rate, cases)
        safe, unsafe = (guess, unsafe) if excess <= 0 else (safe, guess)
        if safe - unsafe <= close:
            return safe
        guess += excess + math.copysign(close / 3, excess)
        if not unsafe < guess < safe or 0 < before / 2 < safe - unsafe < before:
            guess = (safe + unsafe) / 2


def _log_excess(rates: RateBets, log_needed: float, error_rate: float, cases: int) -> float:
    """Return the logarithm of the probability of crossing at the null over the error rate."""
    crossing = walk(rates.null, rates.least_wins(log_needed, cases)).clears
    return math.log(crossing / error_rate) if crossing else -math.inf


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The whole test of one bar, as numbers of passes over n = 0, 1, ..., the most cases."""

    log_for_needed: float
    log_against_needed: float
    clears_at: Ints
    """It clears from so many passes on; n + 1 is out of reach."""
    fails_at: Ints
    """It fails up to so many passes; -1 is out of reach."""
    futile_at: Ints
    """It is futile up to so many passes; -1 is out of reach."""

    @property
    def stops_at(self) -> Ints:
        """Up to so many passes it ends without clearing."""
        return np.maximum(self.fails_at, self.futile_at)


@lru_cache(maxsize=256)
def boundaries(
    above: RateBets,
    below: RateBets,
    error_rates: tuple[float, float],
    futility: float,
    cases: int,
    *,
    calibrated: bool = True,
) -> Boundaries:
    """Return the boundaries of the bets `above` (on passes) and `below` (on failures).

    `error_rates`: of clearing wrongly, and of failing wrongly. Not `calibrated`: at 1 / rate.
    """
    certify, drop = error_rates
    log_for, log_against = -math.log(certify), -math.log(drop)
    if calibrated:
        log_for = log_threshold(above, certify, cases)
        log_against = log_threshold(below, drop, cases)
    clears_at = above.least_wins(log_for, cases)
    fails_at = np.arange(cases + 1) - below.least_wins(log_against, cases)
    most_failures = cases - int(clears_at[-1])
    return Boundaries(
        log_for, log_against, clears_at, fails_at, _futile_at(most_failures, futility, cases)
    )


def _futile_at(most_failures: int, futility: float, cases: int) -> Ints:
    """Return where more failures have come than the last case may have, or are predicted to."""
    futile: Ints = np.maximum(np.arange(cases + 1) - most_failures - 1, -1)

    def hopeless(passes: int, n: int) -> bool:
        return passes_probability(passes, n - passes, cases - n, most_failures) < futility

    passes = -1
    for n in range(LOOK_EVERY, cases, LOOK_EVERY):
        # The boundary moves little from look to look, so it is walked to from the last one.
        passes += LOOK_EVERY if most_failures < cases / 2 else 0
        while passes >= 0 and not hopeless(passes, n):
            passes -= 1
        while passes < n and hopeless(passes + 1, n):
            passes += 1
        futile[n] = max(futile[n], passes)
    return futile
