from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import litellm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def row(request_id: str = "chatcmpl-1", **changes: Any) -> dict[str, Any]:
    told = {"startTime": "2025-01-24 09:20:46.5", "spend": 0.1, "custom_llm_provider": "openai"}
    counts = {"prompt_tokens": 100, "completion_tokens": 10, "model": "gpt-4o"}
    return {"request_id": request_id, **told, **counts, **changes}


def details(**usage: Any) -> dict[str, Any]:
    return {"usage_object": usage}


def one(read: Callable[..., Any], **changes: Any) -> Any:
    records, problems = read("logs.json", json.dumps([row(**changes)]))
    assert problems == []
    return records[0]


def test_cached_tokens_are_taken_out_of_the_prompt(read: Callable[..., Any]) -> None:
    record = one(read, metadata=details(prompt_tokens_details={"cached_tokens": 60}))
    assert (record.input_tokens, record.cache_read_tokens) == (40, 60)


def test_a_prompt_without_its_cached_tokens_is_refused_not_clamped(
    read: Callable[..., Any],
) -> None:
    metadata = details(cache_read_input_tokens=101)
    records, problems = read("logs.json", json.dumps([row(metadata=metadata)]))
    assert records == []
    assert problems[0].what == "cached_tokens exceed prompt_tokens"


def test_a_cache_hit_costs_nothing_and_is_an_event_of_its_own(read: Callable[..., Any]) -> None:
    record = one(read, request_id="chatcmpl-1_cache_hit17", cache_hit="True")
    assert (record.status, record.reported_cost_usd) == ("cache_hit", Decimal(0))
    assert record.identity == "gateway:litellm:chatcmpl-1_cache_hit17"


REFUSED: dict[str, Any] = {
    "status": "failure",
    "spend": 0.0,
    "prompt_tokens": 100_000,
    "completion_tokens": 0,
    "metadata": {"error_information": {"error_code": "429"}},
}


def test_the_estimated_input_of_a_refused_request_is_no_usage(read: Callable[..., Any]) -> None:
    record = one(read, **REFUSED)
    assert (record.status, record.input_tokens, record.output_tokens) == ("error", 0, 0)
    assert record.reported_cost_usd == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"error_information": {"error_code": "500"}}},
        {"completion_tokens": 3},
        {"spend": 0.01},
        {"metadata": REFUSED["metadata"] | {"usage_object": {"prompt_tokens": 100_000}}},
        {"status": "success"},
    ],
)
def test_a_failed_row_that_may_be_billed_keeps_its_usage(
    changes: dict[str, Any], read: Callable[..., Any]
) -> None:
    assert one(read, **REFUSED | changes).input_tokens == 100_000


def test_a_known_form_of_id_is_the_providers(read: Callable[..., Any]) -> None:
    assert one(read, request_id="msg_7").identity == "upstream:msg_7"


def test_the_proxys_own_id_of_the_call_is_an_alias(read: Callable[..., Any]) -> None:
    record = one(read, request_id="msg_7", litellm_call_id="5a9d41c0-8e77")
    assert record.aliases == "gateway:litellm:5a9d41c0-8e77"


def test_a_cache_hit_is_known_by_no_other_id(read: Callable[..., Any]) -> None:
    assert one(read, cache_hit="True", litellm_call_id="5a9d41c0-8e77").aliases == ""


def test_a_request_without_an_id_is_known_by_what_it_says(read: Callable[..., Any]) -> None:
    assert one(read, request_id="").identity.startswith("content:litellm:")


def test_an_id_of_the_gateways_own_belongs_to_the_gateway(read: Callable[..., Any]) -> None:
    assert one(read, request_id="5f0c").identity == "gateway:litellm:5f0c"


def test_spend_is_exact_to_the_last_digit(read: Callable[..., Any]) -> None:
    text = json.dumps([row()]).replace("0.1,", "0.00022500000000000002,")
    records, _ = read("logs.json", text)
    assert records[0].reported_cost_usd == Decimal("0.00022500000000000002")


def test_no_spend_for_tokens_is_an_unknown_price_not_a_free_call(read: Callable[..., Any]) -> None:
    assert one(read, spend=0).reported_cost_usd is None
    assert one(read, spend=0, prompt_tokens=0, completion_tokens=0).reported_cost_usd == 0


def test_times_without_an_offset_are_utc(read: Callable[..., Any]) -> None:
    with_offset = one(read, startTime="2025-01-24T10:20:46.500+01:00")
    assert one(read).started_at_us == with_offset.started_at_us == 1_737_710_446_500_000


def test_a_key_that_is_not_hashed_is_never_kept(read: Callable[..., Any]) -> None:
    record = one(read, api_key="sk-secret-secret")
    assert "secret" not in record.origin.credential
    assert len(record.origin.credential) == 12


def test_a_row_without_counts_has_missing_usage(read: Callable[..., Any]) -> None:
    assert one(read, prompt_tokens=None, completion_tokens=None).usage == "missing"


def test_the_prefix_of_a_model_that_repeats_the_provider_is_dropped(
    read: Callable[..., Any],
) -> None:
    record = one(read, model="azure/gpt-4o", custom_llm_provider="azure")
    assert (record.origin.provider, record.origin.model) == ("azure", "gpt-4o")


def test_the_prefix_of_a_model_that_is_a_part_of_its_name_stays(read: Callable[..., Any]) -> None:
    record = one(read, model="meta-llama/llama-3", custom_llm_provider="together_ai")
    assert (record.origin.provider, record.origin.model) == ("together", "meta-llama/llama-3")


def test_audio_and_cached_input_together_leave_audio_out(read: Callable[..., Any]) -> None:
    prompt = {"cached_tokens": 60, "audio_tokens": 50}
    record = one(read, metadata=details(prompt_tokens_details=prompt))
    assert (record.input_tokens, record.input_audio_tokens) == (40, None)


def test_more_reasoning_than_completion_is_refused(read: Callable[..., Any]) -> None:
    metadata = details(completion_tokens_details={"reasoning_tokens": 11})
    _, problems = read("logs.json", json.dumps([row(metadata=metadata)]))
    assert problems[0].what == "reasoning_tokens exceed completion_tokens"


@pytest.mark.parametrize("metadata", ['{"usage_object": ', "{}", "null", None, 7])
def test_metadata_may_be_text_or_missing(read: Callable[..., Any], metadata: object) -> None:
    records, problems = read("logs.json", json.dumps([row(metadata=metadata)]))
    assert len(records) + len(problems) == 1


def test_the_payload_of_its_own_tests_is_read(shared_data: Path) -> None:
    path = shared_data / "formats" / "litellm" / "spend_logs_payload.json"
    (record,) = litellm.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert (record.input_tokens, record.output_tokens) == (10, 20)
