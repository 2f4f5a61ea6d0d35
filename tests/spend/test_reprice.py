"""A charge keeps its price until somebody says otherwise; the old price stays on record."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record

from clearbar.core.period import ALL, Period
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.spend.repricing.reprice import reprice

if TYPE_CHECKING:
    from clearbar.spend.storage.ledger import Ledger

SEPTEMBER = Period(date(2026, 9, 1), date(2026, 10, 1))
OCTOBER = Period(date(2026, 10, 1), date(2026, 11, 1))


@pytest.fixture
def half_price(book: PriceBook) -> PriceBook:
    """Return the same book under a contract that halves all prices."""
    half = PriceOverride(provider="*", model="*", discount=Decimal("0.5"))
    return PriceBook.open(book.path.parent, [half])


def cost(ledger: Ledger) -> Decimal:
    return total(ledger).cost_usd


def test_new_prices_change_nothing_by_themselves(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    before = cost(ledger)
    append(ledger, half_price, [record()], at=2)
    assert cost(ledger) == before


def test_repricing_prices_charges_anew(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record(f"upstream:msg_{n}") for n in range(3)])
    before = cost(ledger)
    assert reprice(ledger, half_price, ALL, 2) == 3
    assert cost(ledger) == before / 2


def test_repricing_counts_no_call_twice(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record(f"upstream:msg_{n}") for n in range(3)])
    reprice(ledger, half_price, ALL, 2)
    assert total(ledger).calls == 3


def test_repricing_again_with_the_same_prices_changes_nothing(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    reprice(ledger, half_price, ALL, 2)
    assert reprice(ledger, half_price, ALL, 3) == 0


def test_a_repriced_charge_can_get_its_old_price_back(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    before = cost(ledger)
    reprice(ledger, half_price, ALL, 2)
    assert reprice(ledger, book, ALL, 3) == 1
    assert cost(ledger) == before


def test_the_old_price_stays_on_record(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    reprice(ledger, half_price, ALL, 2)
    [new, old] = ledger.records_of(ledger.engine.rows(ledger.charges().select("charge_id"))[0][0])  # type: ignore[union-attr]
    assert new["cost_usd"] * 2 == old["cost_usd"]
    assert new["price_version"] != old["price_version"]


def test_a_period_is_repriced_and_no_other(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    assert reprice(ledger, half_price, OCTOBER, 2) == 0
    assert reprice(ledger, half_price, SEPTEMBER, 3) == 1


def test_what_a_bill_says_stays(ledger: Ledger, book: PriceBook, half_price: PriceBook) -> None:
    billed = record(reported_cost_usd=Decimal("0.25"), reported_basis="billed")
    append(ledger, book, [billed])
    assert reprice(ledger, half_price, ALL, 2) == 0
    assert cost(ledger) == Decimal("0.25")


def test_all_witnesses_of_a_charge_are_repriced_so_that_the_winner_is(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record(output_tokens=1), record(output_tokens=1_000)])
    before = cost(ledger)
    assert reprice(ledger, half_price, ALL, 2) == 2
    assert cost(ledger) == before / 2


def test_reading_a_file_again_does_not_undo_a_repricing(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    reprice(ledger, half_price, ALL, 2)
    after = cost(ledger)
    append(ledger, book, [record()], at=3)
    assert cost(ledger) == after


def test_a_repriced_charge_names_its_new_price(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()])
    reprice(ledger, half_price, ALL, 2)
    charges = ledger.charges()
    assert charges is not None
    [[price_id]] = ledger.engine.rows(charges.select("price_id"))
    assert price_id == "anthropic/claude-sonnet-4-5#0+override:1"


def test_an_empty_ledger_has_nothing_to_reprice(ledger: Ledger, book: PriceBook) -> None:
    assert reprice(ledger, book, ALL, 1) == 0


def test_repricing_under_a_clock_that_was_put_back_counts(
    ledger: Ledger, book: PriceBook, half_price: PriceBook
) -> None:
    append(ledger, book, [record()], at=1_000)
    before = cost(ledger)
    reprice(ledger, half_price, ALL, 2)
    assert cost(ledger) == before / 2
