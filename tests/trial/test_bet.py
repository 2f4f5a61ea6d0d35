from __future__ import annotations

import math
import random
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.trial.proof.bet import Mixture, absolute_test
from clearbar.trial.proof.rate_bets import RateBets
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from clearbar.trial.proof.sequential import SequentialTest

ERROR = Error(certify=0.05, drop=0.1)
BARS = st.floats(0.02, 0.98)
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=60)
GRADES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=80)


def on_scores(bar: float, cases: int = 2000, alpha: float = 0.05) -> SequentialTest:
    return absolute_test(bar, alpha, ERROR, cases, binary=False)


def after(test: SequentialTest, scores: list[float]) -> SequentialTest:
    for score in scores:
        test.add(score)
    return test


@pytest.mark.parametrize("binary", [False, True])
def test_before_the_first_case_nothing_is_known(*, binary: bool) -> None:
    test = absolute_test(0.9, 0.05, ERROR, 200, binary=binary)
    assert (test.n, test.mean, test.decision()) == (0, None, None)
    assert test.log_for == pytest.approx(0, abs=1e-12)
    assert test.log_against == pytest.approx(0, abs=1e-12)
    assert test.interval() == (0, 1)
    assert test.more_cases() is None


def test_a_step_is_the_state_of_the_test() -> None:
    test = after(on_scores(0.5), [1.0, 0.5])
    step = test.step()
    assert (step.n, step.mean) == (2, 0.75)
    assert (step.low, step.high) == test.interval()
    assert (step.log_for, step.log_against) == (test.log_for, test.log_against)
    assert test.level == 0.9


@pytest.mark.parametrize(
    ("bar", "passes", "failures", "log_wealth"),
    [(0.9, 97, 3, 2.814418), (0.9, 190, 10, 2.385871), (0.85, 60, 0, 7.537332)],
)
def test_even_stakes_have_the_wealth_of_the_reference(
    bar: float, passes: int, failures: int, log_wealth: float
) -> None:
    mixture = Mixture(RateBets(bar, 1 - bar))
    for score in [1.0] * passes + [0.0] * failures:
        mixture.add(score)
    assert mixture.log_wealth == pytest.approx(log_wealth, abs=2e-3)


@settings(max_examples=40)
@given(st.sampled_from([0.1, 0.5, 0.8, 0.9]), st.lists(st.integers(0, 1), min_size=1, max_size=60))
def test_on_passes_and_failures_the_closed_form_is_the_mixture_of_stakes(
    bar: float, scores: list[int]
) -> None:
    binary = after(absolute_test(bar, 0.05, ERROR, 60, binary=True), [float(x) for x in scores])
    stakes = after(on_scores(bar), [float(x) for x in scores])
    assert stakes.log_for == pytest.approx(binary.log_for, abs=0.02)
    assert stakes.log_against == pytest.approx(binary.log_against, abs=0.02)


@given(st.floats(0.1, 1), st.floats(0.02, 0.98), SCORES)
def test_only_the_ratio_of_score_and_bar_counts_for_the_tool(
    scale: float, bar: float, scores: list[float]
) -> None:
    small = after(on_scores(bar * scale), [x * scale for x in scores])
    assert after(on_scores(bar), scores).log_for == pytest.approx(small.log_for, abs=1e-6)


@given(BARS, SCORES, st.randoms(use_true_random=False))
def test_the_order_of_the_scores_does_not_matter_to_the_wealth(
    bar: float, scores: list[float], chance: random.Random
) -> None:
    shuffled = chance.sample(scores, len(scores))
    test, other = after(on_scores(bar), scores), after(on_scores(bar), shuffled)
    assert test.log_for == pytest.approx(other.log_for, abs=1e-9)
    assert test.log_against == pytest.approx(other.log_against, abs=1e-9)


