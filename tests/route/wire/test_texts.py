"""The texts of requests and answers, for tools without a protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.route.wire.asking import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    chat,
    compact,
    message,
    response,
)
from tests.route.wire.test_metering import TEXTS, chat_stream, message_stream, response_stream

from clearbar.route.wire.answering import answer
from clearbar.route.wire.reading import Asked
from clearbar.route.wire.texts import answer_text, request_of
from clearbar.tools.tool import Request

SAID = "Where is my parcel?"
PARTS = [{"type": "text", "text": "Where is"}, {"type": "text", "text": "my parcel?"}]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CHAT, chat()),
        (MESSAGES, message()),
        (RESPONSES, response()),
        (RESPONSES, response(input=[{"role": "user", "content": SAID}])),
        (
            RESPONSES,
            response(input=[{"role": "user", "content": [{"type": "input_text", "text": SAID}]}]),
        ),
        (EMBEDDINGS, compact({"model": "m", "input": SAID})),
        (COMPLETIONS, compact({"model": "m", "prompt": [SAID]})),
    ],
)
def test_one_message_of_the_user_is_the_input(operation: Any, body: bytes) -> None:
    assert request_of(operation, body) == Request(SAID)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (
            CHAT,
            chat(
                messages=[
                    {"role": "system", "content": "Be short."},
                    {"role": "user", "content": SAID},
                ]
            ),
        ),
        (
            CHAT,
            chat(
                messages=[
                    {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
                    {"role": "user", "content": SAID},
                ]
            ),
        ),
        (MESSAGES, message(system="Be short.")),
        (MESSAGES, message(system=[{"type": "text", "text": "Be short."}])),
        (RESPONSES, response(instructions="Be short.")),
    ],
)
def test_instructions_are_the_prompt(operation: Any, body: bytes) -> None:
    assert request_of(operation, body) == Request(SAID, "Be short.")


def test_the_parts_of_a_content_are_lines() -> None:
    body = chat(messages=[{"role": "user", "content": PARTS}])
    assert request_of(CHAT, body).input == "Where is\nmy parcel?"


def test_a_conversation_is_told_by_who_said_what() -> None:
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "not found"},
        {"role": "user", "content": SAID},
    ]
    assert request_of(CHAT, chat(messages=turns)).input == (
        "user: Hello\n\nassistant: Hello, how can I help?\n\ntool: not found\n\n"
        "user: Where is my parcel?"
    )


def test_results_of_tools_are_part_of_a_conversation() -> None:
    result = {"type": "tool_result", "content": [{"type": "text", "text": "not found"}]}
    body = message(messages=[{"role": "user", "content": [result]}])
    assert request_of(MESSAGES, body).input == "not found"
    items = [{"role": "user", "content": SAID}, {"type": "function_call_output", "output": "no"}]
    found = request_of(RESPONSES, response(input=items))
    assert found.input == "user: Where is my parcel?\n\ntool: no"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":7}', b'{"messages":[7]}'])
def test_a_body_without_messages_has_no_text(body: bytes) -> None:
    assert request_of(CHAT, body) == Request("")


@pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_of_ours_is_read_back(operation: Any, *, streamed: bool) -> None:
    kind, body = answer(operation, Asked(model="m", stream=streamed), SAID, "rules-1", "c1", 1)
    assert answer_text(operation, body, kind) == SAID


def test_a_stream_is_read_to_its_text() -> None:
    kind, text = b"text/event-stream", "".join(TEXTS)
    assert answer_text(CHAT, chat_stream(asked_for=False), kind) == text
    assert answer_text(MESSAGES, message_stream(), kind) == text
    assert answer_text(RESPONSES, response_stream(), kind) == text


def test_a_completion_is_read() -> None:
    whole = compact({"choices": [{"index": 0, "text": "abc"}, {"index": 1, "text": "x"}]})
    assert answer_text(COMPLETIONS, whole, b"application/json") == "abc"
    events = b"".join(b'data: {"choices":[{"text":"%b"}]}\n\n' % part for part in (b"a", b"b"))
    assert answer_text(COMPLETIONS, events, b"text/event-stream") == "ab"


@pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES, COMPLETIONS])
@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":{"type":"x"}}', b"data: 7\n\n"])
def test_what_holds_no_answer_has_no_text(operation: Any, kind: bytes, body: bytes) -> None:
    assert answer_text(operation, body, kind) == ""


def test_a_response_that_refuses_says_so() -> None:
    part = {"type": "refusal", "refusal": "Rather not."}
    body = json.dumps({"output": [{"type": "message", "content": [part]}]}).encode()
    assert answer_text(RESPONSES, body, b"application/json") == "Rather not."
