"""What an answer says that it used, in disjoint meters; what does not add up is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.tools.tool import TokenUsage
from clearbar.tools.wire_usage import (
    anthropic_usage,
    embeddings_usage,
    openai_usage,
    responses_usage,
)

counts = st.integers(0, 10**9)


def chat(**said: Any) -> dict[str, Any]:
    return {"prompt_tokens": 1000, "completion_tokens": 200, **said}


def test_openai_counts_cached_tokens_inside_the_prompt() -> None:
    usage = openai_usage(chat(prompt_tokens_details={"cached_tokens": 600}))
    assert usage == TokenUsage(input_tokens=400, cache_read_tokens=600, output_tokens=200)


def test_openai_counts_written_tokens_inside_the_prompt() -> None:
    details = {"cached_tokens": 600, "cache_write_tokens": 300}
    usage = openai_usage(chat(prompt_tokens_details=details))
    assert usage is not None
    assert (usage.input_tokens, usage.cache_write_tokens) == (100, 300)


def test_anthropic_counts_cached_tokens_beside_the_input() -> None:
    said = {"input_tokens": 5, "cache_read_input_tokens": 128_955, "output_tokens": 500}
    split = {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253}
    written = {"cache_creation_input_tokens": 1253, "cache_creation": split}
    assert anthropic_usage({**said, **written}) == TokenUsage(
        input_tokens=5,
        cache_read_tokens=128_955,
        cache_write_5m_tokens=1000,
        cache_write_1h_tokens=253,
        output_tokens=500,
    )


def test_writes_of_an_untold_lifetime_are_writes() -> None:
    usage = anthropic_usage({"input_tokens": 5, "cache_creation_input_tokens": 7})
    assert usage == TokenUsage(input_tokens=5, cache_write_tokens=7)


def test_thinking_is_a_part_of_the_output() -> None:
    said = {"input_tokens": 5, "output_tokens": 50}
    usage = anthropic_usage({**said, "output_tokens_details": {"thinking_tokens": 30}})
    assert usage == TokenUsage(input_tokens=5, output_tokens=50, reasoning_tokens=30)


def test_reasoning_is_inside_the_completion_where_the_total_says_so() -> None:
    details = {"reasoning_tokens": 150}
    usage = openai_usage(chat(total_tokens=1200, completion_tokens_details=details))
    assert usage is not None
    assert (usage.output_tokens, usage.reasoning_tokens) == (200, 150)


def test_reasoning_is_beside_the_completion_where_the_total_says_so() -> None:
    details = {"reasoning_tokens": 150}
    usage = openai_usage(chat(total_tokens=1350, completion_tokens_details=details))
    assert usage is not None
    assert (usage.output_tokens, usage.reasoning_tokens) == (350, 150)


@pytest.mark.parametrize(
    "said",
    [
        chat(prompt_tokens_details={"cached_tokens": 1001}),
        chat(prompt_tokens_details={"cached_tokens": -1}),
        chat(prompt_tokens=-5),
        chat(completion_tokens=1.5),
        chat(completion_tokens=True),
        chat(completion_tokens=10**15),
        chat(completion_tokens_details={"reasoning_tokens": 201}),
        chat(completion_tokens_details={"audio_tokens": 3}),
        chat(prompt_tokens_details={"audio_tokens": 3}),
        chat(total_tokens=1300),
        {"prompt_tokens_details": {"cached_tokens": 3}},
        {},
        None,
        "many",
        [1, 2],
    ],
)
def test_a_usage_of_openai_that_does_not_add_up_is_unknown(said: object) -> None:
    assert openai_usage(said) is None


@pytest.mark.parametrize(
    "said",
    [
        {"input_tokens": -1, "output_tokens": 3},
        {"input_tokens": 1, "output_tokens": 10**14},
        {"input_tokens": "1", "output_tokens": 3},
        {"input_tokens": 1, "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 4}},
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 4},
        },
        {},
        None,
        7,
    ],
)
def test_a_usage_of_anthropic_that_does_not_add_up_is_unknown(said: object) -> None:
    assert anthropic_usage(said) is None


@pytest.mark.parametrize(
    "more",
    [
        {"server_tool_use": {"web_search_requests": 2}},
        {"iterations": [{"type": "compaction", "input_tokens": 9}]},
    ],
)
def test_work_that_the_counts_leave_out_makes_the_usage_unknown(more: dict[str, Any]) -> None:
    assert anthropic_usage({"input_tokens": 1, "output_tokens": 3, **more}) is None


def test_nulls_are_not_reported_and_never_zero() -> None:
    said = chat(prompt_tokens_details=None, completion_tokens_details={"reasoning_tokens": None})
    assert openai_usage(said) == TokenUsage(input_tokens=1000, output_tokens=200)


@given(fresh=counts, read=counts, written=counts, output=counts)
def test_whatever_openai_counts_the_meters_sum_to_the_prompt(
    fresh: int, read: int, written: int, output: int
) -> None:
    said = {
        "prompt_tokens": fresh + read + written,
        "completion_tokens": output,
        "total_tokens": fresh + read + written + output,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    assert openai_usage(said) == TokenUsage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
    )


values = st.none() | st.integers(-5, 50) | st.floats(allow_nan=False) | st.text(max_size=2)
openai_names = st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"])
parts = st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), values)


@given(st.dictionaries(openai_names, values), parts, parts)
def test_no_usage_raises_or_holds_a_negative_meter(
    said: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    details = {"prompt_tokens_details": inputs, "completion_tokens_details": outputs}
    usage = openai_usage({**said, **details})
    if usage is not None:
        meters = (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens)
        assert all(each is None or each >= 0 for each in meters)


def test_the_responses_api_counts_the_same_under_other_names() -> None:
    said = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
        "output_tokens": 200,
        "output_tokens_details": {"reasoning_tokens": 150},
        "total_tokens": 1200,
    }
    assert responses_usage(said) == TokenUsage(
        input_tokens=100,
        cache_read_tokens=600,
        cache_write_tokens=300,
        output_tokens=200,
        reasoning_tokens=150,
    )


@pytest.mark.parametrize(
    "said",
    [
        {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 6}},
        {"input_tokens": 5, "output_tokens": 5, "total_tokens": 11},
        {"prompt_tokens": 5},
        {},
        None,
    ],
)
def test_a_usage_of_responses_that_does_not_add_up_is_unknown(said: object) -> None:
    assert responses_usage(said) is None


def test_embeddings_have_input_alone() -> None:
    assert embeddings_usage({"prompt_tokens": 8, "total_tokens": 8}) == TokenUsage(input_tokens=8)
    assert embeddings_usage({"prompt_tokens": 8}) == TokenUsage(input_tokens=8)


@pytest.mark.parametrize(
    "said", [{"prompt_tokens": 8, "total_tokens": 9}, {"prompt_tokens": -8}, {}, None, "many"]
)
def test_a_usage_of_embeddings_that_does_not_add_up_is_unknown(said: object) -> None:
    assert embeddings_usage(said) is None
