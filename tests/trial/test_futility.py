from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.trial.proof.bet import Mixture
from clearbar.trial.proof.futility import Prospect, fewest, log_sum_exp, passes_probability
from clearbar.trial.proof.rate_bets import RateBets

NEEDED = math.log(20)


def prospect(scores: list[float], bar: float = 0.8) -> Prospect:
    mixture = Mixture(RateBets(bar, 1 - bar))
    for score in scores:
        mixture.add(score)
    return mixture.prospect(np.array(scores), NEEDED)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 60))
def test_the_predicted_numbers_of_failures_add_up(passes: int, failures: int, cases: int) -> None:
    chances = [
        passes_probability(passes, failures, cases, failures + more) for more in range(cases + 1)
    ]
    assert chances == pytest.approx(sorted(chances), abs=1e-12)
    assert chances[-1] == 1
    assert passes_probability(passes, failures, cases, failures - 1) == 0


def test_a_prediction_is_the_mean_over_rates_drawn_from_what_was_seen() -> None:
    chance = np.random.default_rng(7)
    rates = chance.beta(45.5, 5.5, 200_000)
    passes = chance.binomial(150, rates)
    drawn = float((150 - passes + 5 <= 15).mean())
    assert passes_probability(45, 5, 150, 15) == pytest.approx(drawn, abs=0.004)


def test_on_passes_and_failures_both_predictions_are_alike() -> None:
    scores = [1.0] * 45 + [0.0] * 5
    cases, bar = 250, 0.8
    rates = RateBets(bar, 1 - bar)
    most_failures = 300 - int(rates.least_wins(NEEDED, 300)[-1])
    exact = passes_probability(45, 5, cases, most_failures)
    assert prospect(scores).probability(cases) == pytest.approx(exact, abs=0.06)


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [([0.9, 0.95] * 20, 0.99, 1), ([0.6, 0.7] * 20, 0, 0.01), ([0.8, 0.82] * 20, 0.05, 0.999)],
)
def test_the_prediction_follows_the_scores(scores: list[float], low: float, high: float) -> None:
    assert low <= prospect(scores).probability(400) <= high


def test_no_future_suffices_where_even_the_best_does_not() -> None:
    assert prospect([0.0] * 30).probability(20) == 0


def test_enough_is_enough() -> None:
    assert prospect([1.0] * 60).cases() == 0


def test_no_number_of_cases_lets_a_bad_tool_clear() -> None:
    assert prospect([0.5] * 20).cases() is None


def test_the_number_of_cases_is_the_least_that_suffices() -> None:
    ahead = prospect([0.9, 1.0, 0.7] * 3)
    cases = ahead.cases()
    shares = ahead.counts / ahead.counts.sum()
    assert cases is not None
    assert ahead.after(cases, shares) >= NEEDED > ahead.after(cases - 1, shares)


def test_the_prediction_is_about_right_over_many_tools() -> None:
    """Of the tools given 0.3 to 0.7, between 0.2 and 0.8 come to have the wealth in the end."""
    chance = random.Random(5)
    hits, drawn = 0, 0
    while drawn < 60:
        mean = chance.uniform(0.78, 0.88)
        scores = [chance.betavariate(8 * mean, 8 * (1 - mean)) for _ in range(150)]
        if 0.3 <= prospect(scores[:50]).probability(100) <= 0.7:
            drawn += 1
            hits += log_sum_exp(prospect(scores).log_capitals) >= NEEDED
    assert 0.2 <= hits / drawn <= 0.8


def test_the_fewest_of_none_is_none() -> None:
    assert fewest(None, None) is None
    assert fewest(None, 3) == 3
