from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from clearbar.trial.proof.calibrated import Boundaries, boundaries, log_threshold, walk
from clearbar.trial.proof.futility import passes_probability
from clearbar.trial.proof.rate_bets import RateBets, rates_of

REFERENCE = {
    (0.05, 0.8): (13.1, 14.7, 16.1, 17.1),
    (0.05, 0.85): (13.0, 14.7, 15.7, 16.7),
    (0.05, 0.9): (11.7, 13.8, 15.1, 16.3),
    (0.05, 0.95): (9.6, 12.5, 14.1, 15.3),
    (0.01, 0.9): (47.6, 62.1, 70.0, 76.7),
    (0.01, 0.95): (33.4, 51.4, 62.4, 71.3),
}
CASES = (200, 500, 1000, 2000)
EXPECTED_CASES = {
    # bar, at most 3000 cases, fails at wealth 10 without slack: rate -> by wealth, calibrated
    (0.9, 0.70): (19, 19),
    (0.9, 0.75): (32, 32),
    (0.9, 0.80): (70, 70),
    (0.9, 0.82): (109, 109),
    (0.9, 0.84): (197, 197),
    (0.9, 0.85): (288, 288),
    (0.9, 0.86): (461, 461),
    (0.9, 0.87): (845, 845),
    (0.9, 0.91): (2448, 2393),
    (0.9, 0.92): (1465, 1394),
    (0.9, 0.93): (655, 617),
    (0.9, 0.94): (343, 323),
    (0.9, 0.95): (207, 195),
    (0.9, 0.96): (137, 129),
    (0.9, 0.97): (97, 91),
    (0.9, 0.98): (72, 68),
    (0.9, 0.99): (55, 52),
    (0.85, 0.70): (41, 41),
    (0.85, 0.75): (91, 91),
    (0.85, 0.80): (388, 388),
    (0.85, 0.82): (1119, 1119),
    (0.85, 0.87): (1892, 1819),
    (0.85, 0.88): (1019, 965),
    (0.85, 0.89): (545, 515),
    (0.85, 0.90): (331, 312),
    (0.85, 0.92): (156, 147),
    (0.85, 0.95): (70, 66),
    (0.85, 0.97): (46, 44),
    (0.85, 0.99): (33, 31),
}


def by_brute_force(rate: float, ends: Boundaries, cases: int) -> tuple[float, float, float]:
    """Clears, fails and expected cases by going through all sequences."""
    clears = stops = expected = 0.0
    for scores in product((0, 1), repeat=cases):
        passes, n = 0, 0
        while not (passes >= ends.clears_at[n] or passes <= ends.stops_at[n] or n == cases):
            passes += scores[n]
            n += 1
        chance = math.prod(rate if score else 1 - rate for score in scores)
        expected += chance * n
        clears += chance * (passes >= ends.clears_at[n])
        stops += chance * (passes <= ends.stops_at[n])
    return clears, stops, expected


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8, 1.0])
def test_a_walk_is_the_sum_over_all_sequences(rate: float) -> None:
    ends = boundaries(*rates_of(0.5, 0.01), (0.2, 0.3), 0.05, 12)
    ended = walk(rate, ends.clears_at, ends.stops_at)
    assert (ended.clears, ended.fails, ended.cases) == pytest.approx(
        by_brute_force(rate, ends, 12), abs=1e-12
    )


@pytest.mark.parametrize(("error_rate", "bar"), REFERENCE)
@pytest.mark.parametrize("column", range(4))
def test_the_thresholds_are_those_of_the_reference(
    error_rate: float, bar: float, column: int
) -> None:
    found = math.exp(log_threshold(RateBets(bar, 1 - bar), error_rate, CASES[column]))
    assert found == pytest.approx(REFERENCE[error_rate, bar][column], rel=0.01, abs=0.06)


