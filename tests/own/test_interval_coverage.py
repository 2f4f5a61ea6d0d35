"""Simulated companies whose long run is known: how often do the intervals hold it?

Each world has weekdays, busy and quiet days, dear and cheap calls.
"""

from __future__ import annotations

import math
import random
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from clearbar.own.estimate import detectable_growth, growth, mean_score, ratio, total

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.own.card import Estimate

pytestmark = pytest.mark.slow

RUNS: Final = 600
LEVEL: Final = 0.95
WEEKDAYS: Final = (1.0, 1.1, 1.05, 1.0, 0.9, 0.15, 0.1)
CALLS_A_DAY: Final = 60
USD_A_CALL: Final = 0.1
GOOD_SHARE: Final = 0.8
WORTH_USD: Final = 0.3
CALL_SHAPE: Final = 0.5
"""Gamma shape of the cost of a call: its standard deviation is 1.4 times its mean."""


class World(NamedTuple):
    costs: list[float]
    good: list[float]
    calls: list[int]
    expected_cost: float
    expected_good: float


def count(mean: float, chance: random.Random) -> int:
    return max(0, round(chance.gauss(mean, math.sqrt(mean))))


def share_of(number: int, share: float, chance: random.Random) -> float:
    return float(sum(chance.random() < share for _ in range(number)))


def luck(days: int, chance: random.Random, correlation: float) -> list[float]:
    """Factors with a mean of 1 and a spread of about a third."""
    found, sigma = [chance.gauss(0, 1)], 0.3
    for _ in range(days - 1):
        fresh = chance.gauss(0, math.sqrt(1 - correlation**2))
        found.append(correlation * found[-1] + fresh)
    return [math.exp(sigma * z - sigma**2 / 2) for z in found]


def busy_world(days: int, chance: random.Random) -> World:
    """Calls, cost and good outcomes rise and fall together."""
    means = [CALLS_A_DAY * WEEKDAYS[day % 7] for day in range(days)]
    busy = luck(days, chance, 0)
    calls = [count(mean * factor, chance) for mean, factor in zip(means, busy, strict=True)]
    costs = [n and chance.gammavariate(CALL_SHAPE * n, USD_A_CALL / CALL_SHAPE) for n in calls]
    good = [share_of(n, GOOD_SHARE, chance) for n in calls]
    return World(costs, good, calls, sum(means) * USD_A_CALL, sum(means) * GOOD_SHARE)


def resembling_world(days: int, chance: random.Random) -> World:
    """Costs have a luck of their own that lasts: 0.3 of a day's is that of the day before."""
    means = [CALLS_A_DAY * WEEKDAYS[day % 7] for day in range(days)]
    dear = luck(days, chance, 0.3)
    calls = [count(mean, chance) for mean in means]
    costs = [mean * USD_A_CALL * factor for mean, factor in zip(means, dear, strict=True)]
    good = [share_of(n, GOOD_SHARE, chance) for n in calls]
    return World(costs, good, calls, sum(means) * USD_A_CALL, sum(means) * GOOD_SHARE)


def coverage(once: Callable[[random.Random], tuple[Estimate | None, float]], seed: int) -> float:
    chance = random.Random(seed)
    return sum(holds(*once(chance)) for _ in range(RUNS)) / RUNS


def holds(estimate: Estimate | None, truth: float) -> bool:
    assert estimate is not None
    low = -math.inf if estimate.low is None else estimate.low
    high = math.inf if estimate.high is None else estimate.high
    return low <= truth <= high


WORLDS: Final = pytest.mark.parametrize(
    ("world", "at_least"), [(busy_world, 0.93), (resembling_world, 0.90)]
)
DAYS: Final = pytest.mark.parametrize("days", [28, 90])


@WORLDS
@DAYS
def test_cost_per_good_outcome_is_held_as_often_as_stated(
    world: Callable[[int, random.Random], World], at_least: float, days: int
) -> None:
    def once(chance: random.Random) -> tuple[Estimate | None, float]:
        seen = world(days, chance)
        return ratio(seen.costs, seen.good, LEVEL), seen.expected_cost / seen.expected_good

    assert coverage(once, seed=days) >= at_least


@WORLDS
@DAYS
def test_the_return_is_held_as_often_as_stated(
    world: Callable[[int, random.Random], World], at_least: float, days: int
) -> None:
    def once(chance: random.Random) -> tuple[Estimate | None, float]:
        seen = world(days, chance)
        returns = [WORTH_USD * g - c for g, c in zip(seen.good, seen.costs, strict=True)]
        return total(returns, LEVEL), WORTH_USD * seen.expected_good - seen.expected_cost

    assert coverage(once, seed=days + 1) >= at_least


@pytest.mark.parametrize("mean", [0.7, 0.9, 0.98])
@DAYS
def test_the_mean_score_is_held_as_often_as_stated(mean: float, days: int) -> None:
    def once(chance: random.Random) -> tuple[Estimate | None, float]:
        outcomes = [math.ceil(20 * WEEKDAYS[day % 7]) for day in range(days)]
        moods = [chance.betavariate(mean * 30, (1 - mean) * 30) for _ in outcomes]
        good = [share_of(n, mood, chance) for n, mood in zip(outcomes, moods, strict=True)]
        return mean_score(good, outcomes, LEVEL), mean

    assert coverage(once, seed=days + 2) >= 0.93


@WORLDS
@DAYS
def test_growth_is_held_as_often_as_stated(
    world: Callable[[int, random.Random], World], at_least: float, days: int
) -> None:
    def once(chance: random.Random) -> tuple[Estimate | None, float]:
        before, after = world(days, chance), world(days, chance)
        return growth(before.costs, [1.2 * cost for cost in after.costs], LEVEL), 0.2

    assert coverage(once, seed=days + 3) >= at_least


@pytest.mark.parametrize(
    ("tokens_grew", "outcomes_grew"), [(0.2, -0.3), (0.6, 0.1), (0.2, 0.1), (0.0, 0.0)]
)
def test_tokens_up_and_outcomes_flat_is_seldom_claimed_where_it_is_not_so(
    tokens_grew: float, outcomes_grew: float
) -> None:
    chance, alarms = random.Random(5), 0
    for _ in range(RUNS):
        before, after = busy_world(30, chance), busy_world(30, chance)
        tokens = growth(before.costs, [(1 + tokens_grew) * x for x in after.costs], 0.9)
        good = growth(before.good, [(1 + outcomes_grew) * x for x in after.good], 0.9)
        assert tokens is not None
        assert good is not None
        assert tokens.low is not None
        assert good.high is not None
        alarms += tokens.low > 0.2 and good.high < 0.1
    assert alarms / RUNS <= 0.05


def test_the_detectable_growth_is_found_with_about_the_stated_power() -> None:
    chance, found = random.Random(6), 0
    told = (
        detectable_growth(busy_world(30, chance).good, busy_world(30, chance).good, LEVEL, 0.8)
        for _ in range(RUNS)
    )
    usual = median(told)
    for _ in range(RUNS):
        before, after = busy_world(30, chance), busy_world(30, chance)
        estimate = growth(before.good, [(1 + usual) * x for x in after.good], LEVEL)
        assert estimate is not None
        found += estimate.low is not None and estimate.low > 0
    assert 0.72 <= found / RUNS <= 0.9
