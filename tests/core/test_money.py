from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.money import plain, usd

AMOUNTS = st.decimals(
    min_value=Decimal("-1e12"), max_value=Decimal("1e12"), places=24, allow_nan=False
)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1204.5", "$1,204.50"),
        ("0", "$0.00"),
        ("0.1", "$0.10"),
        ("0.0996", "$0.100"),
        ("0.0021", "$0.0021"),
        ("0.00000123", "$0.0000012"),
        ("-3.5", "-$3.50"),
        ("1000000", "$1,000,000.00"),
    ],
)
def test_an_amount_is_shown_in_cents_and_a_small_one_in_two_digits(amount: str, shown: str) -> None:
    assert usd(Decimal(amount)) == shown


def test_an_amount_that_is_not_known_is_a_dash_and_not_zero() -> None:
    assert usd(None) == "-"


def test_an_estimate_may_be_a_float() -> None:
    assert usd(0.1 + 0.2) == "$0.30"


@given(AMOUNTS)
def test_an_amount_that_is_not_zero_is_never_shown_as_zero(amount: Decimal) -> None:
    digits = set(usd(amount)) & set("123456789")
    assert bool(digits) == (amount != 0)


@given(AMOUNTS)
def test_what_is_shown_is_near_to_the_amount(amount: Decimal) -> None:
    shown = Decimal(usd(amount).replace("$", "").replace(",", ""))
    assert abs(shown - amount) <= max(Decimal("0.005"), abs(amount) / 20)


@given(AMOUNTS)
def test_the_exact_amount_is_written_without_loss(amount: Decimal) -> None:
    assert Decimal(plain(amount)) == amount
    assert "E" not in plain(amount)


@pytest.mark.parametrize(("amount", "text"), [("0.00210", "0.0021"), ("1E+3", "1000"), ("0", "0")])
def test_the_exact_amount_has_no_exponent_and_no_trailing_zeros(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text


def test_nothing_less_nothing_is_written_without_a_sign() -> None:
    assert plain(Decimal("-0.00")) == "0"
