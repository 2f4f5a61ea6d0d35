from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.trial.proof.paired import ScaledBets, agreement_test, bets_within, paired_test
from clearbar.trial.trial import Error

ERROR = Error(certify=0.05, drop=0.1)
MARGINS = st.floats(0.005, 0.5)
DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 0.0, 0.25, 1.0]), max_size=60)


def difference(worse: float, better: float, chance: random.Random) -> float:
    drawn = chance.random()
    return -1.0 if drawn < worse else 1.0 if drawn < worse + better else 0.0


def test_before_the_first_case_nothing_is_known() -> None:
    test = paired_test(0.03, 0.05, ERROR, 2000)
    assert (test.n, test.mean, test.decision(), test.more_cases()) == (0, None, None, None)
    assert (test.log_for, test.log_against) == (0, 0)
    assert test.interval() == (-1, 1)
    assert test.log_for_needed == pytest.approx(math.log(20))
    assert test.log_against_needed == pytest.approx(math.log(10))


def test_a_tool_as_good_as_the_incumbent_clears() -> None:
    test, chance = paired_test(0.03, 0.05, ERROR, 3000), random.Random(2)
    while test.decision() is None:
        test.add(difference(0.02, 0.02, chance))
    assert test.decision() == ("clears", "evidence")
    assert test.interval()[0] >= -0.03 - 1e-5
    assert test.log_for >= test.log_for_needed


def test_a_tool_far_worse_fails() -> None:
    error = Error(certify=0.05, drop=0.1, futility=0)
    test, chance = paired_test(0.03, 0.05, error, 3000), random.Random(2)
    while test.decision() is None:
        test.add(difference(0.3, 0.05, chance))
    assert test.decision() == ("fails", "evidence")
    assert test.mean is not None
    assert test.mean < -0.03


@pytest.mark.parametrize(("worse", "better", "most"), [(0.75, 0.06, 0), (0.45, 0.05, 0.25)])
def test_a_tool_far_worse_fails_by_evidence_and_is_not_only_unlikely_to_clear(
    worse: float, better: float, most: float
) -> None:
    chance, futile = random.Random(5), 0
    for _ in range(40):
        test = paired_test(0.03, 0.01, ERROR, 400)
        while test.decision() is None:
            place = chance.random()
            test.add(-1.0 if place < worse else float(place < worse + better))
        futile += test.decision() == ("undecided", "futile")
        assert test.n <= 75
    assert futile <= most * 40


def test_a_tool_a_little_worse_is_futile_within_few_cases() -> None:
    test, chance = paired_test(0.02, 0.05, ERROR, 300), random.Random(5)
    while test.decision() is None:
        test.add(difference(0.14, 0.10, chance))
    assert test.decision() == ("undecided", "futile")


def test_the_last_case_without_a_decision_ends_the_test() -> None:
    chance, ends = random.Random(1), set()
    for _ in range(200):
        test = paired_test(0.3, 0.05, ERROR, 20)
        while test.decision() is None:
            test.add(difference(0.05, 0.1, chance))
        ends.add((test.decision(), test.n == 20))
        assert test.n <= 20
    assert (("undecided", "cases"), True) in ends
    assert (("undecided", "cases"), False) not in ends


def test_no_difference_at_all_clears_as_fast_as_the_margin_allows() -> None:
    test = paired_test(0.05, 0.05, ERROR, 2000)
    while test.decision() is None:
        test.add(0.0)
    best = math.log(20) / -math.log(0.95)
    assert best <= test.n < 1.6 * best


def test_margin_zero_asks_for_a_better_tool() -> None:
    better, alike = (paired_test(0.0, 0.05, ERROR, 2000) for _ in range(2))
    chance = random.Random(4)
    while better.decision() is None:
        better.add(difference(0.05, 0.15, chance))
    assert better.decision() == ("clears", "evidence")
    for _ in range(400):
        alike.add(0.0)
    assert alike.decision() != ("clears", "evidence")
    assert alike.log_for == pytest.approx(0)


def test_a_margin_of_one_clears_at_the_first_cases_that_are_not_the_worst() -> None:
    test = paired_test(1.0, 0.05, ERROR, 100)
    while test.decision() is None:
        test.add(0.0)
    assert test.decision() == ("clears", "evidence")
    assert test.n <= 4


@given(MARGINS, DIFFERENCES)
@settings(max_examples=50)
def test_the_path_is_what_adding_case_by_case_gives(margin: float, values: list[float]) -> None:
    above, _ = bets_within(margin, 0.01, 0.1)
    path = above.path((1 + np.array([*values, 0.0])) / 2, (1 - margin) / 2)
    for value, log_wealth in zip([*values, 0.0], path, strict=True):
        above.add(value)
        assert above.log_wealth == pytest.approx(log_wealth, abs=1e-9)


