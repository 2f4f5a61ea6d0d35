"""Requests in both protocols, and what whole bodies say."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Request, TokenUsage, Tool
from clearbar.tools.wire import DEFAULT_MAX_TOKENS, body_of, headers_of, read_answer
from clearbar.tools.wire_errors import NotAnAnswer

CHAT = Tool("chat", "openai", model="small-1")
MESSAGES = Tool("messages", "anthropic", model="large-1")
REQUEST = Request("Where is my parcel?", "Answer in one word.")


def body(tool: Tool, request: Request = REQUEST, *, stream: bool = False) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(body_of(tool, request, stream=stream))
    return decoded


def said(protocol: str, **fields: Any) -> bytes:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "input_tokens": 7, "output_tokens": 2}
    message = {"role": "assistant", "content": "On its way"}
    whole: dict[str, Any] = {"id": "x-1", "model": "small-1-2026", "usage": usage}
    if protocol == "openai":
        whole |= {"choices": [{"message": message, "finish_reason": "stop"}]}
    else:
        content = [{"type": "text", "text": "On its way"}]
        whole |= {"content": content, "stop_reason": "end_turn", "type": "message"}
    return json.dumps({**whole, **fields}).encode()


def test_the_prompt_is_a_system_message_of_a_chat() -> None:
    assert body(CHAT)["messages"] == [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Where is my parcel?"},
    ]


def test_the_prompt_stands_beside_the_messages_of_anthropic() -> None:
    sent = body(MESSAGES)
    assert sent["system"] == "Answer in one word."
    assert sent["messages"] == [{"role": "user", "content": "Where is my parcel?"}]


@pytest.mark.parametrize("tool", [CHAT, MESSAGES])
def test_no_prompt_sends_no_system_message(tool: Tool) -> None:
    sent = body(tool, Request("hello"))
    assert "system" not in sent
    assert [each["role"] for each in sent["messages"]] == ["user"]


def test_anthropic_is_given_a_limit_where_the_settings_have_none() -> None:
    assert body(MESSAGES)["max_tokens"] == DEFAULT_MAX_TOKENS
    limited = Tool("messages", "anthropic", model="m", settings={"max_tokens": 9})
    assert body(limited)["max_tokens"] == 9


def test_settings_are_sent_as_given_numbers_as_numbers() -> None:
    tool = Tool("chat", "openai", model="m", settings={"temperature": Decimal("0.20"), "seed": 1})
    assert b'"temperature":0.20' in body_of(tool, REQUEST)
    assert body(tool)["seed"] == 1


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n", "system"])
def test_settings_may_not_stand_for_the_request(name: str) -> None:
    with pytest.raises(ClearbarError, match=f"no settings: {name}"):
        body_of(Tool("chat", "openai", model="m", settings={name: 2}), REQUEST)


def test_an_endpoint_without_a_model_is_not_asked() -> None:
    with pytest.raises(ClearbarError, match="no model"):
        body_of(Tool("chat", "openai"), REQUEST)


def test_a_stream_of_openai_is_asked_to_count_its_tokens() -> None:
    assert body(CHAT, stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(MESSAGES, stream=True)
    assert body(MESSAGES, stream=True)["stream"] is True
    assert "stream" not in body(CHAT)


def test_each_protocol_has_its_own_header_for_the_key() -> None:
    assert headers_of(CHAT, "k")["authorization"] == "Bearer k"
    assert headers_of(MESSAGES, "k")["x-api-key"] == "k"
    assert "anthropic-version" in headers_of(MESSAGES, None)
    assert not {"authorization", "x-api-key"} & {
        *headers_of(CHAT, None),
        *headers_of(MESSAGES, None),
    }


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_body_says_text_model_id_usage_and_why_it_stopped(protocol: Any) -> None:
    answer = read_answer(protocol, said(protocol))
    assert (answer.text, answer.model, answer.upstream_id) == ("On its way", "small-1-2026", "x-1")
    assert answer.usage == TokenUsage(input_tokens=7, output_tokens=2)
    assert answer.stop_reason in {"stop", "end_turn"}


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_an_answer_without_usage_is_an_answer(protocol: Any) -> None:
    assert read_answer(protocol, said(protocol, usage=None)).usage is None


def test_how_it_was_served_is_kept_by_its_one_name() -> None:
    assert read_answer("openai", said("openai", service_tier="default")).service_tier == "standard"
    usage = {"input_tokens": 1, "service_tier": "batch", "speed": "fast", "inference_geo": "us"}
    answer = read_answer("anthropic", said("anthropic", usage=usage))
    assert (answer.service_tier, answer.speed, answer.geo) == ("batch", "fast", "us")


@pytest.mark.parametrize("text", ["the whole prompt", "x" * 257, "\x1b[31m", "café", "", 7, None])
@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_text_in_place_of_a_name_is_not_kept(protocol: Any, text: object) -> None:
    names = {"id": text, "model": text, "service_tier": text, "stop_reason": text}
    usage = {"input_tokens": 1, "output_tokens": 1, "service_tier": text, "speed": text}
    more = {"usage": usage} if protocol == "anthropic" else {}
    found = read_answer(protocol, said(protocol, **names, **more))
    kept = (found.upstream_id, found.model, found.service_tier, found.speed, found.geo)
    assert kept == ("", "", "", "", "")


def test_a_refusal_is_what_the_model_said() -> None:
    message = {"content": None, "refusal": "I would rather not."}
    answer = read_answer("openai", said("openai", choices=[{"message": message}]))
    assert answer.text == "I would rather not."


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert (
        read_answer("openai", said("openai", choices=[{"message": {"content": parts}}])).text
        == "ab"
    )
    thought = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]
    assert read_answer("anthropic", said("anthropic", content=thought)).text == "yes"


def test_half_a_character_in_a_text_does_not_lose_the_answer() -> None:
    payload = said("openai").replace(b"On its way", rb"On \ud83d its way")
    assert read_answer("openai", payload).text == "On \ufffd its way"


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[1]", b"null", b"{}", b"{" * 10_000])
def test_what_is_no_json_object_is_no_answer(protocol: Any, payload: bytes) -> None:
    with pytest.raises(NotAnAnswer) as raised:
        read_answer(protocol, payload)
    assert raised.value.retry


@pytest.mark.parametrize(
    ("protocol", "fields"),
    [
        ("openai", {"choices": []}),
        ("openai", {"choices": [{"text": "old"}]}),
        ("openai", {"choices": "none"}),
        ("anthropic", {"content": None}),
    ],
)
def test_an_object_without_a_message_is_no_answer_but_may_have_used_tokens(
    protocol: Any, fields: dict[str, Any]
) -> None:
    with pytest.raises(NotAnAnswer) as raised:
        read_answer(protocol, said(protocol, **fields))
    assert raised.value.usage == TokenUsage(input_tokens=7, output_tokens=2)
    assert raised.value.upstream_id == "x-1"


@pytest.mark.parametrize(
    ("error", "what", "retry"),
    [
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, "quota", False),
        ({"type": "overloaded_error"}, "overloaded", True),
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, "too long", False),
        ({"type": "something new", "code": 17}, "reported an error", True),
        ("a bare text", "reported an error", True),
    ],
)
def test_an_error_body_is_told_in_words_of_ours(error: object, what: str, retry: bool) -> None:  # noqa: FBT001
    payload = json.dumps({"type": "error", "error": error}).encode()
    with pytest.raises(NotAnAnswer, match=what) as raised:
        read_answer("anthropic", payload)
    assert raised.value.retry is retry


keys = st.sampled_from(["choices", "message", "content", "usage", "text", "type", "error", "id"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50)
@given(body=st.dictionaries(keys, json_values), protocol=st.sampled_from(["openai", "anthropic"]))
def test_any_object_is_an_answer_or_none(body: dict[str, Any], protocol: Any) -> None:
    with suppress(NotAnAnswer):
        assert isinstance(read_answer(protocol, json.dumps(body).encode()).text, str)
