"""A user's own prices stand before the book's."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.staged import at, price_one

from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride

if TYPE_CHECKING:
    from tests.spend.staged import Priced

MILLION = 1_000_000


@pytest.fixture
def priced(book: PriceBook) -> Any:
    """Price one charge under some overrides."""

    def run(*overrides: PriceOverride, book_model: str = "openai/gpt-4o", **fields: Any) -> Priced:
        return price_one(PriceBook.open(book.path.parent, overrides), book_model, **fields)

    return run


def per_million(model: str = "*", /, **prices: str) -> PriceOverride:
    usd = {meter: Decimal(price) for meter, price in prices.items()}
    return PriceOverride("*", model, usd_per_million=usd)


def test_a_discount_takes_a_share_off_every_meter(priced: Any) -> None:
    found = priced(
        PriceOverride("openai", "gpt-4o*", discount=Decimal("0.22")),
        input_tokens=MILLION,
        web_searches=100,
    )
    assert found.cost_usd == Decimal("0.78") * (Decimal("2.5") + 1)
    assert found.price_id == "openai/gpt-4o#0+override:1"


def test_a_meter_that_is_not_named_keeps_the_books_price(priced: Any) -> None:
    found = priced(per_million(input_tokens="2"), input_tokens=MILLION, output_tokens=MILLION)
    assert found.cost_usd == 12


def test_the_last_override_that_matches_wins_alone(priced: Any) -> None:
    half = PriceOverride("*", "*", discount=Decimal("0.5"))
    found = priced(half, per_million(input_tokens="2"), input_tokens=MILLION)
    assert (found.cost_usd, found.price_id) == (Decimal(2), "openai/gpt-4o#0+override:2")


def test_an_override_for_another_model_changes_nothing(priced: Any) -> None:
    found = priced(per_million("claude-*", input_tokens="2"), input_tokens=MILLION)
    assert found.cost_usd == Decimal("2.5")


def test_an_override_may_name_the_model_as_the_book_does(priced: Any) -> None:
    found = priced(
        per_million("openai/gpt-4o", input_tokens="2"),
        provider="my-gateway",
        model="chat-prod",
        input_tokens=MILLION,
    )
    assert found.cost_usd == 2


@pytest.mark.parametrize(
    ("day", "cost"),
    [("2026-08-31", "2.5"), ("2026-09-01", "2"), ("2026-09-30", "2"), ("2026-10-01", "2.5")],
)
def test_an_override_holds_from_its_first_day_up_to_its_end(
    priced: Any, day: str, cost: str
) -> None:
    override = PriceOverride(
        "*", "*", date(2026, 9, 1), date(2026, 10, 1), usd_per_million={"input_tokens": Decimal(2)}
    )
    assert priced(override, started_at=at(day), input_tokens=MILLION).cost_usd == Decimal(cost)


def test_a_self_hosted_model_costs_what_is_declared(book: PriceBook) -> None:
    override = per_million("own-llama", input_tokens="0.1", output_tokens="0.4")
    own = PriceBook.open(book.path.parent, [override])
    fields = {"provider": "own-cluster", "model": "own-llama", "price_model": None}
    found = price_one(own, None, input_tokens=MILLION, output_tokens=MILLION, **fields)
    assert (found.cost_usd, found.price_id) == (Decimal("0.5"), "override:1")
    unnamed = price_one(own, None, cache_read_tokens=1, **fields)
    assert unnamed.basis == "unpriced"


def test_a_price_per_call_needs_no_meter(priced: Any) -> None:
    found = priced(PriceOverride("*", "*", usd_per_call=Decimal("0.05")), calls=3, grain="bucket")
    assert (found.cost_usd, found.basis) == (Decimal("0.15"), "priced")


def test_an_override_prices_a_tier_that_the_book_does_not_know(priced: Any) -> None:
    override = PriceOverride(
        "*", "*", service_tier="scale", usd_per_million={"input_tokens": Decimal(0)}
    )
    scale = priced(override, service_tier="scale", input_tokens=MILLION)
    standard = priced(override, input_tokens=MILLION)
    assert (scale.cost_usd, scale.price_id) == (Decimal(0), "override:1")
    assert standard.cost_usd == Decimal("2.5")


def test_a_discount_on_no_price_is_no_price(priced: Any) -> None:
    override = PriceOverride("*", "*", discount=Decimal("0.5"))
    assert priced(override, service_tier="scale", input_tokens=1).basis == "unpriced"


def test_a_contract_price_for_output_holds_for_reasoning_too(priced: Any) -> None:
    found = priced(
        per_million(output_tokens="4"),
        book_model="perplexity/sonar-deep-research",
        output_tokens=MILLION,
        reasoning_tokens=500_000,
    )
    assert found.cost_usd == 4


def test_audio_may_be_priced_by_the_million_seconds(priced: Any) -> None:
    found = priced(
        per_million(audio_seconds="100"), book_model="openai/whisper-1", audio_seconds=3_600
    )
    assert found.cost_usd == Decimal("0.36")


def test_an_override_explains_itself(book: PriceBook) -> None:
    named = PriceOverride("*", "*", discount=Decimal("0.1"), source="Order form 12")
    own = PriceBook.open(book.path.parent, [per_million(input_tokens="2"), named])
    said = own.explain("openai/gpt-4o#0+override:2")
    assert said["usd_per_million.input_tokens"] == "2.25"
    assert said["source"] == f"{own.version}; Order form 12"
    alone = own.explain("override:1")
    assert alone["usd_per_million.input_tokens"] == "2"
    assert alone["source"] == "[[price]] number 1 in clearbar.toml"