@given(BARS, GRADES)
def test_what_speaks_for_a_tool_speaks_against_it_less_at_a_higher_score(
    bar: float, scores: list[float]
) -> None:
    better = [min(score + 0.1, 1) for score in scores]
    low, high = after(on_scores(bar), scores), after(on_scores(bar), better)
    assert high.log_for >= low.log_for
    assert high.log_against <= low.log_against


@settings(max_examples=25)
@given(BARS, GRADES)
def test_an_interval_only_shrinks(bar: float, scores: list[float]) -> None:
    test, low, high = on_scores(bar), 0.0, 1.0
    for score in scores:
        test.add(score)
        new_low, new_high = test.interval()
        assert low <= new_low <= new_high <= high + 1e-12
        low, high = new_low, new_high


@settings(max_examples=25)
@given(BARS, GRADES)
def test_the_interval_does_not_depend_on_when_one_looks(bar: float, scores: list[float]) -> None:
    often, once = on_scores(bar), after(on_scores(bar), scores)
    for score in scores:
        often.add(score)
        often.interval()
    low, high = once.interval()
    assert often.interval()[0] >= low - 1e-12
    assert often.interval() == (low, high)


def test_an_interval_holds_the_mean_of_scores_that_keep_theirs() -> None:
    test = after(on_scores(0.9), [0.7, 0.8, 0.9, 0.8] * 50)
    low, high = test.interval()
    assert low < 0.8 < high
    assert high - low < 0.1


def test_a_good_tool_clears_and_the_interval_lies_above_the_bar() -> None:
    test = after(on_scores(0.8), [0.9, 0.95, 0.85, 0.9] * 25)
    assert test.decision() == ("clears", "evidence")
    assert test.log_for >= test.log_for_needed == pytest.approx(math.log(20))
    assert test.interval()[0] >= 0.8 - 1e-6


def test_a_bad_tool_fails() -> None:
    test = after(on_scores(0.9), [0.5, 0.6, 0.7] * 10)
    assert test.decision() == ("fails", "evidence")
    assert test.log_against >= test.log_against_needed == pytest.approx(math.log(10))


@pytest.mark.parametrize("binary", [False, True])
def test_a_decision_stays(*, binary: bool) -> None:
    test = absolute_test(0.5, 0.05, ERROR, 200, binary=binary)
    after(test, [1.0] * 30)
    assert test.decision() == ("clears", "evidence")
    after(test, [0.0] * 500)
    assert test.decision() == ("clears", "evidence")
    assert test.n == 530


@pytest.mark.parametrize("binary", [False, True])
def test_the_last_case_without_a_decision_ends_the_test(*, binary: bool) -> None:
    chance, ends = random.Random(1), set()
    for _ in range(200):
        cases = chance.randint(18, 24)
        test = absolute_test(0.5, 0.05, ERROR, cases, binary=binary)
        while test.decision() is None:
            test.add(float(chance.random() < 0.75))
        ends.add((test.decision(), test.n == cases))
        assert test.n <= cases
    assert (("undecided", "cases"), True) in ends
    assert (("undecided", "cases"), False) not in ends


@pytest.mark.parametrize("binary", [False, True])
def test_a_tool_that_hardly_can_clear_is_not_asked_on(*, binary: bool) -> None:
    test = absolute_test(0.9, 0.05, ERROR, 400, binary=binary)
    chance = random.Random(3)
    scores = [*repeat(1.0, 44), *repeat(0.0, 6)] * 4
    chance.shuffle(scores)
    for score in scores:
        test.add(score)
        if test.decision():
            break
    assert test.decision() == ("undecided", "futile")
    assert test.n % 25 == 0


@pytest.mark.parametrize("binary", [False, True])
def test_a_bar_of_one_is_futile_before_the_first_case(*, binary: bool) -> None:
    test = absolute_test(1.0, 0.05, ERROR, 1_000, binary=binary)
    assert test.decision() == ("undecided", "futile")


@pytest.mark.parametrize("binary", [False, True])
def test_a_bar_so_near_one_that_nothing_can_decide_is_futile_at_once(*, binary: bool) -> None:
    assert absolute_test(0.9999, 0.05, ERROR, 500, binary=binary).decision() == (
        "undecided",
        "futile",
    )


