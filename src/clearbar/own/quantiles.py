"""Quantiles of the beta and of Student's t distribution, from arithmetic alone.

In the tails that intervals use, the probability of the answer is off by less than 1e-8.
"""

from __future__ import annotations

import math
from typing import Final

_TINY: Final = 1e-300
_CLOSE: Final = 1e-15
_MAX_STEPS: Final = 10_000
_MAX_HALVINGS: Final = 1_200
"""As many as lead from 1 down to the smallest float."""


def student_t_quantile(probability: float, degrees: float) -> float:
    """Return t with P(T <= t) = `probability`, for `probability` in (0, 1) and `degrees` > 0.

    By P(|T| > t) = I_x(degrees / 2, 1/2) with x = degrees / (degrees + t^2): Abramowitz and
    Stegun, Handbook of Mathematical Functions, 26.5.27.
    """
    if probability == 1 / 2:
        return 0.0
    if probability < 1 / 2:
        return -student_t_quantile(1 - probability, degrees)
    x = beta_quantile(2 * (1 - probability), degrees / 2, 1 / 2)
    return math.sqrt(degrees * (1 - x) / x)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return x with I_x(a, b) = `probability`, by Newton's steps inside a shrinking bracket.

    It is the smallest float where the true one is smaller still.
    """
    low, high, x = 0.0, 1.0, max(a / (a + b), math.ulp(0.0))
    for _ in range(_MAX_HALVINGS):
        excess = beta_cdf(x, a, b) - probability
        low, high = (x, high) if excess < 0 else (low, x)
        density = math.exp(_log_front(x, a, b)) / (x * (1 - x))
        better = x - excess / density if density else low
        if not low < better < high:
            better = (low + high) / 2
        if abs(better - x) <= _CLOSE * x or better in (0, 1):
            break
        x = better
    return x


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return I_x(a, b), the regularised incomplete beta function, for x in [0, 1].

    By its continued fraction: NIST Digital Library of Mathematical Functions, 8.17.22.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1.0 - x, b, a)
    return math.exp(_log_front(x, a, b)) / (a * _continued_fraction(x, a, b))


def _log_front(x: float, a: float, b: float) -> float:
    """Return the logarithm of x^a (1 - x)^b / B(a, b)."""
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return a * math.log(x) + b * math.log1p(-x) - log_beta


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Return 1 + d1/(1 + d2/(1 + ...)) by Lentz's method."""
    value = c = 1.0
    d = 0.0
    for step in range(1, _MAX_STEPS):
        term = _coefficient(step, x, a, b)
        d = 1.0 / (1.0 + term * d or _TINY)
        c = 1.0 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1.0) < _CLOSE:
            break
    return value


def _coefficient(step: int, x: float, a: float, b: float) -> float:
    m = step // 2
    if step % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
