"""Which models are frontier, small, no model at all, or unknown."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from genai_prices import data
from genai_prices.types import ConditionalPrice, TieredPrices

from clearbar.own.tiers import shipped_tiers, tier_of
from clearbar.own.workflow import TierRule

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import ModelInfo

    from clearbar.tools.tool import Tier

TABLE = shipped_tiers()
VENDORS = ("anthropic", "openai", "google", "mistral", "x-ai", "cohere", "deepseek", "moonshotai")


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("claude-opus-4-6", "frontier"),
        ("claude-sonnet-5", "frontier"),
        ("claude-haiku-4-5", "small"),
        ("gpt-4o", "frontier"),
        ("gpt-4o-mini", "small"),
        ("gpt-6-luna", "small"),
        ("gpt-3.5-turbo", "small"),
        ("gpt-oss-120b", "small"),
        ("o1", "frontier"),
        ("o4-mini", "small"),
        ("gemini-3.1-pro-preview", "frontier"),
        ("gemini-2.5-flash-lite", "small"),
        ("gemma-3-27b-it", "small"),
        ("mistral-large-2411", "frontier"),
        ("mistral-small-latest", "small"),
        ("llama-3.3-70b-versatile", "small"),
        ("qwen3-32b", "small"),
        ("deepseek-reasoner", "small"),
        ("grok-4-0709", "frontier"),
        ("grok-4-fast-reasoning", "small"),
        ("command-a", "frontier"),
        ("command-r7b", "small"),
        ("text-embedding-3-large", "small"),
        ("whisper-1", "small"),
        ("gpt-4o-mini-tts", "small"),
        ("<synthetic>", "none"),
        ("", "unknown"),
        ("  ", "unknown"),
        ("acme-7", "unknown"),
    ],
)
def test_the_shipped_table_knows_the_models_in_use(model: str, tier: Tier) -> None:
    assert tier_of(model, (), TABLE) == tier


@pytest.mark.parametrize(
    "name",
    [
        "Claude-Opus-4-6",
        "anthropic/claude-opus-4-6",
        "us.anthropic.claude-opus-4-6-v1:0",
        "~anthropic/claude-opus-latest",
        "claude-opus-4-6@20260205",
        "vertex_ai/claude-opus-4-6",
    ],
)
def test_routers_regions_and_versions_do_not_change_the_tier(name: str) -> None:
    assert tier_of(name, (), TABLE) == "frontier"


def test_a_service_behind_the_name_does_not_change_the_tier() -> None:
    assert tier_of("google/gemini-2.5-flash:batch", (), TABLE) == "small"
    assert tier_of("ft:gpt-4o-mini-2024-07-18:acme::id", (), TABLE) == "small"


def test_your_own_rules_come_before_the_table_and_the_first_wins() -> None:
    rules = (TierRule("gpt-4o", "small"), TierRule("gpt-*", "none"))
    assert tier_of("openai/gpt-4o", rules, TABLE) == "small"
    assert tier_of("gpt-5", rules, TABLE) == "none"
    assert tier_of("claude-opus-4-6", rules, TABLE) == "frontier"


def test_the_table_says_of_when_it_is_and_where_it_draws_the_line() -> None:
    assert date(2026, 1, 1) < TABLE.as_of
    assert TABLE.frontier_usd_per_million > 0


def output_usd_per_million(model: ModelInfo) -> Decimal | None:
    """The highest list price that it ever had."""
    dated = (
        model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    )
    found = [price.prices.output_mtok for price in dated]
    return max(
        (each.base if isinstance(each, TieredPrices) else each for each in found if each),
        default=None,
    )


def test_no_vendor_lists_a_frontier_model_below_the_line() -> None:
    listed = [
        (model.id, price)
        for provider in data.providers
        if provider.id in VENDORS
        for model in provider.models
        if (price := output_usd_per_million(model)) is not None
    ]
    frontier = [
        (model, price) for model, price in listed if tier_of(model, (), TABLE) == "frontier"
    ]
    assert len(frontier) > 50
    assert [each for each in frontier if each[1] < TABLE.frontier_usd_per_million] == []


def test_every_model_on_the_price_lists_of_the_vendors_has_a_tier() -> None:
    models = [
        m.id for provider in data.providers if provider.id in VENDORS for m in provider.models
    ]
    assert [model for model in models if tier_of(model, (), TABLE) == "unknown"] == []


def test_nine_of_ten_models_on_all_price_lists_have_a_tier() -> None:
    tiers = [tier_of(m.id, (), TABLE) for provider in data.providers for m in provider.models]
    assert tiers.count("unknown") < 0.1 * len(tiers)
