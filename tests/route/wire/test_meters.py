"""What a usage says, meter by meter: what does not add up is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.wire.asking import CHAT, EMBEDDINGS, MESSAGES, OTHER, RESPONSES, SPENDING

from clearbar.route.wire.meters import fees_of, meters_of
from clearbar.route.wire.operation import operation_of
from clearbar.spend.charge import METERS
from clearbar.tools.wire_usage import openai_usage

counts = st.none() | st.integers(0, 50) | st.sampled_from([-1, 10**14, 1.5, "7", "", "x"])
names = ["cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens"]
details = st.none() | st.dictionaries(st.sampled_from(names), counts)
usages = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "prompt_tokens_details": details,
        "completion_tokens_details": details,
    },
)


@given(usages)
def test_the_short_way_says_what_the_long_one_says(usage: dict[str, Any]) -> None:
    told = meters_of(CHAT, usage)
    audio = [(usage.get(f"{side}_tokens_details") or {}) for side in ("prompt", "completion")]
    if any(each.get("audio_tokens") for each in audio):
        return
    said = openai_usage(usage)
    if said is None:
        assert told is None
        return
    expected = {
        "input_tokens": said.input_tokens,
        "cache_read_tokens": said.cache_read_tokens,
        "cache_write_tokens": said.cache_write_tokens,
        "output_tokens": said.output_tokens,
        "reasoning_tokens": said.reasoning_tokens,
    }
    assert told == {name: count for name, count in expected.items() if count is not None}


@given(st.sampled_from([*SPENDING, OTHER]), usages)
def test_no_usage_raises_or_holds_what_is_no_meter(operation: Any, usage: dict[str, Any]) -> None:
    meters = meters_of(operation, usage) or {}
    assert set(meters) <= {*METERS, "reasoning_tokens"}
    assert all(count >= 0 for count in meters.values())


def test_a_cache_that_took_nothing_is_reported_all_the_same() -> None:
    details = {"cached_tokens": 0, "cache_write_tokens": 0}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert meters_of(CHAT, {**usage, "prompt_tokens_details": details}) == {
        "input_tokens": 5,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 2,
    }


def sound(prompt: int, heard: int, output: int, spoken: int, **inputs: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"audio_tokens": heard, **inputs},
        "completion_tokens_details": {"audio_tokens": spoken},
    }


def test_sound_has_meters_of_its_own() -> None:
    assert meters_of(CHAT, sound(100, 60, 50, 20)) == {
        "input_tokens": 40,
        "input_audio_tokens": 60,
        "output_tokens": 30,
        "output_audio_tokens": 20,
    }


@pytest.mark.parametrize(
    "usage",
    [
        sound(100, 60, 50, 20, cached_tokens=10),
        sound(100, 101, 50, 20),
        sound(100, 60, 50, 51),
        sound(100, -1, 50, 20),
        {**sound(100, 60, 50, 20), "prompt_tokens": None},
        {**sound(100, 60, 50, 20), "total_tokens": 1},
    ],
)
def test_sound_that_does_not_add_up_is_unknown(usage: dict[str, Any]) -> None:
    assert meters_of(CHAT, usage) is None


def test_searches_of_a_message_are_a_meter() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "server_tool_use": {"web_search_requests": 3}}
    assert meters_of(MESSAGES, usage) == {
        "input_tokens": 1,
        "output_tokens": 2,
        "web_searches": 3,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"server_tool_use": {"web_search_requests": -1}},
        {"iterations": [{"type": "compaction", "input_tokens": 9}]},
        {"input_tokens": -1},
    ],
)
def test_a_message_that_does_not_add_up_is_unknown(more: dict[str, Any]) -> None:
    assert meters_of(MESSAGES, {"input_tokens": 1, "output_tokens": 2, **more}) is None


def test_searches_do_not_hide_what_does_not_add_up() -> None:
    usage = {"input_tokens": -1, "server_tool_use": {"web_search_requests": 3}}
    assert meters_of(MESSAGES, usage) is None


def test_a_route_that_is_not_known_is_read_by_the_names_of_its_counts() -> None:
    other = operation_of("POST", "/anthropic/v1/complete", [])
    assert meters_of(other, {"input_tokens": 1, "output_tokens": 2}) == {
        "input_tokens": 1,
        "output_tokens": 2,
    }
    assert meters_of(OTHER, {"prompt_tokens": 1, "completion_tokens": 0}) == {
        "input_tokens": 1,
        "output_tokens": 0,
    }
    assert meters_of(OTHER, {"input_tokens": 1}) is None


def test_responses_and_embeddings_count_in_their_own_words() -> None:
    usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2}
    assert meters_of(RESPONSES, usage) == {
        "input_tokens": 5,
        "cache_read_tokens": 4,
        "output_tokens": 2,
    }
    assert meters_of(EMBEDDINGS, {"prompt_tokens": 9, "total_tokens": 9}) == {"input_tokens": 9}


def test_the_provider_s_own_count_of_searches_stands() -> None:
    output = [{"type": "web_search_call"}, {"type": "web_search_call"}]
    assert fees_of({"output": output}) == {"web_searches": 2}
    told = {"web_search": {"num_requests": 3}}
    assert fees_of({"output": output, "tool_usage": told}) == {"web_searches": 3}


@pytest.mark.parametrize(
    "response",
    [
        {"output": [{"type": "image_generation_call"}]},
        {"tool_usage": {"image_gen": {"total_tokens": 900}}},
        {"tool_usage": {"web_search": {"num_requests": -1}}},
    ],
)
def test_what_tools_used_beside_the_counts_makes_it_unknown(response: dict[str, Any]) -> None:
    assert fees_of(response) is None


def test_a_response_without_tools_has_no_fees() -> None:
    assert fees_of({"output": [{"type": "message"}, 7]}) == {}
    assert fees_of({"output": None}) == {}
