"""How often answers of some confidence are right: a rising line through held-out answers.

Isotonic regression by pooling adjacent violators, centred: each pool stands at its mean score and
lines join the pools (Oron and Flournoy 2017), so that unequal scores nearly always stay unequal.
Each pool's share is that of its answers and of two made-up ones, one right and one wrong by halves
(Jeffreys), so that a few right answers in a row are not certainty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.tools.classifier import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 10


def calibrate(scores: Floats, right: Floats) -> Calibration:
    """Return the calibration that held-out answers give.

    `scores`: raw, in [0, 1]; `right`: 1 where the answer was right, else 0. At least one answer.
    """
    order = np.argsort(scores, kind="stable")
    pools: list[tuple[float, float, float]] = []  # sum of scores, right answers, answers
    for score, count, hits in _distinct(scores[order], right[order]):
        pools.append((score * count, hits, count))
        while len(pools) > 1 and _share(pools[-2]) >= _share(pools[-1]):
            above = pools.pop()
            below = pools.pop()
            pools.append((below[0] + above[0], below[1] + above[1], below[2] + above[2]))
    knots = [(total / count, (hits + 0.5) / (count + 1)) for total, hits, count in pools]
    shares = np.maximum.accumulate([share for _, share in knots])
    return Calibration(tuple(score for score, _ in knots), tuple(shares.tolist()))


def _share(pool: tuple[float, float, float]) -> float:
    return pool[1] / pool[2]


def _distinct(scores: Floats, right: Floats) -> list[tuple[float, float, float]]:
    """Return each score, ascending, with the number of its answers and of the right ones."""
    values, which = np.unique(scores, return_inverse=True)
    counts, hits = np.bincount(which), np.bincount(which, weights=right)
    return [
        (float(value), float(count), float(hit))
        for value, count, hit in zip(values, counts, hits, strict=True)
    ]


def calibration_error(scores: Floats, right: Floats, rng: np.random.Generator) -> float:
    """Return how far confidence and share of right answers lie apart, on average.

    Expected calibration error over ten bins of equal size. Each half of the answers is judged by
    the calibration of the other half.
    """
    order = rng.permutation(len(scores))
    confidences = np.empty(len(scores))
    for half, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        calibration = calibrate(scores[other], right[other])
        confidences[half] = [calibration.confidence(float(score)) for score in scores[half]]
    bins = np.array_split(np.argsort(confidences, kind="stable"), BINS)
    gaps = [
        abs(float(confidences[each].mean() - right[each].mean())) * len(each)
        for each in bins
        if len(each)
    ]
    return sum(gaps) / len(scores)
