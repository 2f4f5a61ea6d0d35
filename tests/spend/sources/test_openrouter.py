from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES, openrouter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENERATION = {
    "id": "gen-invented0000000001",
    "upstream_id": "chatcmpl-invented0000000001",
    "total_cost": 0.00012,
    "created_at": "2026-10-05T09:14:00Z",
    "model": "openai/gpt-4o-mini",
    "provider_name": "OpenAI",
    "tokens_prompt": 90,
    "tokens_completion": 18,
    "native_tokens_prompt": 100,
    "native_tokens_completion": 20,
    "native_tokens_cached": 60,
    "is_byok": False,
}
DAY = {
    "date": "2026-10-05",
    "model": "openai/gpt-4o-mini",
    "model_permaslug": "openai/gpt-4o-mini-2024-07-18",
    "endpoint_id": "e-1",
    "provider_name": "OpenAI",
    "usage": 0.015,
    "byok_usage_inference": 0.3,
    "requests": 5,
    "prompt_tokens": 500,
    "completion_tokens": 125,
    "reasoning_tokens": 25,
}


@pytest.fixture
def one(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function: changed fields of a generation -> its record, or its problem."""

    def told(**changes: Any) -> Any:
        records, problems = read("g.json", json.dumps({"data": {**GENERATION, **changes}}))
        return (records + problems)[0]

    return told


def test_native_tokens_are_what_is_billed(one: Callable[..., Any]) -> None:
    record = one()
    assert (record.input_tokens, record.cache_read_tokens, record.output_tokens) == (40, 60, 20)


def test_what_was_taken_off_the_credits_is_a_bill(one: Callable[..., Any]) -> None:
    record = one()
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.00012"), "billed")


def test_the_generation_is_known_by_the_providers_id_too(one: Callable[..., Any]) -> None:
    record = one()
    assert record.identity == "upstream:gen-invented0000000001"
    assert record.aliases == "upstream:chatcmpl-invented0000000001"


def test_on_a_key_of_ones_own_only_the_fee_is_openrouters(one: Callable[..., Any]) -> None:
    record = one(is_byok=True, total_cost=0.000006, upstream_inference_cost=0.00012)
    assert record.reported_cost_usd == Decimal("0.000006")
    assert (record.input_tokens, record.aliases) == (None, "")
    assert "|byok=true|" in record.origin.labels


def test_a_cancelled_generation_is_billed(one: Callable[..., Any]) -> None:
    record = one(cancelled=True)
    assert (record.status, record.reported_cost_usd) == ("cancelled", Decimal("0.00012"))


def test_more_cached_than_came_in_is_refused(one: Callable[..., Any]) -> None:
    assert one(native_tokens_cached=101).what == "cached exceed native_tokens_prompt"


def test_the_real_page_is_read_with_its_total(shared_data: Path) -> None:
    path = shared_data / "formats" / "openrouter_csv" / "activity_fixture.csv"
    file = open_source_file(path)
    assert [each.NAME for each in SOURCES if each.recognises(file)] == ["openrouter"]
    records = [each for each in openrouter.read(file) if isinstance(each, Record)]
    costs = [each.reported_cost_usd for each in records]
    assert costs == [Decimal("0.12"), Decimal("0.34")]
    assert [each.output_tokens for each in records] == [20, 25]
    assert all("|tokens=normalised|" in each.origin.labels for each in records)


def test_a_day_of_activity_is_a_bucket_with_what_was_charged(read: Callable[..., Any]) -> None:
    [record], problems = read("a.json", json.dumps({"data": [DAY]}))
    assert (problems, record.grain, record.calls) == ([], "bucket", 5)
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.015"), "billed")
    assert "|byok=true|" in record.origin.labels


def test_a_later_reading_of_a_day_replaces_the_earlier(read: Callable[..., Any]) -> None:
    days = [DAY, {**DAY, "requests": 6}, {**DAY, "endpoint_id": "e-2"}]
    records, _ = read("a.json", json.dumps({"data": days}))
    first, second, other = (record.identity for record in records)
    assert first == second != other


def test_a_day_without_its_number_of_requests_is_refused(read: Callable[..., Any]) -> None:
    _, problems = read("a.json", json.dumps({"data": [{**DAY, "requests": None}]}))
    assert problems[0].what == "requests or usage is missing"
