from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.trial.proof.bet import absolute_test
from clearbar.trial.proof.binary_bet import PassTest
from clearbar.trial.proof.calibrated import boundaries
from clearbar.trial.proof.rate_bets import RateBets, rates_of
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    import random

ERROR = Error(certify=0.05, drop=0.1)
PASSES = st.lists(st.integers(0, 1), min_size=1, max_size=30)
UNCALIBRATED = {
    (0.9, 97, 3): 2.814418,
    (0.9, 190, 10): 2.385871,
    (0.85, 60, 0): 7.537332,
    (0.9, 40, 10): -1.963162,
}


@pytest.mark.parametrize("state", UNCALIBRATED)
def test_the_wealth_is_that_of_the_reference(state: tuple[float, int, int]) -> None:
    bar, passes, failures = state
    wealth = RateBets(bar, 1 - bar).log_wealth(passes, failures)
    assert float(wealth) == pytest.approx(UNCALIBRATED[state], abs=1e-6)


@given(
    st.floats(0.02, 0.98),
    st.floats(0.1, 1),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.integers(0, 3000),
    st.integers(0, 3000),
)
@settings(max_examples=60)
def test_the_closed_form_is_the_mean_of_a_fine_grid(
    null: float, share: float, lean: float, wins: int, losses: int
) -> None:
    rates = RateBets(null, share * (1 - null), lean)
    grid = null + rates.width * (np.arange(200_000) + 0.5) / 200_000
    logs = wins * np.log(grid / null) + losses * (np.log1p(-grid) - math.log1p(-null))
    top = logs.max()
    weights = 1 - lean + lean * (1 - grid) / (1 - grid).mean()
    fine = top + math.log((weights * np.exp(logs - top)).mean())
    assert float(rates.log_wealth(wins, losses)) == pytest.approx(fine, abs=2e-3, rel=1e-5)


def test_many_states_at_once_have_the_wealth_that_each_has_alone() -> None:
    rates = RateBets(0.9, 0.1)
    wins = np.arange(500)
    together = rates.log_wealth(wins, np.full(500, 900))
    assert together[[0, 250, 499]] == pytest.approx(
        [float(rates.log_wealth(won, 900)) for won in (0, 250, 499)]
    )


@given(st.floats(0.02, 0.98), st.floats(0, 5), st.integers(1, 50))
@settings(max_examples=50)
def test_the_boundary_is_where_the_wealth_first_suffices(
    null: float, needed: float, cases: int
) -> None:
    for rates in (RateBets(null, 1 - null), RateBets(null, (1 - null) / 2)):
        least = rates.least_wins(needed, cases)
        for n, wins in enumerate(least.tolist()):
            assert wins == n + 1 or float(rates.log_wealth(wins, n - wins)) >= needed
            assert wins == 0 or float(rates.log_wealth(wins - 1, n - wins + 1)) < needed


@given(st.sampled_from([0.2, 0.5, 0.8, 0.9, 0.97]), PASSES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_passes_does_not_matter_to_the_wealth(
    bar: float, scores: list[int], chance: random.Random
) -> None:
    test, other = (absolute_test(bar, 0.05, ERROR, 30, binary=True) for _ in range(2))
    for score, another in zip(scores, chance.sample(scores, len(scores)), strict=True):
        test.add(score)
        other.add(another)
    assert (test.log_for, test.log_against) == (other.log_for, other.log_against)
    assert test.mean == other.mean


@given(st.sampled_from([0.2, 0.5, 0.8, 0.9, 0.97]), PASSES)
@settings(max_examples=40)
def test_the_test_decides_where_its_wealth_says(bar: float, scores: list[int]) -> None:
    test = absolute_test(bar, 0.05, Error(0.05, 0.1, futility=0), 30, binary=True)
    decided = test.decision()
    for score in scores:
        test.add(score)
        if decided is None and test.log_for >= test.log_for_needed:
            decided = ("clears", "evidence")
        elif decided is None and test.log_against >= test.log_against_needed:
            decided = ("fails", "evidence")
        decided = decided or test.decision()
    assert test.decision() == decided


def test_the_boundaries_only_rise() -> None:
    above, below = rates_of(0.9, 0.01)
    ends = boundaries(above, below, (0.05, 0.1), 0.05, 600)
    reachable = ends.clears_at[ends.clears_at <= np.arange(601)].tolist()
    assert all(later - sooner in {0, 1} for sooner, later in pairwise(reachable))
    assert all(later >= sooner for sooner, later in pairwise(ends.fails_at.tolist()))
    assert (ends.stops_at < ends.clears_at).all()


def test_forty_one_straight_passes_clear_a_bar_of_nine_tenths() -> None:
    test = absolute_test(0.9, 0.05, ERROR, 1000, binary=True)
    while test.decision() is None:
        test.add(1)
    assert (test.decision(), test.n) == (("clears", "evidence"), 41)


def test_the_interval_of_a_tool_that_cleared_begins_at_its_bar() -> None:
    test = absolute_test(0.9, 0.05, ERROR, 1000, binary=True)
    while test.decision() is None:
        test.add(1)
    low, high = test.interval()
    assert low == 0.9
    assert high == 1


def test_what_the_calibrated_threshold_refutes_at_the_bar_it_refutes_of_lower_rates() -> None:
    """So the interval of a tool that cleared may begin at the bar, at the same level."""
    cases = 400
    at_bar = _clears_at(0.9, cases)
    for rate in (0.895, 0.88, 0.8):
        assert (_clears_at(rate, cases) <= at_bar).all()


def _clears_at(bar: float, cases: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    above, below = rates_of(bar, 0.01)
    return boundaries(above, below, (0.05, 0.1), 0.05, cases).clears_at


def test_a_pass_is_worth_one_and_nothing_between() -> None:
    test = PassTest(0.9, 0.05, ERROR, 100)
    with pytest.raises(ValueError, match="binary"):
        test.add(0.5)
    assert test.n == 0


def test_a_bar_just_under_one_leaves_half_the_room_to_fail_in() -> None:
    _, below = rates_of(0.996, 0.01)
    assert below.null == pytest.approx(0.002)


def test_one_failure_in_many_does_not_fail_a_bar_near_one() -> None:
    test = PassTest(0.995, 0.05, ERROR, 1500)
    for score in [1] * 100 + [0] + [1] * 100:
        test.add(score)
    assert test.decision() is None
