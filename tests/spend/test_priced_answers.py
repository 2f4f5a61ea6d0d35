"""Answers and what they cost, worked out by hand: cases in which other programs erred."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import total

from clearbar.core.store import Store
from clearbar.spend.files.candidates import candidates
from clearbar.spend.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger
    from clearbar.spend.usage import Usage

CACHED = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 1253,
    "cache_read_input_tokens": 128955,
    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253},
    "output_tokens": 500,
}


@pytest.fixture
def spent(tmp_path: Path, ledger: Ledger, book: PriceBook) -> Iterator[Callable[..., Usage]]:
    """Return a function: lines of a log -> what the ledger sums them to."""
    store = Store(tmp_path / "facts.db")

    def spend(*lines: dict[str, Any], name: str = "answers.jsonl") -> Usage:
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        now = datetime(2026, 11, 1, tzinfo=UTC)
        ingest(candidates([name], tmp_path), ledger, book, store, (), tmp_path, now)
        return total(ledger)

    yield spend
    store.close()


def message(usage: dict[str, Any], number: int = 1, **changes: Any) -> dict[str, Any]:
    body = {
        "id": f"msg_01{number:022}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": "end_turn",
        "usage": usage,
        **changes,
    }
    return {"timestamp": "2026-10-20T09:30:00Z", "response": body}


def chat(usage: dict[str, Any], number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:024}",
        "object": "chat.completion",
        "created": 1792000000,
        "choices": [],
        "usage": usage,
        **changes,
    }


def test_a_cache_of_two_lifetimes_and_two_searches(spent: Callable[..., Usage]) -> None:
    # 5 x 3 + 128955 x 0.3 + 1000 x 3.75 + 253 x 6 + 500 x 15 micro-dollars, and 2 x $0.01.
    usage = {**CACHED, "server_tool_use": {"web_search_requests": 2}}
    assert spent(message(usage)).cost_usd == Decimal("0.0714695")


def test_a_batch_costs_half_also_of_its_cache(spent: Callable[..., Usage]) -> None:
    assert spent(message({**CACHED, "service_tier": "batch"})).cost_usd == Decimal("0.02573475")


def test_written_tokens_are_not_fresh_ones_too(spent: Callable[..., Usage]) -> None:
    # 3 x 3 + 12304 x 3.75 + 550 x 15 micro-dollars: litellm #9812 told $0.091311.
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 12304, "output_tokens": 550}
    split = {"cache_creation": {"ephemeral_5m_input_tokens": 12304}}
    assert spent(message({**usage, **split})).cost_usd == Decimal("0.054399")


def test_the_input_of_a_message_is_counted_once(spent: Callable[..., Usage]) -> None:
    found = spent(message(CACHED))
    assert found.input_tokens + found.cache_read_tokens + found.cache_write_tokens == 130_213


def test_compaction_is_paid_beside_the_message(spent: Callable[..., Usage]) -> None:
    # 180 x 3 + 8 x 15, and 100 x 3 + 82 x 15 micro-dollars.
    inner = {"type": "compaction", "input_tokens": 100, "output_tokens": 82}
    usage = {"input_tokens": 180, "output_tokens": 8, "iterations": [inner]}
    found = spent(message(usage))
    assert (found.cost_usd, found.calls) == (Decimal("0.00219"), 2)


def test_the_deltas_of_a_stream_are_paid_once(spent: Callable[..., Usage]) -> None:
    start = message({"input_tokens": 1000, "output_tokens": 1}, stop_reason=None)
    events = [{"type": "message_start", "message": start["response"]}]
    events += [
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": n}}
        for n, stop in ((40, None), (90, None), (100, "end_turn"))
    ]
    lines = [{"timestamp": "2026-10-20T09:30:00Z", "event": event} for event in events]
    assert spent(*lines).cost_usd == Decimal("0.0045")


@pytest.mark.parametrize(("tier", "cost"), [("default", "0.0217"), ("priority", "0.0434")])
def test_the_tier_that_served_sets_the_price(
    spent: Callable[..., Usage], tier: str, cost: str
) -> None:
    # 1500 x 4 + 8000 x 0.4 + 500 x 5 + 500 x 20 micro-dollars; priority is twice that.
    details = {"cached_tokens": 8000, "cache_write_tokens": 500}
    usage = {
        "prompt_tokens": 10_000,
        "completion_tokens": 500,
        "total_tokens": 10_500,
        "prompt_tokens_details": details,
    }
    found = spent(chat(usage, model="gpt-5.6-sol", service_tier=tier))
    assert found.cost_usd == Decimal(cost)


def test_reasoning_is_paid_as_output_and_once(spent: Callable[..., Usage]) -> None:
    # 1000 x 1.25 + 500 x 10 micro-dollars.
    details = {"reasoning_tokens": 400}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    found = spent(chat({**usage, "completion_tokens_details": details}, model="gpt-5-2025-08-07"))
    assert found.cost_usd == Decimal("0.00625")


def test_rejected_predictions_are_paid(spent: Callable[..., Usage]) -> None:
    # 100 x 2.5 + 40 x 10 micro-dollars.
    details = {"rejected_prediction_tokens": 15, "accepted_prediction_tokens": 10}
    usage = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
    answer = chat({**usage, "completion_tokens_details": details}, model="gpt-4o-2024-08-06")
    assert spent(answer).cost_usd == Decimal("0.00065")


def test_a_stream_that_tells_no_usage_is_not_free(spent: Callable[..., Usage]) -> None:
    chunk = {**chat({}), "object": "chat.completion.chunk", "model": "gpt-4o", "usage": None}
    found = spent(chunk, chunk)
    assert (found.calls, found.calls_unpriced, found.cost_usd) == (1, 1, Decimal(0))


def test_the_same_log_read_twice_is_paid_once(spent: Callable[..., Usage]) -> None:
    once = spent(message(CACHED), message(CACHED, 2))
    assert spent(message(CACHED, 2), message(CACHED), name="again.jsonl") == once


def test_an_answer_and_the_agents_log_of_it_are_one_charge(spent: Callable[..., Usage]) -> None:
    answer = message(CACHED)
    line = {
        "type": "assistant",
        "sessionId": "4f0c",
        "uuid": "a1",
        "timestamp": "2026-10-20T09:30:01Z",
        "message": {**answer["response"], "usage": {**CACHED, "output_tokens": 9}},
    }
    once = spent(answer)
    assert spent(line, name="session.jsonl") == once


def test_an_answer_and_its_stream_are_one_charge(spent: Callable[..., Usage]) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
    answer = chat(usage, model="gpt-4o-2024-08-06")
    once = spent(answer)
    cut = {**answer, "object": "chat.completion.chunk", "choices": [{}], "usage": None}
    assert spent(cut, name="chunks.jsonl") == once


def test_a_bill_is_worth_what_it_says(spent: Callable[..., Usage]) -> None:
    result = {"amount": "123.45", "currency": "USD", "cost_type": "tokens"}
    day = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    page = {"data": [{**day, "results": [result]}]}
    found = spent(page, name="costs.json")
    assert (found.cost_usd, found.calls) == (Decimal("1.2345"), 0)


def test_a_bill_that_was_pulled_again_replaces_the_earlier_one(spent: Callable[..., Usage]) -> None:
    def page(value: float, pulled_at: str) -> dict[str, Any]:
        amount = {"value": value, "currency": "usd"}
        result = {"object": "organization.costs.result", "amount": amount}
        bucket = {"start_time": 1790812800, "end_time": 1790899200, "results": [result]}
        return {"object": "page", "pulled_at": pulled_at, "data": [bucket]}

    spent(page(9.5, "2026-10-03T00:00:00Z"), name="second.json")
    spent(page(9.75, "2026-10-02T00:00:00Z"), name="first.json")
    assert spent(page(9.25, "2026-10-05T00:00:00Z"), name="third.json").cost_usd == Decimal("9.25")