@given(MARGINS, DIFFERENCES)
@settings(max_examples=50)
def test_a_bet_against_is_the_bet_for_the_other_side(margin: float, values: list[float]) -> None:
    test, (_, below) = paired_test(margin, 0.05, ERROR, 100), bets_within(margin, 0.01, 0.15)
    for value in values:
        test.add(value)
        below.add(-value)
    assert test.log_against == pytest.approx(below.log_wealth if values else 0, abs=1e-12)


@given(MARGINS, DIFFERENCES)
@settings(max_examples=25)
def test_an_interval_only_shrinks(margin: float, values: list[float]) -> None:
    test, low, high = paired_test(margin, 0.05, ERROR, 100), -1.0, 1.0
    for value in values:
        test.add(value)
        new_low, new_high = test.interval()
        assert low <= new_low <= new_high <= high + 1e-12
        low, high = new_low, new_high


@given(st.floats(0.01, 0.5), st.integers(1, 6), st.booleans())
@settings(max_examples=25)
def test_no_wealth_is_made_of_differences_at_the_margin(
    margin: float,
    cases: int,
    bold: bool,  # noqa: FBT001
) -> None:
    """Averaged over all sequences at the margin, wealth is exactly 1."""
    worse = margin + 0.2 * (1 - margin) / 2
    chances = {-1.0: worse, 1.0: worse - margin, 0.0: 1 - 2 * worse + margin}
    assert sum(chances.values()) == pytest.approx(1)

    def mean_wealth(values: tuple[float, ...]) -> float:
        if len(values) < cases:
            return sum(p * mean_wealth((*values, value)) for value, p in chances.items())
        bets = ScaledBets(-margin, margin, 0.1, bold=bold)
        for value in values:
            bets.add(value)
        return math.exp(bets.log_wealth)

    assert mean_wealth(()) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("margin", [0.0, 1e-9, 0.03, 0.999999, 1.0])
def test_thousands_of_equal_differences_keep_all_figures_finite(
    margin: float, value: float
) -> None:
    test = paired_test(margin, 1e-6, ERROR, 1500, prior_disagreement=0.0)
    for _ in range(1500):
        test.add(value)
    low, high = test.interval()
    assert math.isfinite(test.log_for)
    assert math.isfinite(test.log_against)
    assert -1 <= low <= value <= high <= 1
    more = test.more_cases()
    assert more is None or more >= 0


def test_what_is_known_of_other_cases_may_set_the_stakes() -> None:
    cases = {}
    for known in (0.01, None):
        test = paired_test(0.03, 0.05, ERROR, 2000, prior_disagreement=known)
        while test.decision() is None:
            test.add(0.0)
        cases[known] = test.n
    assert cases[0.01] < cases[None]


@pytest.mark.parametrize(("margin", "prior"), [(-0.01, 0.1), (1.01, 0.1), (0.1, -1), (0.1, 2)])
def test_a_margin_or_rate_out_of_range_is_refused(margin: float, prior: float) -> None:
    with pytest.raises(ValueError, match=r"margin|disagreement"):
        paired_test(margin, 0.05, ERROR, 100, prior_disagreement=prior)


@pytest.mark.parametrize("value", [-1.01, 1.01, math.nan])
def test_a_difference_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="value"):
        paired_test(0.1, 0.05, ERROR, 100).add(value)


def test_too_few_cases_to_decide_anything_are_futile_at_once() -> None:
    assert paired_test(0.0, 1e-9, ERROR, 10).decision() == ("undecided", "futile")
    assert agreement_test(0.001, 0.05, ERROR, 100).decision() == ("undecided", "futile")


def test_agreement_alone_clears_without_a_label() -> None:
    test = agreement_test(0.05, 0.025, ERROR, 2000)
    while test.decision() is None:
        test.add(1.0)
    assert test.decision() == ("clears", "evidence")
    assert test.n < 120


def test_where_disagreements_are_labelled_the_shortcut_gains_nothing() -> None:
    """With all of alpha the paired test clears ties about as fast as the shortcut with half."""
    paired, short = paired_test(0.05, 0.05, ERROR, 2000), agreement_test(0.05, 0.025, ERROR, 2000)
    for test in (paired, short):
        while test.decision() is None:
            test.add(0.0 if test is paired else 1.0)
    assert paired.n <= short.n
