"""What a call costs by the price book is what the ledger will say of its charge."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spend import price_library
from tests.spend.staged import charge, price_all

from clearbar.spend.prices.book import PriceBook
from clearbar.spend.prices.price_override import PriceOverride
from clearbar.tools.rates import Rates, cost_by
from clearbar.tools.tool import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METERS = {
    "input_tokens": 700_000,
    "cache_read_tokens": 200_000,
    "cache_write_5m_tokens": 50_000,
    "cache_write_1h_tokens": 50_000,
    "cache_write_tokens": 50_000,
    "output_tokens": 64_000,
}
START = datetime(2025, 5, 1, tzinfo=UTC)
TIERS = ["", "", "", "standard", "batch", "flex", "priority"]
MODELS = sorted(price_library.models())
NOW = datetime(2026, 11, 1, tzinfo=UTC)
USAGE = TokenUsage(input_tokens=1000, output_tokens=100)


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


def random_call(chance: random.Random, models: Sequence[str]) -> dict[str, Any]:
    provider, _, model = chance.choice(models).partition("/")
    rare = chance.sample(sorted(METERS), chance.choice([0, 0, 1, 2, 4]))
    meters = {name: chance.randint(1, METERS[name]) for name in {*rare, "input_tokens"}}
    meters["output_tokens"] = chance.randint(1, METERS["output_tokens"])
    return {
        "provider": provider,
        "model": model,
        "at": START + timedelta(seconds=chance.randrange(60_000_000)),
        "served": (
            chance.choice(TIERS),
            chance.choice(["", "", "fast"]),
            chance.choice(["", "us"]),
        ),
        "usage": {**meters, "reasoning_tokens": chance.randint(0, meters["output_tokens"])},
    }


def costs_of_both(
    book: PriceBook, calls: Sequence[dict[str, Any]]
) -> list[tuple[Decimal | None, Decimal | None]]:
    rates = Rates(book)
    names = book.resolve([(each["provider"], each["model"]) for each in calls])
    staged = [
        charge(
            names[each["provider"], each["model"]],
            provider=each["provider"],
            model=each["model"],
            started_at=each["at"].replace(tzinfo=None),
            **dict(zip(("service_tier", "speed", "geo"), each["served"], strict=True)),
            **each["usage"],
        )
        for each in calls
    ]
    mine = [
        cost_by(
            rates.in_force(each["provider"], each["model"], *each["served"]),
            TokenUsage(**each["usage"]),
            each["at"],
        )
        for each in calls
    ]
    return list(zip(mine, (found.cost_usd for found in price_all(book, staged)), strict=True))


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chance=st.randoms(use_true_random=False))
def test_a_call_costs_what_the_ledger_says_of_its_charge(
    book: PriceBook, chance: random.Random
) -> None:
    models = chance.sample(MODELS, 2)
    for mine, ledger in costs_of_both(book, [random_call(chance, models) for _ in range(20)]):
        assert mine == ledger


@pytest.mark.slow
def test_fifteen_hundred_calls_over_many_models_tiers_and_days_cost_the_same(
    book: PriceBook,
) -> None:
    chance = random.Random(11)
    models = chance.sample(MODELS, 200)
    found = costs_of_both(book, [random_call(chance, models) for _ in range(1_500)])
    assert [pair for pair in found if pair[0] != pair[1]] == []
    assert sum(mine is not None for mine, _ in found) > 400


def test_a_contract_price_of_the_users_own_stands_before_the_book(tmp_path: Path) -> None:
    own = PriceOverride("openai", "gpt-4o", usd_per_million={"input_tokens": Decimal(7)})
    rates = Rates(PriceBook.open(tmp_path, [own]))
    usual = cost_by(Rates(PriceBook.open(tmp_path)).in_force("openai", "gpt-4o"), USAGE, NOW)
    assert usual is not None
    assert cost_by(rates.in_force("openai", "gpt-4o"), USAGE, NOW) == usual + Decimal("0.0045")


def test_a_price_per_call_is_paid_once(tmp_path: Path) -> None:
    own = PriceOverride("*", "own", usd_per_million={}, usd_per_call=Decimal("0.01"))
    rates = Rates(PriceBook.open(tmp_path, [own])).in_force("desk", "own")
    assert cost_by(rates, USAGE, NOW) is None, "its tokens have no price"
    assert cost_by(rates, TokenUsage(input_tokens=0, output_tokens=0), NOW) == Decimal("0.01")


def test_before_and_after_the_days_of_a_price_there_is_none(tmp_path: Path) -> None:
    prices = {"input_tokens": Decimal(1), "output_tokens": Decimal(2)}
    own = PriceOverride("*", "own", date(2026, 1, 1), date(2026, 2, 1), usd_per_million=prices)
    rates = Rates(PriceBook.open(tmp_path, [own])).in_force("desk", "own")
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2)]
    assert [cost_by(rates, USAGE, day) for day in days] == [Decimal("0.0012"), None]


def test_reasoning_with_a_price_of_its_own_is_not_paid_as_output_too(book: PriceBook) -> None:
    rates = Rates(book).in_force("perplexity", "sonar-deep-research")
    costs = [
        cost_by(rates, TokenUsage(input_tokens=0, output_tokens=10, reasoning_tokens=part), NOW)
        for part in (0, 4, 10)
    ]
    assert costs == [Decimal("0.00008"), Decimal("0.00006"), Decimal("0.00003")]


@pytest.mark.parametrize(
    "usage",
    [
        TokenUsage(input_tokens=10),
        TokenUsage(output_tokens=10),
        TokenUsage(input_tokens=10, output_tokens=5, reasoning_tokens=6),
        TokenUsage(),
    ],
)
def test_what_is_not_reported_is_never_free(book: PriceBook, usage: TokenUsage) -> None:
    assert cost_by(Rates(book).in_force("openai", "gpt-4o"), usage, NOW) is None


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("127.0.0.1", "gpt-4o"), ("", "")]
)
def test_a_model_that_the_book_does_not_know_has_no_price(
    book: PriceBook, provider: str, model: str
) -> None:
    assert cost_by(Rates(book).in_force(provider, model), USAGE, NOW) is None


def test_rates_are_looked_up_once(book: PriceBook) -> None:
    rates = Rates(book)
    assert rates.in_force("openai", "gpt-4o") is rates.in_force("openai", "gpt-4o")
