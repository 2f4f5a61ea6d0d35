"""Simulated tools in the worst places: how often do the tests err, and how long do they take?

A certificate falls at the first look at which the wealth suffices, so to count whether that ever
happens is to let an adversary choose when to stop. Every tolerance is three standard errors of
the simulation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from clearbar.trial.proof.bet import Mixture, absolute_test
from clearbar.trial.proof.calibrated import boundaries, log_threshold, walk
from clearbar.trial.proof.feasible import OVER_THE_BOUND, paired_growth, rate_growth
from clearbar.trial.proof.paired import bets_within, paired_test
from clearbar.trial.proof.rate_bets import LEAN, RateBets, rates_of
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

pytestmark = pytest.mark.slow

ALPHA: Final = 0.05
NEEDED: Final = math.log(1 / ALPHA)
ERROR: Final = Error(certify=ALPHA, drop=0.1)
BAR: Final = 0.8


def at_most(rate: float, runs: int) -> float:
    return rate + 3 * math.sqrt(rate * (1 - rate) / runs)


def ever_clears(scores: Floats, rates: RateBets) -> Bools:
    """Runs x cases of any scores: whether the mixture of stakes ever has 1 / alpha."""
    mixture = Mixture(rates)
    logs = np.repeat(mixture.log_capitals[:, None], len(scores), axis=1)
    cleared = np.zeros(len(scores), dtype=bool)
    for case in scores.T:
        logs += mixture.gain(case)
        top = logs.max(axis=0)
        cleared |= top + np.log(np.exp(logs - top).sum(axis=0)) >= NEEDED
    return cleared


def beta_at_bar(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return chance.beta(4 * BAR, 4 * (1 - BAR), shape)


def three_points_at_bar(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """0, 0.7 and 1 with a mean of exactly the bar."""
    return chance.choice([0.0, 0.7, 1.0], shape, p=[0.05, 0.5, 0.45])


def near_bar(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Scores that scatter little, and now and then a bad one: the bold stakes are tempted."""
    return np.where(chance.random(shape) < 0.02, 0.0, BAR / 0.98)


