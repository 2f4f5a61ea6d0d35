from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from clearbar.trial.proof.bet import DISTINCT, absolute_test
from clearbar.trial.proof.confidence import AnytimeInterval
from clearbar.trial.proof.rate_bets import RateBets
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERROR = Error(certify=0.05, drop=0.1, futility=0)
NEEDED = math.log(20)


def wealth(scores: NDArray[np.float64], bar: float) -> float:
    passes = float(scores.sum())
    return float(RateBets(bar, 1 - bar).log_wealth(passes, len(scores) - passes))


def test_both_ends_are_where_the_wealth_first_suffices() -> None:
    scores = np.array([1.0] * 15 + [0.0] * 5)
    low = AnytimeInterval(NEEDED, wealth)._raised(0.0, scores)
    assert wealth(scores, low) >= NEEDED > wealth(scores, low + 2e-5)
    assert AnytimeInterval(NEEDED, wealth)._raised(0.6, scores) == 0.6


def test_an_interval_mirrors_with_the_scores() -> None:
    scores = [1.0, 0.0, 1.0, 1.0] * 20
    low, high = AnytimeInterval(NEEDED, wealth).of(scores, None)
    other = AnytimeInterval(NEEDED, wealth).of([1 - score for score in scores], None)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_decision_is_one_of_the_looks() -> None:
    scores = [1.0] * 61
    before, at = (AnytimeInterval(NEEDED, wealth).of(scores, look) for look in (None, 61))
    assert at[0] > before[0]


def test_between_looks_the_interval_stays() -> None:
    interval = AnytimeInterval(NEEDED, wealth)
    first = interval.of([1.0] * 100, None)
    assert interval.of([1.0] * 101, None) == first
    assert interval.of([1.0] * 120, None)[0] > first[0]


def test_very_many_values_are_rounded_to_the_safe_side() -> None:
    chance = np.random.default_rng(1)
    scores = chance.beta(8, 2, DISTINCT + 200)
    fine = absolute_test(0.5, 0.05, ERROR, 5000, binary=False)
    coarse = absolute_test(0.5, 0.05, ERROR, 5000, binary=False)
    for score in scores.tolist():
        fine.add(score)
        coarse.add(round(score, 2))
    assert fine.interval() == pytest.approx(coarse.interval(), abs=0.003)
    assert fine.interval()[0] < 0.8 < fine.interval()[1]


def test_a_higher_mean_raises_both_ends() -> None:
    ends = []
    for passes in (60, 80, 95):
        test = absolute_test(0.5, 0.05, ERROR, 1000, binary=True)
        for i in range(100):
            test.add(float((i * 37) % 100 < passes))
        ends.append(test.interval())
    lows, highs = zip(*ends, strict=True)
    assert sorted(lows) == list(lows)
    assert sorted(highs) == list(highs)
