"""Costs in other currencies: by the rate of their day, or unknown; never one to one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import NOON_US, record
from tests.spend.staged import at, charge, price_all, price_one

from clearbar.core.period import ALL
from clearbar.spend.prices.agreements import Agreements, CurrencyRate
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.currencies import converted, explain_rate, rate_on
from clearbar.spend.repricing.reprice import reprice
from clearbar.spend.trace import trace_of

if TYPE_CHECKING:
    from clearbar.spend.storage.ledger import Ledger

SUMMER = CurrencyRate("EUR", Decimal("1.0873"), date(2026, 7, 1), "bank of the company")
AUTUMN = CurrencyRate("EUR", Decimal("1.1"), date(2026, 10, 1))
YEN = CurrencyRate("JPY", Decimal("0.0066225165562913907"), date(2026, 1, 1))


@pytest.fixture
def own(book: PriceBook) -> PriceBook:
    return with_rates(book, AUTUMN, SUMMER, YEN)


def with_rates(book: PriceBook, *rates: CurrencyRate) -> PriceBook:
    return PriceBook.open(book.path.parent, (), Agreements(currencies=rates))


def euros(amount: str = "100", **fields: Any) -> dict[str, Any]:
    return {
        "reported_cost": Decimal(amount),
        "reported_currency": "EUR",
        "reported_basis": "billed",
        **fields,
    }


@pytest.mark.parametrize(
    ("day", "cost", "price_id"),
    [
        ("2026-07-01", "108.73", "currency:EUR=1.0873@2026-07-01"),
        ("2026-09-30", "108.73", "currency:EUR=1.0873@2026-07-01"),
        ("2026-10-01", "110", "currency:EUR=1.1@2026-10-01"),
        ("2027-03-01", "110", "currency:EUR=1.1@2026-10-01"),
    ],
)
def test_the_latest_rate_on_or_before_the_day_holds(
    own: PriceBook, day: str, cost: str, price_id: str
) -> None:
    found = price_one(own, **euros(started_at=at(day)))
    assert (found.cost_usd, found.basis) == (Decimal(cost), "billed")
    assert (found.price_id, found.price_version) == (price_id, own.version)


def test_a_cost_before_the_first_rate_is_unknown(own: PriceBook) -> None:
    found = price_one(own, **euros(started_at=at("2026-06-30")))
    assert (found.cost_usd, found.basis, found.price_id) == (None, "unpriced", "currency:EUR")


def test_a_line_of_a_bill_without_a_rate_is_not_priced_by_its_tokens(book: PriceBook) -> None:
    found = price_one(book, **euros(grain="bill", calls=0, input_tokens=1_000))
    assert (found.cost_usd, found.basis) == (None, "unpriced")


def test_a_line_of_a_bill_without_a_rate_is_not_free_because_it_used_nothing(
    book: PriceBook,
) -> None:
    found = price_one(book, **euros(grain="bill", calls=0, input_tokens=0))
    assert (found.cost_usd, found.basis) == (None, "unpriced")


def test_a_currency_without_a_rate_is_never_taken_one_to_one(book: PriceBook) -> None:
    found = price_one(book, **euros())
    assert (found.cost_usd, found.basis, found.price_id) == (None, "unpriced", "currency:EUR")


def test_a_missing_rate_says_what_to_do() -> None:
    assert "[[currency]]" in explain_rate("currency:EUR")["source"]


def test_a_price_in_another_currency_explains_itself(own: PriceBook) -> None:
    said = own.explain("currency:EUR=1.0873@2026-07-01")
    assert (said["currency"], said["usd_per_unit"], said["from"]) == ("EUR", "1.0873", "2026-07-01")


def test_a_credit_in_another_currency_stays_negative(own: PriceBook) -> None:
    assert price_one(own, **euros("-10")).cost_usd == Decimal("-10.873")


def test_the_book_prices_what_a_program_estimated_in_another_currency(own: PriceBook) -> None:
    found = price_one(own, **euros(reported_basis="estimated", input_tokens=1_000_000))
    assert (found.cost_usd, found.price_id) == (Decimal("2.5"), "openai/gpt-4o#0")


def test_an_estimate_in_another_currency_is_converted_where_the_book_knows_nothing(
    own: PriceBook,
) -> None:
    fields = euros(reported_basis="estimated", input_tokens=5)
    found = price_one(own, None, **fields)
    assert (found.cost_usd, found.basis) == (Decimal("108.73"), "estimated")


def test_a_cost_in_dollars_beside_one_in_euros_stands(own: PriceBook) -> None:
    found = price_one(own, **euros(reported_cost_usd=Decimal(7)))
    assert (found.cost_usd, found.price_id) == (Decimal(7), None)


def test_dollars_and_other_currencies_are_priced_together(own: PriceBook) -> None:
    yen = euros("150", reported_currency="jpy", price_model=None)
    dollars = {"reported_cost_usd": Decimal(3), "reported_basis": "billed"}
    found = price_all(own, [charge(**euros()), charge(**yen), charge(**dollars), charge()])
    assert [each.cost_usd for each in found[:3]] == [
        Decimal("108.73"),
        Decimal("0.993377483443708605"),
        3,
    ]


def test_a_conversion_keeps_every_digit_and_rounds_once() -> None:
    cost = Decimal("123456789.123456789012345678901234")
    assert converted(cost, YEN) == Decimal("817594.629956667473387294607089")


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=9),
    st.decimals(min_value=Decimal("0.000001"), max_value=10_000, places=6),
)
def test_any_amount_that_a_source_may_report_fits_the_ledger(cost: Decimal, usd: Decimal) -> None:
    found = converted(cost, CurrencyRate("EUR", usd, date(2026, 1, 1)))
    assert abs(found) < 10**14
    assert (found > 0) == (cost > 0)


def test_no_rate_is_taken_from_another_currency() -> None:
    assert rate_on([SUMMER], "CHF", date(2026, 10, 1)) is None


def bill(**values: Any) -> Any:
    return record(
        "bucket:invoice",
        grain="bill",
        calls=0,
        evidence="provider",
        input_tokens=None,
        output_tokens=None,
        reported_cost=Decimal(100),
        reported_currency="EUR",
        reported_basis="billed",
        started_at_us=NOON_US,
        **values,
    )


def test_a_charge_keeps_its_rate_until_it_is_priced_again(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, with_rates(book, SUMMER), [bill()])
    corrected = with_rates(book, CurrencyRate("EUR", Decimal("1.2"), date(2026, 7, 1)))
    append(ledger, corrected, [bill()], at=2)
    assert total(ledger).cost_usd == Decimal("108.73")
    assert reprice(ledger, corrected, ALL, 3) == 1
    assert total(ledger).cost_usd == 120


def test_a_rate_that_comes_later_prices_what_was_unknown(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [bill()])
    assert total(ledger).cost_usd == 0
    assert reprice(ledger, with_rates(book, SUMMER), ALL, 2) == 1
    assert total(ledger).cost_usd == Decimal("108.73")


@pytest.mark.parametrize("rates", [(), (SUMMER,)])
def test_the_trace_of_a_line_of_a_bill_says_by_which_rate_it_was_converted(
    ledger: Ledger, book: PriceBook, rates: tuple[CurrencyRate, ...]
) -> None:
    own = with_rates(book, *rates)
    append(ledger, own, [bill()])
    charges = ledger.charges()
    assert charges is not None
    [[charge_id]] = ledger.engine.rows(charges.select("charge_id"))
    records = ledger.records_of(charge_id)
    [origin] = ledger.origins().values()
    price = trace_of(records, origin, own.explain(records[0]["price_id"])).price
    assert price["currency"] == "EUR"
    assert price.get("usd_per_unit") == ("1.0873" if rates else None)
