"""The sample's constants against the price library, which the sample itself never asks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random

import pytest
from genai_prices import Usage, calc_price

from clearbar.sample.calls import Call, calls_of, task_starts
from clearbar.sample.company import STORIES
from clearbar.sample.prices import (
    CONTRACT_SHARE,
    GPT_5,
    LIST_PRICES,
    LONG_CONTEXT_PRICES,
    LONG_CONTEXT_TOKENS,
    MISTRAL_LARGE,
    RERANKER,
    CacheLifetime,
    Model,
    Tokens,
    cost_usd,
)
from clearbar.sample.story import AS_OF, DAYS, FIRST_DAY, Story


def library_cost(model: Model, tokens: Tokens, lifetime: CacheLifetime, at: datetime) -> Decimal:
    writes = tokens.cache_write
    usage = Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cache_read or None,
        cache_write_tokens=writes or None,
        output_tokens=tokens.output,
        **({f"cache_write_{lifetime}_tokens": writes} if writes and lifetime != "unknown" else {}),
    )
    price = calc_price(usage, model.name, provider_id=model.provider, genai_request_timestamp=at)
    return price.total_price


def calls(story: Story) -> list[Call]:
    rng = Random(story.name)
    return list(calls_of(story, task_starts(story, rng), rng))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_tenth_call_costs_what_the_library_says_at_its_time(story: Story) -> None:
    for call in calls(story)[::10]:
        model = call.step.model
        if call.status == "ok" and model in LIST_PRICES and model not in CONTRACT_SHARE:
            expected = library_cost(model, call.tokens, call.step.lifetime, call.started_at)
            assert call.cost_usd == expected


@pytest.mark.parametrize("model", sorted(LIST_PRICES))
def test_every_list_price_is_constant_over_the_ninety_days(model: Model) -> None:
    tokens = Tokens(fresh=10_000, output=1_000)
    found = {
        library_cost(
            model,
            tokens,
            "unknown",
            datetime.combine(FIRST_DAY + timedelta(days=day), time(day % 24), UTC),
        )
        for day in range(DAYS)
    }
    ours = cost_usd(model, tokens)
    assert ours is not None
    assert found == {ours / CONTRACT_SHARE.get(model, Decimal(1))}


@pytest.mark.parametrize("model", sorted(LONG_CONTEXT_PRICES))
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_the_price_cliff_stands_where_the_library_has_it(model: Model, beyond: int) -> None:
    tokens = Tokens(LONG_CONTEXT_TOKENS - 5_000 + beyond, 5_000, 0, 700)
    at = datetime.combine(AS_OF - timedelta(days=1), time(12), UTC)
    assert cost_usd(model, tokens) == library_cost(model, tokens, "unknown", at)


def test_a_bill_charges_whole_micro_dollars_below_the_list_price() -> None:
    assert cost_usd(MISTRAL_LARGE, Tokens(fresh=9_001)) == Decimal("0.016202")


def test_a_model_that_nobody_priced_has_no_cost() -> None:
    assert cost_usd(RERANKER, Tokens(fresh=1)) is None


def test_a_use_without_a_price_is_never_a_number() -> None:
    cost = cost_usd(GPT_5, Tokens(cache_write=1))
    assert cost is not None
    assert cost.is_nan()
