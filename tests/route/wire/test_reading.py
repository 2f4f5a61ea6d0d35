"""What a body asks for is read, and what two readers could read differently is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.wire.asking import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    MESSAGES,
    OTHER,
    RESPONSES,
    SPENDING,
    chat,
    compact,
    message,
    response,
)

from clearbar.route.wire.reading import Asked, BadBody, read_body

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation


def test_a_plain_chat_asks_for_its_model_and_nothing_else() -> None:
    body = chat()
    asked = read_body(CHAT, body)
    assert (asked.model, asked.stream, asked.max_tokens, asked.choices) == (
        "gpt-5-mini",
        False,
        None,
        1,
    )
    flags = (asked.has_media, asked.has_stored, asked.has_fees, asked.in_background)
    assert not any(flags)
    assert asked.input_tokens >= len(body)


def test_a_chat_is_read_whole() -> None:
    body = chat(
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=300,
        n=3,
        user="u-1",
        metadata={"clearbar_task": "t-1"},
        service_tier="fast",
    )
    asked = read_body(CHAT, body)
    assert asked.stream
    assert asked.wants_usage
    assert (asked.max_tokens, asked.choices, asked.user) == (300, 3, "u-1")
    assert asked.metadata == {"clearbar_task": "t-1"}
    assert asked.service_tier == "priority"


def test_of_two_limits_the_higher_one_holds() -> None:
    assert read_body(CHAT, chat(max_tokens=10, max_completion_tokens=300)).max_tokens == 300


def test_a_limit_of_another_api_is_none() -> None:
    assert read_body(CHAT, chat(max_output_tokens=10)).max_tokens is None
    assert read_body(RESPONSES, response(max_tokens=10)).max_tokens is None


def test_a_response_is_read_whole() -> None:
    asked = read_body(RESPONSES, response(max_output_tokens=9, background=True, stream=True))
    assert (asked.max_tokens, asked.in_background, asked.stream) == (9, True, True)


def test_the_model_of_a_response_may_stand_in_a_stored_prompt() -> None:
    asked = read_body(RESPONSES, compact({"prompt": {"id": "pmpt_1"}}))
    assert asked.model == ""
    assert asked.has_stored


def test_a_message_is_read_whole() -> None:
    body = message(
        metadata={"user_id": "u-7"},
        thinking={"type": "enabled", "budget_tokens": 400},
        speed="fast",
        inference_geo="us",
        service_tier="standard_only",
    )
    asked = read_body(MESSAGES, body)
    assert (asked.max_tokens, asked.least_tokens, asked.user) == (500, 401, "u-7")
    assert (asked.speed, asked.geo, asked.service_tier) == ("fast", "us", "standard")


def test_each_prompt_of_a_completion_is_answered_so_many_times() -> None:
    body = compact({"model": "m", "prompt": ["a", "b"], "n": 2, "best_of": 3, "max_tokens": 5})
    assert read_body(COMPLETIONS, body).choices == 6


@pytest.mark.parametrize(
    ("prompt", "choices"), [("a", 1), ([1, 2, 3], 1), ([[1], [2]], 2), (["a"], 1), ([], 1)]
)
def test_a_list_of_tokens_is_one_prompt(prompt: object, choices: int) -> None:
    assert read_body(COMPLETIONS, compact({"model": "m", "prompt": prompt})).choices == choices


def test_embeddings_and_counting_have_no_output() -> None:
    assert read_body(EMBEDDINGS, compact({"model": "m", "input": "a"})).max_tokens == 0
    assert read_body(COUNT_TOKENS, message()).max_tokens == 0


def test_the_user_is_told_by_either_of_two_fields_and_the_older_one_stands() -> None:
    assert read_body(CHAT, chat(safety_identifier="s-1")).user == "s-1"
    assert read_body(CHAT, chat(safety_identifier="s-1", user="u-1")).user == "u-1"
    assert read_body(CHAT, chat(user="u-1", safety_identifier="s-1")).user == "u-1"


def test_nulls_are_as_if_they_were_not_there() -> None:
    names = ("max_tokens", "n", "stream", "stream_options", "user", "metadata", "service_tier")
    more = ("tools", "web_search_options", "audio", "modalities", "plugins")
    nothing = dict.fromkeys((*names, *more))
    asked, plain = read_body(CHAT, chat(**nothing)), read_body(CHAT, chat())
    asked.layout = plain.layout = None
    asked.input_tokens, asked.is_plain = plain.input_tokens, plain.is_plain
    asked.model_at = plain.model_at
    assert asked == plain


def test_metadata_that_is_no_text_is_left_out() -> None:
    assert read_body(CHAT, chat(metadata={"a": 1, "b": "x"})).metadata == {"b": "x"}


def test_what_is_asked_is_never_shown_with_its_texts() -> None:
    assert "parcel" not in repr(read_body(CHAT, chat()))


def image(kind: str) -> dict[str, Any]:
    return {"type": kind, "image_url": {"url": "https://example.com/x.png"}}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat(messages=[{"role": "user", "content": [image("image_url")]}])),
        (CHAT, chat(messages=[{"role": "user", "content": [{"type": "file", "file": {}}]}])),
        (CHAT, chat(messages=[{"role": "user", "content": [{"type": "of_the_future"}]}])),
        (CHAT, chat(messages=[{"role": "user", "content": [{"text": "no type"}]}])),
        (CHAT, chat(messages=[{"role": "user", "content": 5}])),
        (CHAT, chat(messages="not a list")),
        (CHAT, chat(modalities=["text", "audio"])),
        (CHAT, chat(audio={"voice": "alloy", "format": "mp3"})),
        (
            CHAT,
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"image\\u005furl"}]}]}',
        ),
        (RESPONSES, response(input=[{"role": "user", "content": [image("input_image")]}])),
        (RESPONSES, response(input=[{"type": "computer_call_output", "output": {}}])),
        (
            RESPONSES,
            response(input=[{"type": "function_call_output", "output": [image("input_image")]}]),
        ),
        (RESPONSES, response(input=5)),
        (MESSAGES, message(messages=[{"role": "user", "content": [{"type": "image"}]}])),
        (MESSAGES, message(messages=[{"role": "user", "content": [{"type": "document"}]}])),
        (
            MESSAGES,
            message(
                messages=[
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": [{"type": "image"}]}],
                    }
                ]
            ),
        ),
        (EMBEDDINGS, compact({"model": "m", "input": [{"image": "x"}]})),
        (COMPLETIONS, compact({"model": "m", "prompt": [{"image": "x"}]})),
    ],
)
def test_input_that_the_bytes_do_not_bound_is_told(operation: Operation, body: bytes) -> None:
    assert read_body(operation, body).has_media


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}]}])),
        (CHAT, chat(messages=[{"role": "assistant", "content": None, "tool_calls": []}])),
        (CHAT, chat(modalities=["text"])),
        (RESPONSES, response(input=[{"role": "user", "content": [{"type": "input_text"}]}])),
        (RESPONSES, response(input=[{"type": "function_call_output", "output": "21 degrees"}])),
        (RESPONSES, response(input=[{"type": "reasoning", "summary": []}])),
        (
            MESSAGES,
            message(
                messages=[
                    {"role": "user", "content": [{"type": "tool_result", "content": "21 degrees"}]}
                ]
            ),
        ),
        (EMBEDDINGS, compact({"model": "m", "input": ["a", "b"]})),
        (EMBEDDINGS, compact({"model": "m", "input": [[1, 2], [3]]})),
    ],
)
def test_text_of_every_shape_is_bounded_by_its_bytes(operation: Operation, body: bytes) -> None:
    asked = read_body(operation, body)
    assert not asked.has_media
    assert not asked.has_stored


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (RESPONSES, response(previous_response_id="resp_1")),
        (RESPONSES, response(conversation="conv_1")),
        (RESPONSES, response(input=[{"type": "item_reference", "id": "msg_1"}])),
        (CHAT, chat(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}])),
    ],
)
def test_input_that_lies_at_the_provider_is_told(operation: Operation, body: bytes) -> None:
    assert read_body(operation, body).has_stored


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat(web_search_options={"search_context_size": "low"})),
        (CHAT, chat(plugins=[{"id": "web"}])),
        (CHAT, chat(model="gpt-4o-search-preview")),
        (RESPONSES, response(tools=[{"type": "web_search"}])),
        (RESPONSES, response(tools=[{"type": "code_interpreter", "container": "auto"}])),
        (RESPONSES, response(tools=[{"type": "of_the_future"}])),
        (RESPONSES, response(tools={"odd": 1})),
        (MESSAGES, message(tools=[{"type": "web_search_20250305", "name": "web_search"}])),
        (MESSAGES, message(mcp_servers=[{"url": "https://example.com"}])),
    ],
)
def test_tools_that_the_provider_runs_have_fees(operation: Operation, body: bytes) -> None:
    assert read_body(operation, body).has_fees


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat(tools=[{"type": "function", "function": {"name": "f"}}])),
        (CHAT, chat(web_search_options=None, plugins=[])),
        (RESPONSES, response(tools=[{"type": "function", "name": "f"}])),
        (MESSAGES, message(tools=[{"name": "f", "input_schema": {}}])),
        (MESSAGES, message(tools=[{"type": "bash_20250124", "name": "bash"}])),
        (MESSAGES, message(tools=[], mcp_servers=[])),
    ],
)
def test_tools_that_the_client_runs_have_none(operation: Operation, body: bytes) -> None:
    assert not read_body(operation, body).has_fees


def test_what_the_provider_says_about_tools_counts_as_input() -> None:
    body = message(tools=[{"type": "bash_20250124", "name": "bash"}])
    assert read_body(MESSAGES, body).input_tokens > len(body) + 1000
    assert read_body(MESSAGES, message(tools=[])).input_tokens < 1000


@pytest.mark.parametrize("operation", SPENDING, ids=lambda each: each.name)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"model":"a","model":"b"}', "twice"),
        (b'{"model":"a","mod\\u0065l":"b"}', "twice"),
        (b'{"model":7}', "model"),
        (b'{"model":"two words"}', "model"),
        (b'{"model":"' + b"m" * 257 + b'"}', "model"),
    ],
)
def test_a_body_that_cannot_be_served_is_refused(
    operation: Operation, body: bytes, why: str
) -> None:
    with pytest.raises(BadBody, match=why):
        read_body(operation, body)


@pytest.mark.parametrize("operation", [CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, COUNT_TOKENS])
def test_a_body_without_a_model_is_refused(operation: Operation) -> None:
    with pytest.raises(BadBody, match="names no model"):
        read_body(operation, b'{"messages":[]}')


@pytest.mark.parametrize(
    "field",
    [
        {"max_tokens": "100"},
        {"max_tokens": -1},
        {"max_tokens": 1.5},
        {"max_tokens": 10**8},
        {"max_tokens": True},
        {"max_completion_tokens": []},
        {"n": -1},
        {"n": "2"},
        {"stream": 1},
        {"stream": "true"},
        {"stream_options": {"include_usage": 1}},
        {"stream_options": []},
        {"metadata": "no object"},
    ],
)
def test_a_field_that_matters_is_of_its_kind(field: dict[str, Any]) -> None:
    name = next(iter(field))
    with pytest.raises(BadBody, match=f"{name}|include_usage"):
        read_body(CHAT, chat(**field))


@pytest.mark.parametrize(
    "more",
    [
        b'"stream_options":{"include_usage":true,"include_usage":false}',
        b'"metadata":{"clearbar_task":"a","clearbar_task":"b"}',
        b'"metadata":{"a":"b", "a":"b"}',
    ],
)
def test_a_name_that_is_there_twice_inside_a_field_that_matters_is_refused(more: bytes) -> None:
    with pytest.raises(BadBody, match="twice"):
        read_body(CHAT, chat()[:-1] + b"," + more + b"}")


def test_a_refusal_quotes_nothing() -> None:
    with pytest.raises(BadBody) as refused:
        read_body(CHAT, b'{"secret prompt":1,"secret prompt":2}')
    assert "secret" not in refused.value.message


def test_another_route_is_read_as_far_as_it_is_json() -> None:
    assert read_body(OTHER, b'{"model":"gpt-image-1","prompt":"a cat"}').model == "gpt-image-1"
    assert read_body(OTHER, b"--boundary\r\nnot json").model == ""
    assert read_body(OTHER, b"").has_media


def test_another_route_is_refused_where_it_is_ambiguous() -> None:
    with pytest.raises(BadBody, match="twice"):
        read_body(OTHER, b'{"model":"a","model":"b"}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
names = st.sampled_from(
    [
        *("model", "stream", "max_tokens", "n", "messages", "input", "tools", "metadata"),
        *("stream_options", "thinking", "user", "service_tier", "best_of", "background"),
        *("modalities", "prompt"),
    ]
)


@given(st.sampled_from(SPENDING), st.dictionaries(names, json_values))
def test_whatever_the_fields_hold_the_body_is_read_or_refused(
    operation: Operation, value: dict[str, Any]
) -> None:
    body = compact(value).replace(b"\\", b"")
    try:
        asked = read_body(operation, body)
    except BadBody:
        return
    assert asked.input_tokens >= len(body)
    assert asked.choices >= 1


@given(st.sampled_from(SPENDING), st.binary(max_size=60))
def test_whatever_the_bytes_are_the_body_is_read_or_refused(
    operation: Operation, body: bytes
) -> None:
    try:
        asked = read_body(operation, body)
    except BadBody:
        return
    assert isinstance(asked, Asked)