@pytest.mark.parametrize("binary", [False, True])
def test_the_first_score_above_zero_clears_a_bar_of_zero(*, binary: bool) -> None:
    test = absolute_test(0.0, 0.05, ERROR, 200, binary=binary)
    after(test, [0.0, 0.0])
    assert test.decision() is None
    test.add(1.0)
    assert test.decision() == ("clears", "evidence")


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("bar", [0.0, 1e-12, 0.3, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_thousands_of_equal_scores_keep_all_figures_finite(
    *, bar: float, score: float, binary: bool
) -> None:
    test = absolute_test(bar, 1e-6, ERROR, 1000, binary=binary)
    after(test, [score] * 1000)
    low, high = test.interval()
    assert math.isfinite(test.log_for)
    assert math.isfinite(test.log_against)
    assert 0 <= low <= score <= high <= 1
    more = test.more_cases()
    assert more is None or more >= 0


@pytest.mark.parametrize("bar", [-0.1, 1.1, math.nan])
@pytest.mark.parametrize("binary", [False, True])
def test_a_bar_outside_the_scores_is_refused(*, bar: float, binary: bool) -> None:
    with pytest.raises(ValueError, match="bar"):
        absolute_test(bar, 0.05, ERROR, 100, binary=binary)


@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf])
def test_a_score_outside_zero_to_one_is_refused(value: float) -> None:
    test = on_scores(0.5)
    with pytest.raises(ValueError, match="value"):
        test.add(value)
    assert test.n == 0


@pytest.mark.parametrize(
    ("alpha", "error", "cases"),
    [
        (0.0, ERROR, 10),
        (1.0, ERROR, 10),
        (0.05, Error(0.05, 0.0), 10),
        (0.05, Error(0.05, 0.1, slack=-0.1), 10),
        (0.05, Error(0.05, 0.1, futility=1.0), 10),
        (0.05, ERROR, 0),
    ],
)
def test_impossible_error_rates_and_no_cases_are_refused(
    alpha: float, error: Error, cases: int
) -> None:
    with pytest.raises(ValueError, match=r"error rates|slack|one case"):
        absolute_test(0.5, alpha, error, cases, binary=False)


@pytest.mark.parametrize("binary", [False, True])
def test_as_many_more_cases_as_said_decide_at_the_mean_so_far(*, binary: bool) -> None:
    error = Error(certify=0.05, drop=0.1, futility=0)
    test = absolute_test(0.8, 0.05, error, 500, binary=binary)
    pattern = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    after(test, pattern)
    more = test.more_cases()
    assert more is not None
    taken = 0
    while test.decision() is None:
        test.add(pattern[taken % 10])
        taken += 1
    assert taken == pytest.approx(more, abs=10)


def test_nothing_decides_where_the_mean_stays_between_the_bar_and_nowhere() -> None:
    error = Error(certify=0.05, drop=0.1, slack=0.0, futility=0)
    test = absolute_test(0.5, 0.05, error, 5000, binary=False)
    after(test, [0.5] * 20)
    assert test.more_cases() is None


def test_scores_all_alike_just_above_the_bar_clear_by_their_small_scatter() -> None:
    test = on_scores(0.8)
    while test.decision() is None:
        test.add(0.85)
    assert test.decision() == ("clears", "evidence")
    assert test.n < 100


@given(st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_no_wealth_is_made_of_scores_at_the_bar(bar: float, seed: int) -> None:
    """Averaged over all passes and failures at the bar, wealth is exactly 1."""
    n = 12
    chance = np.random.default_rng(seed)
    order = chance.permutation(n)
    total = 0.0
    for passes in range(n + 1):
        scores = [float(i < passes) for i in order]
        wealth = math.exp(after(on_scores(bar), scores).log_for)
        total += math.comb(n, passes) * bar**passes * (1 - bar) ** (n - passes) * wealth
    assert total == pytest.approx(1, rel=1e-9)
