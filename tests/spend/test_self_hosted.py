"""A model on one's own machines costs what the machines cost; never nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.staged import at, price_one

from clearbar.spend.prices.agreement_prices import usd_per_million
from clearbar.spend.prices.agreements import Agreements, SelfHosted
from clearbar.spend.prices.book import PriceBook

if TYPE_CHECKING:
    from tests.spend.staged import Priced

MILLION = 1_000_000
OWN = {"provider": "vllm", "model": "llama-3-70b"}


def machine(**values: Any) -> SelfHosted:
    given: dict[str, Any] = {
        "name": "llama",
        "model": "llama-*",
        "usd_per_gpu_hour": Decimal("3.13"),
        "gpus": 1,
        "input_tokens_per_second": Decimal(850),
        "output_tokens_per_second": Decimal(850),
        "utilisation": Decimal(1),
    }
    return SelfHosted(**(given | values))


def priced(book: PriceBook, declared: SelfHosted, **fields: Any) -> Priced:
    own = PriceBook.open(book.path.parent, (), Agreements(self_hosted=(declared,)))
    return price_one(own, None, **(OWN | fields))


@pytest.mark.parametrize(
    ("utilisation", "cost"), [("1", "1.02"), ("0.3", "3.41"), ("0.1", "10.23")]
)
def test_an_idle_machine_makes_its_tokens_dear(utilisation: str, cost: str) -> None:
    found = usd_per_million(machine(utilisation=Decimal(utilisation)))
    assert round(found["output_tokens"], 2) == Decimal(cost)


def test_overhead_and_more_gpus_multiply_the_price() -> None:
    found = usd_per_million(
        machine(gpus=4, overhead=Decimal("0.5"), output_tokens_per_second=Decimal(3_400))
    )
    one = usd_per_million(machine())
    assert found["output_tokens"] == one["output_tokens"] * Decimal("1.5")


def test_input_and_output_are_split_by_the_seconds_that_they_take() -> None:
    fast_reader = machine(
        usd_per_gpu_hour=Decimal(36),
        input_tokens_per_second=Decimal(10_000),
        output_tokens_per_second=Decimal(500),
    )
    found = usd_per_million(fast_reader)
    assert (found["input_tokens"], found["output_tokens"]) == (Decimal(1), Decimal(20))


def test_cached_input_takes_as_long_as_fresh_input_unless_it_was_measured() -> None:
    fresh = usd_per_million(machine())
    measured = usd_per_million(machine(cached_tokens_per_second=Decimal(8_500)))
    assert fresh["cache_read_tokens"] == fresh["input_tokens"]
    assert round(measured["cache_read_tokens"] * 10, 20) == round(fresh["input_tokens"], 20)


def test_a_self_hosted_call_costs_its_share_of_the_machines(book: PriceBook) -> None:
    declared = machine(usd_per_gpu_hour=Decimal("3.06"), utilisation=Decimal("0.5"))
    found = priced(book, declared, input_tokens=MILLION, output_tokens=MILLION)
    assert (found.cost_usd, found.basis, found.price_id) == (
        Decimal(4),
        "priced",
        "self-hosted:llama",
    )


def test_a_gateways_zero_for_a_self_hosted_model_is_not_believed(book: PriceBook) -> None:
    found = priced(book, machine(), input_tokens=MILLION, reported_cost_usd=Decimal(0))
    assert found.cost_usd is not None
    assert round(found.cost_usd, 2) == Decimal("1.02")


def test_a_self_hosted_model_that_is_not_declared_is_unpriced(book: PriceBook) -> None:
    found = price_one(book, None, **OWN, input_tokens=5, reported_cost_usd=Decimal(0))
    assert (found.cost_usd, found.basis) == (None, "unpriced")


def test_machines_have_a_price_only_while_they_stand(book: PriceBook) -> None:
    declared = machine(start=date(2026, 9, 1), end=date(2026, 10, 1))
    assert priced(book, declared, input_tokens=5, started_at=at("2026-08-31")).cost_usd is None
    assert priced(book, declared, input_tokens=5, started_at=at("2026-10-01")).cost_usd is None
    assert priced(book, declared, input_tokens=5).cost_usd is not None


def test_the_price_says_what_it_follows_from(book: PriceBook) -> None:
    declared = machine(utilisation=Decimal("0.30"), source="measured in October")
    own = PriceBook.open(book.path.parent, (), Agreements(self_hosted=(declared,)))
    said = own.explain("self-hosted:llama")["source"]
    assert said == "measured in October: 1 GPUs at $3.13 an hour, 30% used"
