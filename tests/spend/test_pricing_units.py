"""Money is counted in whole numbers of a unit in which every price of a batch is exact."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.prices.price_rate import Rate
from clearbar.spend.prices.price_rows import PICO_DOLLAR, SMALLEST, MoneyUnit, unit_for


def rate(**prices: str) -> Rate:
    return Rate("x#0", "", {meter: Decimal(price) for meter, price in prices.items()})


def test_prices_of_up_to_twelve_places_are_counted_in_pico_dollars() -> None:
    assert unit_for([rate(input_tokens="0.000000003625")], {"input_tokens": 10**6}) == PICO_DOLLAR


def test_a_finer_price_takes_the_smallest_unit() -> None:
    rates = [rate(input_tokens="0.000003"), rate(input_tokens="0.0000000036251")]
    assert unit_for(rates, {"input_tokens": 1}) == SMALLEST


def test_a_finer_price_that_no_charge_uses_changes_nothing() -> None:
    rates = [rate(input_tokens="0.000003", output_tokens="0.00000000000000001")]
    assert unit_for(rates, {"input_tokens": 1}) == PICO_DOLLAR


def test_quantities_that_could_cost_a_million_dollars_take_the_smallest_unit() -> None:
    rates = [rate(input_tokens="0.0000005", output_tokens="0.0000005")]
    both = {"input_tokens": 10**12, "output_tokens": 10**12}
    assert unit_for(rates, both) == SMALLEST
    assert unit_for(rates, {**both, "output_tokens": 10**12 - 1}) == PICO_DOLLAR


def test_a_price_per_hour_takes_the_smallest_unit() -> None:
    assert unit_for([rate(audio_seconds="0.04")], {"audio_seconds": 1}) == SMALLEST


@given(units=st.integers(0, 10**24), unit=st.sampled_from([PICO_DOLLAR, SMALLEST]))
def test_what_is_a_whole_number_of_units_is_counted_exactly(units: int, unit: MoneyUnit) -> None:
    assert unit.count(Decimal(units).scaleb(-unit.places)) == units
