import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.own.card import Estimate
from clearbar.own.estimate import detectable_growth, growth, mean_score, ratio, total
from clearbar.own.quantiles import beta_cdf, beta_quantile, student_t_quantile

WEEK = (10.0, 11.0, 12.0, 10.0, 9.0, 1.0, 0.0)
NOISE = (0.9, 1.1, 1.0, 1.2, 0.8)

amounts = st.floats(min_value=0, max_value=1e6).map(lambda x: round(x, 6))
series = st.lists(amounts, min_size=5, max_size=60)


def noisy(days: int, level: float = 1.0, start: int = 0) -> list[float]:
    return [level * 100 * NOISE[(start + 3 * day) % 5] for day in range(days)]


@pytest.mark.parametrize(
    ("probability", "degrees", "t"),
    [
        (0.975, 1, 12.7062047362),
        (0.975, 4, 2.7764451052),
        (0.975, 29, 2.0452296421),
        (0.995, 10, 3.1692726726),
        (0.9, 2, 1.8856180832),
        (0.6, 3, 0.2766706623),
        (0.9995, 2, 31.5990545764),
        (0.025, 4, -2.7764451052),
        (0.5, 7, 0.0),
    ],
)
def test_quantiles_of_t_agree_with_the_printed_tables(
    probability: float, degrees: float, t: float
) -> None:
    assert student_t_quantile(probability, degrees) == pytest.approx(t, rel=1e-9, abs=1e-7)


def test_with_many_degrees_t_is_normal() -> None:
    assert student_t_quantile(0.975, 1e7) == pytest.approx(1.959964, abs=1e-6)


@given(st.floats(0.001, 0.999), st.floats(0.5, 300), st.floats(0.5, 300))
def test_the_beta_quantile_inverts_the_distribution(p: float, a: float, b: float) -> None:
    x = beta_quantile(p, a, b)
    assert beta_cdf(math.nextafter(x, 0), a, b) - 1e-9 <= p <= beta_cdf(x, a, b) + 1e-9


