"""The most that a call can cost, which is reserved before it: never less than it then costs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.prices.book import PriceBook
from clearbar.tools.rates import Rates
from clearbar.tools.tool import Request, TokenPrice, Tool
from clearbar.trial.running.ceiling import (
    ASSUMED_OUTPUT_TOKENS,
    Pricing,
    has_output_limit,
    output_limit,
)

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 11, 22, tzinfo=UTC)
OWN = TokenPrice(Decimal(1), Decimal(2))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prices")


@pytest.fixture
def pricing(book: Path) -> Pricing:
    return Pricing(Rates(PriceBook.open(book)))


def ceiling(pricing: Pricing, model: str, cost: TokenPrice | None = None, **settings: Any) -> Any:
    kind: Any = "anthropic" if model.startswith("claude") else "openai"
    provider = "anthropic" if kind == "anthropic" else "openai"
    tool = Tool("t", kind, model=model, provider=provider, settings={"max_tokens": 8, **settings})
    if cost is not None:
        tool = Tool("t", kind, model=model, cost=cost, settings=tool.settings)
    return pricing.ceiling(tool, Request("text"), AT)


def test_schemas_and_examples_in_the_settings_are_tokens_too(pricing: Pricing) -> None:
    schema = {"type": "json_schema", "json_schema": {"description": "x" * 1000}}
    plain = ceiling(pricing, "m", OWN)
    assert ceiling(pricing, "m", OWN, response_format=schema) >= plain + Decimal(1000) / 10**6
    assert ceiling(pricing, "m", OWN, temperature=0.5) == plain


def test_a_dearer_way_to_be_served_has_a_higher_ceiling(pricing: Pricing) -> None:
    usual = ceiling(pricing, "gpt-5")
    assert ceiling(pricing, "gpt-5", service_tier="priority") > usual
    assert ceiling(pricing, "gpt-5", service_tier="flex") >= usual  # it may be served as usual
    assert ceiling(pricing, "gpt-5", service_tier="auto") >= usual
    only = ceiling(pricing, "claude-haiku-4-5", service_tier="standard_only")
    assert only >= ceiling(pricing, "claude-haiku-4-5")


def test_a_way_to_be_served_without_a_known_price_has_no_ceiling(pricing: Pricing) -> None:
    assert ceiling(pricing, "gpt-5", speed="warp") is None


def test_writing_to_a_cache_may_cost_more_than_fresh_input(pricing: Pricing) -> None:
    cached = ceiling(pricing, "claude-haiku-4-5", cache_control={"type": "ephemeral"})
    assert cached > ceiling(pricing, "claude-haiku-4-5") * Decimal("1.2")


@pytest.mark.parametrize("said", [-1, 0, True, "8", None])
def test_what_is_no_limit_of_the_output_is_none(said: object) -> None:
    tool = Tool("t", "openai", model="m", settings={"max_tokens": said})
    assert not has_output_limit(tool)
    assert output_limit(tool) == ASSUMED_OUTPUT_TOKENS
