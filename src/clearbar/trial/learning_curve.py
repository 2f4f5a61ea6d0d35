"""How good a classifier gets with more labels: a power law through what few labels gave.

The error at n labels is taken as floor + scale * n^-power (Cortes et al. 1994), fitted by weighted
least squares over a grid of powers and floors. Beyond the largest size it is an extrapolation, so
it comes with an interval: over resampled points, and over all laws that fit them about as well.

Never here: randomness of its own, disk, the clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GATE: Final = 0.02
"""Training is worth it where the agreement predicted lies this far above what is needed."""
LEVEL: Final = 0.9
"""Of all intervals here."""
RESAMPLES: Final = 200
MIN_POINTS: Final = 3
_POWERS: Final = np.linspace(0.1, 1.0, 19)
_FLOOR_SHARES: Final = np.linspace(0.0, 1.0, 21)
"""The floor as a share of the lowest error seen."""
_ABOUT_AS_WELL: Final = 2.0
"""In chi-square, above the best."""
_MOST_LABELS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """What so many labels gave."""

    labels: int
    agreement: float
    """Mean score on cases that were not trained on."""
    low: float
    high: float
    """Wilson's interval (for means of scores in [0, 1] it is on the wide side)."""
    tested: int
    """How many cases it was measured on."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What so many labels are expected to give."""

    labels: int
    agreement: float
    low: float
    high: float


def point(labels: int, agreement: float, tested: int) -> Point:
    """Return the point with its interval (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = (agreement + z * z / (2 * tested)) / (1 + z * z / tested)
    spread = agreement * (1 - agreement) / tested + z * z / (4 * tested**2)
    margin = z * math.sqrt(spread) / (1 + z * z / tested)
    return Point(labels, agreement, middle - margin, middle + margin, tested)


@dataclass(frozen=True, slots=True)
class Curve:
    """A learning curve."""

    floor: float
    scale: float
    power: float

    def agreement(self, labels: int) -> float:
        """Return the agreement expected of so many labels."""
        return 1.0 - self.floor - self.scale * labels**-self.power

    def labels_for(self, agreement: float) -> int | None:
        """Return about how many labels give such an agreement; None where none would."""
        room = 1.0 - agreement - self.floor
        if room <= 0 or self.scale / room > _MOST_LABELS**self.power:
            return None
        return max(math.ceil((self.scale / room) ** (1 / self.power)), 1)


def fit_curve(points: Sequence[Point]) -> Curve:
    """Return the power law nearest to three points or more."""
    curves, misfits = _laws(points, _errors(points))
    return _curve(curves[int(misfits.argmin())])


def forecast(points: Sequence[Point], labels: int, rng: np.random.Generator) -> Forecast:
    """Return what is expected of so many labels, with an interval at `LEVEL`."""
    errors = _errors(points)
    expected = fit_curve(points).agreement(labels)
    found: list[float] = []
    for noise in rng.standard_normal((RESAMPLES, len(points))):
        curves, misfits = _laws(points, np.clip(errors + noise * _deviations(points), 1e-6, 1))
        likely = curves[misfits <= misfits.min() + _ABOUT_AS_WELL]
        chosen = _curve(likely[int(rng.integers(len(likely)))])
        found.append(chosen.agreement(labels))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Forecast(labels, expected, min(float(low), expected), max(float(high), expected))


def _errors(points: Sequence[Point]) -> Floats:
    return np.array([1 - each.agreement for each in points])


def _deviations(points: Sequence[Point]) -> Floats:
    """Return the standard deviation of each point; where all or none agreed, of half a case."""
    shares = [min(max(each.agreement, 0.5 / each.tested), 1 - 0.5 / each.tested) for each in points]
    tested = [each.tested for each in points]
    deviations: Floats = np.sqrt(np.multiply(shares, np.subtract(1, shares)) / tested)
    return deviations


def _laws(points: Sequence[Point], errors: Floats) -> tuple[Floats, Floats]:
    """Return all laws of the grid (floor, scale, power) and the chi-square of each."""
    if len(points) < MIN_POINTS:
        raise ValueError(f"a curve needs {MIN_POINTS} points")
    powers, floors = np.meshgrid(_POWERS, _FLOOR_SHARES * errors.min(), indexing="ij")
    powers, floors = powers.ravel(), floors.ravel()
    sizes = np.array([each.labels for each in points], float)
    weights = 1 / _deviations(points) ** 2
    shapes = sizes ** -powers[:, None]
    above = errors - floors[:, None]
    scales = (weights * shapes * above).sum(axis=1) / (weights * shapes**2).sum(axis=1)
    scales = np.maximum(scales, 0.0)
    misses = above - scales[:, None] * shapes
    laws = np.stack([floors, scales, powers], axis=1)
    return laws, (weights * misses**2).sum(axis=1)


def _curve(law: Floats) -> Curve:
    floor, scale, power = (float(each) for each in law)
    return Curve(floor, scale, power)
