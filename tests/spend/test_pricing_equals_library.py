"""The engine prices as the library does, to the last place, or has a stated reason."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spend import price_library
from tests.spend.staged import at, charge, price_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.spend.staged import Priced

    from clearbar.spend.prices.book import PriceBook

METERS = {
    "input_tokens": 700_000,
    "input_audio_tokens": 9_000,
    "input_image_tokens": 9_000,
    "input_video_tokens": 9_000,
    "cache_read_tokens": 200_000,
    "cache_read_audio_tokens": 5_000,
    "cache_read_image_tokens": 5_000,
    "cache_write_5m_tokens": 50_000,
    "cache_write_1h_tokens": 50_000,
    "cache_write_tokens": 50_000,
    "output_tokens": 64_000,
    "output_audio_tokens": 9_000,
    "output_image_tokens": 9_000,
    "web_searches": 20,
    "file_searches": 20,
    "input_characters": 100_000,
    "audio_seconds": 10_000,
}
START = datetime(2025, 5, 1)  # noqa: DTZ001 - the ledger's timestamps are UTC without a zone
SECONDS = 60_000_000
LATE = datetime(2027, 6, 1)  # noqa: DTZ001 - as above
BATCH_GAPS = ("+anthropic-batch", "+openai-batch")
MODELS = sorted(price_library.models())
CONTEXTS_OF = {
    model: [
        stated
        for stated, context in price_library.CONTEXTS.items()
        if price_library.honours(model, context, LATE)
    ]
    for model in MODELS
}
MODELS_WITH_CONTEXTS = [model for model, served in CONTEXTS_OF.items() if len(served) > 1]


def random_charge(chance: random.Random) -> dict[str, Any]:
    model = chance.choice(MODELS if chance.random() < 0.5 else MODELS_WITH_CONTEXTS)
    served = CONTEXTS_OF[model] if chance.random() < 0.9 else list(price_library.CONTEXTS)
    tier, speed = chance.choice([("", ""), *served])
    usual = ["input_tokens", "output_tokens"]
    rare = chance.sample(sorted(METERS), chance.choice([0, 0, 1, 2, 3]))
    meters = {meter: chance.randint(1, METERS[meter]) for meter in sorted({*usual, *rare})}
    reasoning = chance.randint(0, meters["output_tokens"])
    return charge(
        model,
        service_tier=tier,
        speed=speed,
        started_at=START + timedelta(seconds=chance.randrange(SECONDS)),
        reasoning_tokens=reasoning,
        **meters,
    )


def relation(asked: dict[str, Any], found: Priced) -> str:
    """Return how a priced charge relates to the library's answer, in a word."""
    model, moment = asked["price_model"], asked["started_at"]
    meters = {meter: asked[meter] for meter in (*METERS, "reasoning_tokens")}
    context = price_library.CONTEXTS[asked["service_tier"], asked["speed"]]
    if found.basis == "unpriced":
        if not price_library.honours(model, context, moment):
            return "context without a price at that time"
        free = price_library.silently_free(model, meters, moment)
        return "meter that the library takes nothing for" if free else "wrongly unpriced"
    if (found.price_id or "").endswith(BATCH_GAPS):
        honoured = price_library.honours(model, context, moment)
        return "wrongly filled gap" if honoured else "batch before the library knew it"
    expected = price_library.cost(model, price_library.inclusive(meters), moment, context)
    return "equal" if found.cost_usd == expected else "different"


def relations(book: PriceBook, chance: random.Random, count: int) -> Counter[str]:
    asked = [random_charge(chance) for _ in range(count)]
    found = price_all(book, asked)
    return Counter(relation(*pair) for pair in zip(asked, found, strict=True))


WRONG = {"different", "wrongly unpriced", "wrongly filled gap"}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chance=st.randoms(use_true_random=False))
def test_any_request_costs_what_the_library_says_or_is_unpriced_for_a_stated_reason(
    book: PriceBook, chance: random.Random
) -> None:
    assert not WRONG & relations(book, chance, 40).keys()


@pytest.mark.slow
def test_four_thousand_requests_over_all_models_contexts_and_days_agree(book: PriceBook) -> None:
    counts = relations(book, random.Random(7), 4_000)
    assert not WRONG & counts.keys(), counts
    assert counts["equal"] > 1_500, counts


def payload_cases(
    payloads: list[dict[str, Any]],
) -> Iterator[tuple[str, str, dict[str, int], Decimal]]:
    """Yield (provider, model, inclusive usage, cost) for each price in the published file."""
    for payload in payloads:
        for extracted in payload["extracted"]:
            for answer in extracted["extractors"]:
                if "input_price" in answer:
                    parts = Decimal(answer["input_price"]) + Decimal(answer["output_price"])
                    total = Decimal(answer.get("total_price", parts))
                    yield answer["provider_id"], payload["model"], extracted["usage"], total


def payload_differences(book: PriceBook, payloads: list[dict[str, Any]]) -> Counter[str]:
    """Return how our cost of each published usage relates to the published one."""
    cases = list(payload_cases(payloads))
    names = book.resolve({(provider, model) for provider, model, _, _ in cases})
    moment = at("2026-08-21")
    asked = [
        charge(names[provider, model], started_at=moment, **price_library.disjoint(usage))
        for provider, model, usage, _ in cases
    ]
    return Counter(
        _payload_relation(each, found, usage, total)
        for each, found, (_, _, usage, total) in zip(
            asked, price_all(book, asked), cases, strict=True
        )
    )


def _payload_relation(
    asked: dict[str, Any], found: Priced, usage: dict[str, int], published: Decimal
) -> str:
    model, moment = asked["price_model"], asked["started_at"]
    if found.cost_usd == published:
        return "equal"
    if model is None:
        return "model not found"
    if found.basis == "unpriced":
        free = price_library.silently_free(model, price_library.disjoint(usage), moment)
        return "meter that the library takes nothing for" if free else "wrongly unpriced"
    now = price_library.cost(model, usage, moment)
    return "the library's price has changed since" if found.cost_usd == now else "different"


def test_published_usages_of_real_answers_cost_what_was_published(
    book: PriceBook, shared_data: Path
) -> None:
    text = (shared_data / "usage_payloads" / "usages.json").read_text()
    counts = payload_differences(book, json.loads(text))
    assert not counts.keys() & {"different", "wrongly unpriced", "model not found"}, counts
    assert counts["equal"] > 2_000, counts
