"""The learning curve: what few labels give says what many would."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.trial.distilling.learning_curve import Point, fit_curve, forecast, point

SIZES = (100, 200, 400, 800)


class Law(NamedTuple):
    """A true learning curve."""

    floor: float
    scale: float
    power: float

    def agreement(self, labels: int) -> float:
        return 1 - self.floor - self.scale * float(labels**-self.power)


TRUE = Law(0.04, 2.0, 0.5)


def points_on(law: Law, tested: int = 100_000) -> list[Point]:
    return [point(size, law.agreement(size), tested) for size in SIZES]


def test_a_power_law_is_found_again() -> None:
    found = fit_curve(points_on(TRUE))
    assert found.agreement(5_000) == pytest.approx(TRUE.agreement(5_000), abs=0.005)


def test_labels_for_is_the_inverse_of_agreement() -> None:
    curve = fit_curve(points_on(TRUE))
    labels = curve.labels_for(0.9)
    assert labels is not None
    assert curve.agreement(labels) >= 0.9 > curve.agreement(labels - 1)


def test_no_number_of_labels_reaches_the_floor() -> None:
    assert fit_curve(points_on(TRUE)).labels_for(0.99) is None


def test_where_all_agree_already_one_label_is_enough() -> None:
    assert fit_curve([point(size, 1.0, 200) for size in SIZES]).labels_for(0.9) == 1


@settings(max_examples=20)
@given(st.floats(0, 0.2), st.floats(0.1, 1.5), st.floats(0.2, 0.9), st.integers(800, 100_000))
def test_a_forecast_lies_within_its_interval(
    floor: float, scale: float, power: float, labels: int
) -> None:
    law = Law(floor, min(scale, (1 - floor) * 100**power), power)
    found = forecast(points_on(law, 1_000), labels, np.random.default_rng(1))
    assert found.low <= found.agreement <= found.high <= 1
    assert found.labels == labels


def test_further_away_is_less_certain() -> None:
    points = points_on(TRUE, 1_000)
    near, far = (forecast(points, labels, np.random.default_rng(1)) for labels in (1_000, 50_000))
    assert near.high - near.low < far.high - far.low


def test_a_forecast_is_the_same_for_the_same_seed() -> None:
    points = points_on(TRUE, 1_000)
    one, other = (forecast(points, 5_000, np.random.default_rng(7)) for _ in range(2))
    assert one == other


def test_where_nothing_was_ever_wrong_nothing_is_expected_to_be() -> None:
    found = forecast([point(size, 1.0, 200) for size in SIZES], 5_000, np.random.default_rng(1))
    assert found.agreement == 1.0
    assert found.low > 0.98
    assert found.high == 1.0


def test_two_points_make_no_curve() -> None:
    with pytest.raises(ValueError, match="3 points"):
        fit_curve(points_on(TRUE)[:2])


def test_the_interval_of_a_point_is_wilsons() -> None:
    found = point(10, 0.9, 100)
    assert (found.low, found.high) == pytest.approx((0.83964, 0.93928), abs=1e-5)


@pytest.mark.slow
def test_the_interval_holds_what_comes_in_most_cases() -> None:
    order = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        law = Law(order.uniform(0, 0.08), order.uniform(0.5, 2), order.uniform(0.25, 0.7))
        shares = [min(max(law.agreement(size), 0.02), 0.98) for size in SIZES]
        seen = [
            point(size, order.binomial(1_000, share) / 1_000, 1_000)
            for size, share in zip(SIZES, shares, strict=True)
        ]
        found = forecast(seen, 4_000, order)
        held += found.low <= law.agreement(4_000) <= found.high
    assert held >= 0.83 * 100