def drifting(chance: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Passes whose rate depends on what came before, and never rises above the bar.

    It stands at the bar while the passes so far are above it, and falls when they are not.
    """
    scores, passes = np.empty(shape), np.zeros(shape[0])
    for n in range(shape[1]):
        rate = np.where(passes >= BAR * n, BAR, BAR - 0.05)
        scores[:, n] = chance.random(shape[0]) < rate
        passes += scores[:, n]
    return scores


@pytest.mark.parametrize("draw", [beta_at_bar, three_points_at_bar, near_bar, drifting])
def test_no_scores_at_the_bar_clear_more_often_than_alpha(draw: Draw) -> None:
    runs = 600
    scores = draw(np.random.default_rng(11), (runs, 700))
    assert ever_clears(scores, RateBets(BAR, 1 - BAR, LEAN)).mean() <= at_most(ALPHA, runs)


@pytest.mark.parametrize("draw", [beta_at_bar, three_points_at_bar])
def test_no_scores_at_the_bar_and_slack_fail_more_often_than_the_drop_rate(draw: Draw) -> None:
    """The bet against, its bar set so that the tool stands exactly where it is to be kept."""
    runs = 600
    scores = draw(np.random.default_rng(12), (runs, 700))
    below = RateBets(1 - BAR, 0.4)
    assert ever_clears(1 - scores, below).mean() <= at_most(ALPHA, runs)


def test_passes_that_drift_below_the_bar_clear_no_more_often_than_alpha() -> None:
    runs, cases = 20_000, 600
    ends = boundaries(*rates_of(BAR, 0.01), (ALPHA, 0.1), 0.05, cases)
    passes = np.cumsum(drifting(np.random.default_rng(13), (runs, cases)), axis=1)
    assert (passes >= ends.clears_at[1:]).any(axis=1).mean() <= at_most(ALPHA, runs)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_of_five_tools_at_the_bar_one_is_certified_at_most_at_alpha(shared: float) -> None:
    """On the same cases: independent tools, and tools that mostly pass or fail together."""
    runs, cases, tools = 4_000, 400, 5
    chance = np.random.default_rng(14)
    ends = boundaries(*rates_of(0.9, 0.01), (ALPHA / tools, 0.1), 0.05, cases)
    common = chance.random((runs, cases)) < 0.9
    certified = np.zeros(runs, dtype=bool)
    for _ in range(tools):
        own = chance.random((runs, cases)) < 0.9
        scores = np.where(chance.random((runs, cases)) < shared, common, own)
        passes = np.cumsum(scores, axis=1)
        certified |= (passes >= ends.clears_at[1:]).any(axis=1)
    assert 0.3 * ALPHA / tools < certified.mean() <= at_most(ALPHA, runs)


def pairs(
    chance: np.random.Generator, runs: int, cases: int, difference: float, disagreement: float
) -> Floats:
    better, worse = (disagreement + difference) / 2, (disagreement - difference) / 2
    drawn = chance.random((runs, cases))
    return np.where(drawn < worse, -1.0, np.where(drawn < worse + better, 1.0, 0.0))


def first_clear(differences: Floats, margin: float, prior: float) -> Floats:
    """Return after how many cases each run clears; infinite where it never does."""
    above, _ = bets_within(margin, 0.01, prior)
    firsts = np.full(len(differences), math.inf)
    for run, values in enumerate(differences):
        enough = above.path((1 + values) / 2, (1 - margin) / 2) >= NEEDED
        if enough.any():
            firsts[run] = int(enough.argmax()) + 1
    return firsts


@pytest.mark.parametrize(("margin", "disagreement"), [(0.03, 0.04), (0.03, 0.2), (0.1, 0.3)])
@pytest.mark.parametrize("prior", [0.0, 0.15])
def test_no_tool_that_is_the_margin_worse_clears_more_often_than_alpha(
    margin: float, disagreement: float, prior: float
) -> None:
    runs = 800
    values = pairs(np.random.default_rng(15), runs, 1500, -margin, disagreement)
    assert np.isfinite(first_clear(values, margin, prior)).mean() <= at_most(ALPHA, runs)


def test_no_graded_difference_of_the_margin_clears_more_often_than_alpha() -> None:
    runs = 800
    chance = np.random.default_rng(16)
    values = chance.beta(6, 6, (runs, 1500)) - 0.5 - 0.05
    assert np.isfinite(first_clear(values, 0.05, 0.15)).mean() <= at_most(ALPHA, runs)


@pytest.mark.parametrize(
    ("margin", "disagreement", "difference", "reference"),
    [
        (0.02, 0.04, 0.0, 799),
        (0.03, 0.04, 0.0, 376),
        (0.03, 0.10, 0.0, 780),
        (0.03, 0.20, 0.01, 916),
        (0.05, 0.10, 0.0, 319),
        (0.05, 0.20, 0.0, 573),
    ],
)
def test_a_paired_test_takes_no_more_pairs_than_the_reference_and_what_was_said(
    margin: float, disagreement: float, difference: float, reference: float
) -> None:
    """The reference is the mixture of six scales; the bound is log(1 / alpha) / KLinf."""
    runs = 400
    values = pairs(np.random.default_rng(17), runs, 4500, difference, disagreement)
    firsts = np.minimum(first_clear(values, margin, 0.15), 4500)
    error = 3 * float(firsts.std()) / math.sqrt(runs)
    assert firsts.mean() <= reference + error
    said = OVER_THE_BOUND * NEEDED / paired_growth(margin, difference, disagreement)
    assert 0.75 * said <= firsts.mean() <= 1.15 * said


def six_scales(values: Floats, margin: float, prior: float) -> float:
    """Return the log wealth path's first clear by the reference: six even scales, 20 cases."""
    y = values + margin
    before = np.concatenate(([0.0], np.cumsum(y * y)[:-1]))
    scatter = (20 * (prior + margin**2) + before) / (20 + np.arange(len(y)))
    scales = np.array([0.25, 0.5, 0.75, 1, 1.3, 1.7])
    stakes = np.minimum(np.multiply.outer(scales, margin / scatter), 0.98 / (1 - margin))
    paths = np.cumsum(np.log1p(stakes * y), axis=1) - math.log(len(scales))
    enough = np.logaddexp.reduce(paths, axis=0) >= NEEDED
    return int(enough.argmax()) + 1 if enough.any() else len(y)


def test_the_scales_take_fewer_pairs_than_those_of_the_reference() -> None:
    """On the same pairs, each with its own assumption of what is not known beforehand."""
    worlds = [(0.03, 0.04, 0.0), (0.03, 0.1, 0.0), (0.03, 0.04, 0.02), (0.03, 0.1, 0.03)]
    worlds += [(0.05, 0.02, -0.01), (0.05, 0.2, 0.0), (0.1, 0.3, 0.05), (0.03, 0.01, 0.0)]
    ratios = []
    for margin, disagreement, difference in worlds:
        values = pairs(np.random.default_rng(18), 250, 2500, difference, disagreement)
        ours = np.minimum(first_clear(values, margin, 0.15), 2500).mean()
        ratios.append(ours / np.mean([six_scales(run, margin, 0.1) for run in values]))
    assert max(ratios) < 1.03
    assert np.mean(ratios) < 0.95


@pytest.mark.parametrize("bar", [0.7, 0.8, 0.9, 0.95])
def test_in_the_middle_range_a_tool_takes_at_most_a_quarter_more_than_the_bound(
    bar: float,
) -> None:
    """One limit of cases for all rates, so high that the hardest of them decides."""
    rates = [bar + share * (1 - bar) for share in (0.2, 0.35, 0.5, 0.65, 0.8)]
    cases = min(math.ceil(6 * NEEDED / rate_growth(bar, rates[0])), 20_000)
    above, below = rates_of(bar, 0.01)
    clears_at = boundaries(above, below, (ALPHA, 0.1), 0.0, cases).clears_at
    for rate in rates:
        ended = walk(rate, clears_at)
        assert ended.clears > 0.99
        assert ended.cases <= 1.25 * NEEDED / rate_growth(bar, rate)


def test_leaning_to_rates_near_the_bar_takes_less_of_the_hardest_tools() -> None:
    """At the same error rate and limit of cases; it costs a little where tools are easy."""
    cases, ratios = 7587, {}
    for rate in (0.92, 0.98):
        expected = []
        for lean in (LEAN, 0.0):
            rates = RateBets(0.9, 0.1, lean)
            clears_at = rates.least_wins(log_threshold(rates, ALPHA, cases), cases)
            expected.append(walk(rate, clears_at).cases)
        ratios[rate] = expected[0] / expected[1]
    assert ratios[0.92] < 0.97
    assert ratios[0.98] < 1.05


def test_scores_between_take_fewer_cases_than_the_reference() -> None:
    """Beta scores, mean 0.84, standard deviation 0.15, bar 0.8: the reference took 137."""
    runs, cases = 400, 900
    total = 0.84 * 0.16 / 0.15**2 - 1
    chance = np.random.default_rng(19)
    scores = chance.beta(0.84 * total, 0.16 * total, (runs, cases))
    mixture = Mixture(RateBets(0.8, 0.2, LEAN))
    logs = np.repeat(mixture.log_capitals[:, None], runs, axis=1)
    firsts = np.full(runs, cases)
    for n, case in enumerate(scores.T, start=1):
        logs += mixture.gain(case)
        top = logs.max(axis=0)
        enough = top + np.log(np.exp(logs - top).sum(axis=0)) >= NEEDED
        firsts = np.where(enough, np.minimum(firsts, n), firsts)
    assert firsts.mean() <= 137 + 3 * firsts.std() / math.sqrt(runs)


@pytest.mark.parametrize("binary", [True, False])
def test_intervals_hold_the_mean_at_all_looks_together(*, binary: bool) -> None:
    runs, mean, misses = 100, 0.86, 0
    chance = np.random.default_rng(20)
    for _ in range(runs):
        test = absolute_test(0.8, 0.1, Error(0.1, 0.1), 250, binary=binary)
        passes = chance.random(250) < mean
        grades = chance.beta(8.6, 1.4, 250)
        for value in (passes if binary else grades).tolist():
            test.add(float(value))
        low, high = test.interval()
        misses += not low <= mean <= high
    assert misses / runs <= at_most(1 - test.level, runs)


def test_paired_intervals_hold_the_mean_at_all_looks_together() -> None:
    runs, misses = 120, 0
    chance = np.random.default_rng(21)
    for values in pairs(chance, runs, 400, 0.0, 0.2):
        test = paired_test(0.05, 0.1, ERROR, 400)
        for value in values.tolist():
            test.add(value)
        low, high = test.interval()
        misses += not low <= 0 <= high
    assert misses / runs <= at_most(1 - test.level, runs)


@pytest.mark.parametrize("difference", [-0.03, -0.02])
def test_a_paired_tool_at_margin_and_slack_fails_at_most_at_the_drop_rate(
    difference: float,
) -> None:
    runs = 400
    _, below = bets_within(0.03 if difference > -0.03 else 0.04, 0.01, 0.15)
    failed = 0
    for values in pairs(np.random.default_rng(22), runs, 1500, difference, 0.15):
        bets = below.path((1 - values) / 2, (1 + below.bar) / 2)
        failed += bool((bets >= math.log(10)).any())
    assert failed / runs <= at_most(0.1, runs)