@pytest.mark.parametrize(("x", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_beta_distribution_ends_at_zero_and_one(x: float, share: float) -> None:
    assert beta_cdf(x, 2, 3) == share


def test_a_total_is_the_sum_of_the_days() -> None:
    assert total([1.0, 2.0, 3.0, 4.0, 5.0], 0.95).value == 15


def test_the_margin_of_a_total_is_t_times_its_standard_error() -> None:
    estimate = total([2.0, 1.0, 5.0, 3.0, 4.0], 0.95)
    assert estimate.high == pytest.approx(15 + 2.7764451 * math.sqrt(5 * 2.5))
    assert estimate.n == 5


def test_fewer_than_five_active_days_set_no_bounds() -> None:
    assert total([1.0, 2.0, 3.0, 0.0, 0.0, 4.0], 0.95) == Estimate(10, None, None, 0.95, 4)


def test_equal_days_leave_no_doubt_about_a_total() -> None:
    assert total([3.0] * 10, 0.95) == Estimate(30, 30, 30, 0.95, 10)


def test_a_weekday_pattern_alone_is_no_doubt_over_four_weeks() -> None:
    estimate = total(WEEK * 4, 0.95)
    assert estimate.low == estimate.value == estimate.high


def test_under_four_weeks_a_weekday_pattern_counts_as_scatter() -> None:
    low = total(WEEK * 3, 0.95).low
    assert low is not None
    assert low < 120


def test_days_that_resemble_their_neighbours_widen_the_interval() -> None:
    mixed = total([1.0, 9.0] * 6, 0.95)
    blocks = total([1.0] * 6 + [9.0] * 6, 0.95)
    assert mixed.high is not None
    assert blocks.high is not None
    assert blocks.high > 1.5 * mixed.high - 0.5 * mixed.value


def test_a_ratio_is_sum_over_sum_not_a_mean_of_ratios() -> None:
    estimate = ratio([1.0, 1.0, 1.0, 1.0, 16.0], [1.0, 1.0, 1.0, 1.0, 1.0], 0.95)
    assert estimate is not None
    assert estimate.value == 4


def test_without_a_good_outcome_there_is_no_cost_per_good_outcome() -> None:
    assert ratio([1.0] * 6, [0.0] * 6, 0.95) is None


def test_next_to_nothing_good_has_no_cost_per_good_outcome() -> None:
    assert ratio([1.0] * 30, [1e-310] * 30, 0.95) is None


def test_a_ratio_over_few_days_has_no_bounds() -> None:
    assert ratio([1.0, 2.0], [1.0, 1.0], 0.95) == Estimate(1.5, None, None, 0.95, 2)


def test_costs_proportional_to_outcomes_leave_no_doubt_about_their_ratio() -> None:
    outcomes = [4.0, 7.0, 1.0, 9.0, 5.0, 6.0]
    estimate = ratio([x / 2 for x in outcomes], outcomes, 0.95)
    assert estimate is not None
    assert estimate.low == pytest.approx(0.5)
    assert estimate.high == pytest.approx(0.5)


def test_no_cost_at_all_is_a_cost_of_zero_per_good_outcome() -> None:
    estimate = ratio([0.0] * 6, [4.0, 7.0, 1.0, 9.0, 5.0, 6.0], 0.95)
    assert estimate == Estimate(0, 0, 0, 0.95, 6)


def test_outcomes_that_could_be_none_set_no_upper_bound() -> None:
    estimate = ratio([5.0, 6.0, 5.0, 7.0, 6.0, 5.0], [0.0, 9.0, 0.0, 0.0, 0.0, 1.0], 0.95)
    assert estimate is not None
    assert estimate.low is not None
    assert 0 < estimate.low < estimate.value
    assert estimate.high is None


def test_when_neither_sum_can_be_told_from_zero_there_are_no_bounds() -> None:
    estimate = ratio([0.0, 90.0, 1.0, 1.0, 1.0, 1.0], [9.0, 0.0, 0.1, 0.1, 0.1, 0.1], 0.95)
    assert estimate is not None
    assert (estimate.low, estimate.high) == (None, None)


@given(series, st.data())
def test_bounds_of_a_ratio_enclose_it(costs: list[float], data: st.DataObject) -> None:
    goods = data.draw(st.lists(amounts, min_size=len(costs), max_size=len(costs)))
    estimate = ratio(costs, goods, 0.95)
    if estimate is not None:
        slack = 1e-6 * (1 + estimate.value)
        assert estimate.low is None or 0 <= estimate.low <= estimate.value + slack
        assert estimate.high is None or estimate.high >= estimate.value - slack


@given(series, st.floats(0.5, 0.99))
def test_a_higher_level_never_narrows_a_total(values: list[float], level: float) -> None:
    narrow, wide = total(values, level), total(values, (1 + level) / 2)
    if narrow.low is not None:
        assert wide.low is not None
        assert wide.low <= narrow.low


def test_a_mean_score_without_an_outcome_is_not_known() -> None:
    assert mean_score([0.0] * 9, [0] * 9, 0.95) is None


def test_equal_scores_do_not_scatter_although_their_sums_are_rounded() -> None:
    outcomes = [3, 7, 31, 12, 23, 9, 17]
    estimate = mean_score([round(0.9 * n, 10) for n in outcomes], outcomes, 0.95)
    exact = beta_quantile(0.025, 91.8, 11.2), beta_quantile(0.975, 92.8, 10.2)
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx(exact)


def test_scores_that_hardly_scatter_are_known_to_many_digits() -> None:
    estimate = mean_score([0.9 + day * 1e-8 for day in range(10)], [1] * 10, 0.95)
    assert estimate is not None
    assert estimate.low == pytest.approx(0.9, abs=1e-4)


def test_a_score_next_to_zero_is_bounded_like_zero() -> None:
    estimate, zero = (mean_score([score] * 30, [1] * 30, 0.95) for score in (1e-310, 0.0))
    assert estimate is not None
    assert zero is not None
    assert estimate.high == pytest.approx(zero.high)


def test_a_mean_score_over_few_days_has_no_bounds() -> None:
    assert mean_score([9.0, 8.0], [10, 10], 0.95) == Estimate(0.85, None, None, 0.95, 2)


def test_days_without_scatter_give_the_exact_interval_of_all_outcomes() -> None:
    estimate = mean_score([8.0] * 10, [10] * 10, 0.95)
    assert estimate is not None
    assert estimate.low == pytest.approx(beta_quantile(0.025, 80, 21))
    assert estimate.high == pytest.approx(beta_quantile(0.975, 81, 20))


@pytest.mark.parametrize(("good", "low", "high"), [(10.0, 0.9638, 1.0), (0.0, 0.0, 0.0362)])
def test_all_right_or_all_wrong_is_bounded_by_the_number_of_outcomes(
    good: float, low: float, high: float
) -> None:
    estimate = mean_score([good] * 10, [10] * 10, 0.95)
    assert estimate is not None
    assert estimate.low == pytest.approx(low, abs=1e-4)
    assert estimate.high == pytest.approx(high, abs=1e-4)


def test_good_days_and_bad_days_widen_the_interval_of_a_mean_score() -> None:
    steady = mean_score([8.0, 7.0, 9.0, 8.0, 8.0, 8.0], [10] * 6, 0.95)
    moody = mean_score([10.0, 4.0, 10.0, 10.0, 4.0, 10.0], [10] * 6, 0.95)
    assert steady is not None
    assert moody is not None
    assert steady.low is not None
    assert moody.low is not None
    assert moody.low < steady.low


def test_scores_between_zero_and_one_may_be_known_better_than_yes_or_no() -> None:
    estimate = mean_score([4.9, 5.1, 5.0, 4.8, 5.2, 5.05], [10] * 6, 0.95)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.low > 0.48


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60))
def test_a_mean_score_and_its_bounds_lie_between_zero_and_one(days: list[tuple[int, int]]) -> None:
    good = [float(min(pair)) for pair in days]
    estimate = mean_score(good, [max(pair) for pair in days], 0.95)
    if estimate is not None and estimate.low is not None and estimate.high is not None:
        assert 0 <= estimate.low <= estimate.value + 1e-9
        assert estimate.value - 1e-9 <= estimate.high <= 1


