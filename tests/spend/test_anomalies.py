"""What is usual for a group of charges, and what is far outside."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.anomalies import LEAST_CHARGES, STEPS, Usual, dollars, step_of, usual


def steps(*costs: str) -> Counter[int]:
    """Return how many of some costs are of each step."""
    return Counter(step_of(Decimal(cost)) for cost in costs)


def test_of_few_charges_nothing_is_usual() -> None:
    assert usual(steps(*["0.01"] * (LEAST_CHARGES - 1))) is None


@pytest.mark.parametrize(("cost", "far_out"), [("0.08", False), ("0.1", True)])
def test_among_calls_that_all_cost_the_same_eight_times_that_is_not_far_out(
    cost: str, *, far_out: bool
) -> None:
    found = usual(steps(*["0.01"] * LEAST_CHARGES))
    assert found is not None
    assert (step_of(Decimal(cost)) > found.fence) == far_out


def test_the_fence_is_three_distances_of_the_quartiles_above_the_upper_one() -> None:
    quarters = {0: 30, 2 * STEPS: 40, 4 * STEPS: 30}
    assert usual(quarters) == Usual(2 * STEPS, 4 * STEPS + 3 * 4 * STEPS)


def test_the_median_is_the_cost_in_the_middle() -> None:
    found = usual(steps(*["0.01"] * 60, *["1"] * 50))
    assert found is not None
    assert dollars(found.median) == pytest.approx(Decimal("0.01"), rel=Decimal("0.06"))


@given(st.decimals("1e-12", "1e6", places=12).filter(lambda cost: cost > 0))
def test_a_step_is_at_most_five_per_cent_from_its_costs(cost: Decimal) -> None:
    assert dollars(step_of(cost)) == pytest.approx(cost, rel=Decimal("0.05"))


@given(st.dictionaries(st.integers(-99, 99), st.integers(1, 99), min_size=1))
def test_at_most_a_quarter_of_the_charges_is_far_out(counts: dict[int, int]) -> None:
    found = usual(counts)
    if found is not None:
        over = sum(count for step, count in counts.items() if step > found.fence)
        others = sum(counts.values()) - 1  # than the one at the upper quartile
        assert over <= math.ceil(others / 4)


@given(st.dictionaries(st.integers(-99, 99), st.integers(1, 99), min_size=1), st.integers(-50, 50))
def test_in_another_currency_the_same_charges_are_far_out(
    counts: dict[int, int], moved: int
) -> None:
    found, other = usual(counts), usual({step + moved: n for step, n in counts.items()})
    assert other == (found and Usual(found.median + moved, found.fence + moved))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.1, 0.5, 1.0, 1.5, 2.5])
@pytest.mark.parametrize(("count", "per_million"), [(LEAST_CHARGES, 10), (1_000, 1)])
def test_lognormal_costs_are_flagged_as_seldom_as_is_said(
    spread: float, count: int, per_million: int
) -> None:
    draw = Random(f"{spread}{count}")
    flagged, charges = 0, 0
    while charges < 1_000_000:
        counts = Counter(step_of_log2(draw.gauss(0.0, spread)) for _ in range(count))
        found = usual(counts)
        assert found is not None
        flagged += sum(n for step, n in counts.items() if step > found.fence)
        charges += count
    chance = 3 * per_million**0.5
    assert flagged <= per_million + chance


def step_of_log2(logarithm: float) -> int:
    """Return the step of a cost by its natural logarithm."""
    return int(logarithm / 0.6931471805599453 * STEPS // 1)
