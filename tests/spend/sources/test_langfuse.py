from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES, langfuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRACE = "8c1f0d2e4b5a69788796a5b4c3d2e1f0"


def generation(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a000000000000001",
        "traceId": TRACE,
        "type": "GENERATION",
        "startTime": "2026-10-05T09:14:00Z",
        "parentObservationId": None,
        "model": "gpt-4o-mini",
        "usageDetails": {"input": 100, "output": 20, "total": 120},
        **changes,
    }


@pytest.fixture
def one(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function: fields of a generation -> its record, or its problem."""

    def told(**changes: Any) -> Any:
        records, problems = read("o.json", json.dumps({"data": [generation(**changes)]}))
        return (records + problems)[0]

    return told


def meters(record: Record) -> tuple[int | None, ...]:
    return (record.input_tokens, record.cache_read_tokens, record.output_tokens)


def test_cached_tokens_beside_the_input_are_added(one: Callable[..., Any]) -> None:
    usage = {"input": 1647, "input_cached_tokens": 115584, "output": 225, "total": 117456}
    assert meters(one(usageDetails=usage)) == (1647, 115584, 225)


def test_cached_tokens_inside_the_input_are_taken_off_it(one: Callable[..., Any]) -> None:
    usage = {"input": 117231, "input_cached_tokens": 115584, "output": 225, "total": 117456}
    assert meters(one(usageDetails=usage)) == (1647, 115584, 225)


def test_the_programs_own_count_tells_what_a_total_that_was_added_up_hides(
    one: Callable[..., Any],
) -> None:
    usage = {"input": 130213, "input_cached_tokens": 128955, "input_cache_creation": 1253}
    usage |= {"output": 10, "total": 130213 + 128955 + 1253 + 10}
    said = {"attributes": {"gen_ai.usage.input_tokens": "130213"}}
    record = one(usageDetails=usage, metadata=json.dumps(said))
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_tokens) == (
        5,
        128955,
        1253,
    )


def test_one_bucket_under_two_names_is_refused_where_the_total_holds_both(
    one: Callable[..., Any],
) -> None:
    usage = {"input": 40, "input_cached_tokens": 60, "cache_read_input_tokens": 60, "output": 10}
    assert meters(one(usageDetails=usage | {"total": 110})) == (40, 60, 10)
    assert one(usageDetails=usage | {"total": 170}).what.startswith("the buckets of usage")


def test_reasoning_beside_the_output_is_output(one: Callable[..., Any]) -> None:
    usage = {"input": 179, "output": 35, "output_reasoning": 64, "total": 278}
    record = one(usageDetails=usage)
    assert (record.output_tokens, record.reasoning_tokens) == (99, 64)


def test_reasoning_that_the_program_counted_in_its_output_is_not_added(
    one: Callable[..., Any],
) -> None:
    usage = {"input": 179, "output": 99, "output_reasoning": 64, "total": 342}
    said = {"attributes": {"gen_ai.usage.output_tokens": 99}}
    assert one(usageDetails=usage, metadata=said).output_tokens == 99


def test_the_vercel_sdk_counts_anthropics_cache_beside_whatever_else_it_says(
    one: Callable[..., Any],
) -> None:
    usage = {"input": 500, "input_cached_tokens": 300, "output": 20, "total": 820}
    said = {"ai.operationId": "ai.streamText.doStream", "ai.model.provider": "anthropic.messages"}
    said["gen_ai.usage.input_tokens"] = "500"
    assert meters(one(usageDetails=usage, metadata={"attributes": said})) == (500, 300, 20)


def test_a_total_that_nothing_explains_is_refused(one: Callable[..., Any]) -> None:
    usage = {"input": 5, "output": 845, "total": 2023}
    assert one(usageDetails=usage).what == "the buckets of usage do not sum to the total"


def test_characters_are_no_tokens(one: Callable[..., Any]) -> None:
    usage = {"input": 400, "output": 90, "unit": "CHARACTERS"}
    record = one(usageDetails=None, usage=usage)
    assert (record.input_tokens, record.usage) == (None, "missing")


def test_a_cost_of_zero_is_no_cost(one: Callable[..., Any]) -> None:
    assert one(totalCost=0).reported_cost_usd is None


def test_an_observation_that_came_by_opentelemetry_is_its_span(one: Callable[..., Any]) -> None:
    assert one().identity == f"span:{TRACE}:a000000000000001"


def test_an_id_that_is_no_span_is_langfuses_own(one: Callable[..., Any]) -> None:
    record = one(id="0d8f5427-c91a-44c8-86c5-e12d806edd57")
    assert record.identity == f"client:langfuse:{TRACE}:0d8f5427-c91a-44c8-86c5-e12d806edd57"


def test_an_outer_generation_repeats_the_inner(read: Callable[..., Any]) -> None:
    outer = generation(usageDetails={"input": 900, "output": 90, "total": 990})
    inner = generation(id="a000000000000002", parentObservationId=outer["id"])
    records, _ = read(
        "t.json", json.dumps({"trace": {"id": TRACE}, "observations": [outer, inner]})
    )
    assert [record.input_tokens for record in records] == [100]


def test_an_agent_around_a_generation_is_no_charge(read: Callable[..., Any]) -> None:
    agent = generation(id="a000000000000009", type="AGENT")
    records, _ = read("o.jsonl", f"{json.dumps(agent)}\n{json.dumps(generation())}")
    assert len(records) == 1


def test_prompts_and_answers_are_not_kept(one: Callable[..., Any]) -> None:
    record = one(input="secret", output="secret", metadata={"attributes": {"x": "secret"}})
    assert "secret" not in repr(record)


TOTALS = {
    "agno-2025-06-11": (2, 826, 245),
    "autogen-2025-06-06": (1, 41, 3),
    "beeai-2025-08-01": (5, 5542, 0),
    "claude-agent-2025-12-22": (4, 34, 232),
    "crewai-2025-07-11": (1, 190, 164),
    "csharp-agent-with-gemini-2026-03-09": (3, 8047, 414),
    "google-adk-2025-08-28": (2, 67, 9),
    "google-gemini-2025-08-01": (1, 6, 2055),
    "google-vertex-tools-langchain-2025-09-19": (1, 1200, 15),
    "koog-2025-08-26": (2, 215, 125),
    "langgraph-2025-08-22": (2, 168, 66),
    "langgraph-js-2025-10-30": (2, 321, 123),
    "langgraph-python-2025-08-22": (2, 168, 66),
    "llamaindex-2025-06-05": (1, 13, 81),
    "microsoft-agent-2025-10-14": (2, 656, 105),
    "microsoft-agent-2025-12-17": (2, 293, 106),
    "openai-agents-2025-09-30": (2, 140, 44),
    "openai-assistants-2024-05-29": (1, 49, 40),
    "pydantic-ai-2025-06-06": (1, 31, 96),
    "pydantic-ai-tools-2025-06-06": (1, 31, 96),
    "pydantic-ai-tools-2025-12-04": (4, 1315, 209),
    "pydantic-ai-with-gemini-2025-12-24": (1, 40, 159),
    "vercel-aisdk-2025-11-17": (1, 62, 85),
}
"""Calls, input and output of the innermost generations, added up by hand."""
REFUSED = {"vertex-ai-2025-08-01": "the buckets of usage do not sum to the total"}


def test_every_real_trace_is_read_with_its_total_or_refused_with_a_reason(
    shared_data: Path,
) -> None:
    paths = sorted((shared_data / "formats" / "langfuse_traces").glob("*.json"))
    found: dict[str, object] = {}
    for path in paths:
        file = open_source_file(path)
        assert [each.NAME for each in SOURCES if each.recognises(file)] == ["langfuse"]
        items = list(langfuse.read(file))
        name = path.name.removesuffix(".json").removesuffix(".trace")
        problems = [each.what for each in items if isinstance(each, Problem)]
        records = [each for each in items if isinstance(each, Record)]
        told: object = problems[0] if problems else _sums(records)
        assert found.setdefault(name, told) == told, "both exports of a trace tell the same"
    assert found == TOTALS | REFUSED


def _sums(records: list[Record]) -> tuple[int, int, int]:
    return (
        sum(each.calls for each in records),
        sum(each.input_tokens or 0 for each in records),
        sum(each.output_tokens or 0 for each in records),
    )


def test_a_real_batch_of_litellm_names_the_providers_id(shared_data: Path) -> None:
    path = shared_data / "formats" / "litellm" / "langfuse_ingestion_batch_completion.json"
    (record,) = langfuse.read(open_source_file(path))
    assert isinstance(record, Record)
    assert record.identity == "upstream:chatcmpl-521e530f-5e29-4d0a-8d1a-58fca0a847c2"
    assert (record.input_tokens, record.output_tokens) == (10, 20)
    assert str(record.reported_cost_usd) == "0.000054999999999999995"