def test_growth_is_the_change_of_the_daily_mean() -> None:
    estimate = growth(noisy(20), noisy(10, level=1.5), 0.95)
    assert estimate is not None
    assert estimate.value == pytest.approx(0.5)
    assert estimate.n == 30


def test_bounds_of_growth_enclose_it() -> None:
    estimate = growth(noisy(30), noisy(30, level=1.5), 0.95)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < 0.5 < estimate.high


def test_growth_from_nothing_is_not_a_number() -> None:
    assert growth([0.0] * 30, noisy(30), 0.95) is None


def test_growth_over_few_days_has_no_bounds() -> None:
    estimate = growth(noisy(30), [1.0, 0.0, 0.0], 0.95)
    assert estimate is not None
    assert (estimate.low, estimate.high, estimate.n) == (None, None, 1)


def test_where_nothing_is_left_the_bound_is_that_of_the_days_which_had_something() -> None:
    estimate = growth([1.0] * 10 + [0.0] * 10, [0.0] * 20, 0.9)
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.n) == (-1, -1, 10)


def test_ten_days_and_then_none_rule_out_that_as_many_as_before_still_come() -> None:
    scattered = [1.0, 0.0] * 10
    estimate = growth(scattered, [0.0] * 20, 0.9)
    assert estimate is not None
    assert estimate.high == pytest.approx(0.05 ** (-1 / 10) - 2)


def test_nothing_after_a_few_days_proves_nothing() -> None:
    estimate = growth([1.0] * 4 + [0.0] * 26, [0.0] * 30, 0.95)
    assert estimate == Estimate(-1, None, None, 0.95, 0)


def test_equal_days_leave_no_doubt_about_growth() -> None:
    assert growth([2.0] * 30, [3.0] * 30, 0.95) == Estimate(0.5, 0.5, 0.5, 0.95, 60)


def test_another_number_of_sundays_is_no_growth() -> None:
    days = WEEK * 9
    estimate = growth(days[:30], days[30:60], 0.95)
    assert estimate is not None
    assert estimate.value == pytest.approx(0, abs=1e-12)


def test_more_power_needs_more_growth() -> None:
    days = noisy(30), noisy(30, start=1)
    assert 0 < detectable_growth(*days, 0.95, 0.5) < detectable_growth(*days, 0.95, 0.9)


def test_more_days_show_a_smaller_growth() -> None:
    few = detectable_growth(noisy(30), noisy(30, start=1), 0.95, 0.8)
    many = detectable_growth(noisy(90), noisy(90, start=1), 0.95, 0.8)
    assert many < few


def test_too_few_days_show_no_growth_however_large() -> None:
    assert math.isinf(detectable_growth([1.0, 2.0], noisy(30), 0.95, 0.8))