@pytest.mark.parametrize("bar", [0.3, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("error_rate", [0.05, 0.05 / 14, 1e-6])
def test_at_the_bar_the_probability_of_certifying_is_at_most_the_error_rate(
    bar: float, error_rate: float
) -> None:
    above, below = rates_of(bar, 0.01)
    ends = boundaries(above, below, (error_rate, 0.1), 0.05, 500)
    assert walk(bar, ends.clears_at).clears <= error_rate


@pytest.mark.parametrize("bar", [0.8, 0.9])
def test_the_error_rate_is_used_up(bar: float) -> None:
    rates = RateBets(bar, 1 - bar)
    clears_at = rates.least_wins(log_threshold(rates, 0.05, 1000), 1000)
    assert walk(bar, clears_at).clears > 0.048


def test_a_tool_below_the_bar_is_certified_more_rarely() -> None:
    rates = RateBets(0.9, 0.1)
    clears_at = rates.least_wins(log_threshold(rates, 0.05, 500), 500)
    chances = [walk(rate, clears_at).clears for rate in (0.7, 0.8, 0.85, 0.88, 0.9)]
    assert chances == sorted(chances)


@pytest.mark.parametrize("slack", [0.0, 0.01, 0.05])
def test_a_tool_at_bar_and_slack_fails_at_most_at_the_drop_rate(slack: float) -> None:
    above, below = rates_of(0.9, slack)
    ends = boundaries(above, below, (0.05, 0.1), 0.05, 500)
    unreachable = np.arange(501) + 1
    assert 0.05 < walk(0.9 + slack, unreachable, ends.fails_at).fails <= 0.1


def test_beyond_twenty_thousand_cases_the_threshold_is_one_over_the_error_rate() -> None:
    assert log_threshold(RateBets(0.9, 0.1), 0.01, 20_001) == pytest.approx(math.log(100))


def test_a_threshold_is_never_above_that_of_any_scores() -> None:
    for cases in (1, 2, 10, 50):
        assert 0 <= log_threshold(RateBets(0.9, 0.1), 0.05, cases) <= math.log(20)


@pytest.mark.parametrize(("bar", "rate"), EXPECTED_CASES)
def test_the_expected_cases_are_those_of_the_reference(bar: float, rate: float) -> None:
    above, below = RateBets(bar, 1 - bar), RateBets(1 - bar, 0.4)
    fails_at = np.arange(3001) - below.least_wins(math.log(10), 3000)
    needed = math.log(20), log_threshold(above, 0.05, 3000)
    found = [walk(rate, above.least_wins(log, 3000), fails_at).cases for log in needed]
    assert found == pytest.approx(EXPECTED_CASES[bar, rate], rel=0.02, abs=1)


def test_the_reference_chances_of_certifying_hold() -> None:
    above, below = RateBets(0.9, 0.1), RateBets(0.1, 0.4)
    fails_at = np.arange(3001) - below.least_wins(math.log(10), 3000)
    clears_at = above.least_wins(math.log(20), 3000)
    found = [walk(rate, clears_at, fails_at).clears for rate in (0.9, 0.91, 0.92, 0.93, 0.95)]
    assert found == pytest.approx([0.041, 0.24, 0.82, 0.98, 0.994], abs=0.006)


def test_calibrating_the_bet_against_drops_bad_tools_sooner() -> None:
    above, below = rates_of(0.9, 0.01)
    plain = boundaries(above, below, (0.05, 0.1), 0.0, 1000, calibrated=False)
    exact = boundaries(above, below, (0.05, 0.1), 0.0, 1000)
    for rate in (0.7, 0.8, 0.85):
        sooner = walk(rate, exact.clears_at, exact.fails_at).cases
        assert sooner < 0.9 * walk(rate, plain.clears_at, plain.fails_at).cases


def test_it_is_futile_exactly_where_the_predictive_probability_says() -> None:
    ends = boundaries(*rates_of(0.9, 0.01), (0.05, 0.1), 0.05, 400)
    most_failures = 400 - int(ends.clears_at[-1])
    for n in range(25, 400, 25):
        passes = int(ends.futile_at[n])
        for seen, futile in ((passes, True), (passes + 1, False)):
            chance = passes_probability(seen, n - seen, 400 - n, most_failures)
            assert seen < 0 or (chance < 0.05) == futile


def test_it_is_futile_where_even_only_passes_come_too_late() -> None:
    ends = boundaries(*rates_of(0.9, 0.01), (0.05, 0.1), 0.0, 100)
    most_failures = 100 - int(ends.clears_at[-1])
    assert ends.futile_at[most_failures] == -1
    assert ends.futile_at[most_failures + 1] == 0
    assert ends.futile_at[0] == -1


def test_a_share_of_the_error_rate_and_many_cases_are_quick_enough_to_wait_for() -> None:
    rates = RateBets(0.99, 0.01)
    assert log_threshold(rates, 0.05 / 14, 20_000) < math.log(14 / 0.05)
