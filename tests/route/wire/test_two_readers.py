"""What our reader and another one could take for two different requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.route.wire.asking import CHAT, MESSAGES, RESPONSES, chat

from clearbar.route.wire.operation import operation_of
from clearbar.route.wire.reading import BadBody, read_body
from clearbar.route.wire.texts import answer_text, request_of


@pytest.mark.parametrize(
    "name",
    ["Model", "MODEL", "mODEL", "Max_Tokens", "N", "Stream", "max_to\u212aens", "\u017ftream"],
)
def test_a_name_in_other_letters_is_refused(name: str) -> None:
    with pytest.raises(BadBody, match="in other letters"):
        read_body(CHAT, chat(**{name: "gpt-5-pro"}))


def test_a_name_that_nobody_reads_may_stand_in_any_letters() -> None:
    assert read_body(CHAT, chat(Temperature=1, X=2)).model == "gpt-5-mini"


def test_a_body_of_too_many_parts_is_refused_before_it_is_read() -> None:
    body = b'{"model":"m","messages":[' + b",".join([b"{}"] * 600_000) + b"]}"
    with pytest.raises(BadBody, match="parts"):
        read_body(CHAT, body)


def test_metadata_beyond_measure_is_refused() -> None:
    with pytest.raises(BadBody, match="metadata is longer"):
        read_body(CHAT, chat(metadata={"a": "b" * 70_000}))


def nested(levels: int, kind: object) -> Any:
    content: Any = "hello"
    for _ in range(levels):
        content = [{"type": kind, "content": content}]
    return content


@pytest.mark.parametrize("operation", [CHAT, MESSAGES])
@pytest.mark.parametrize("kind", ["tool_result", {}, [], None, 7])
def test_contents_inside_contents_are_read_to_a_depth_and_no_further(
    operation: Any, kind: object
) -> None:
    def asked(levels: int) -> str:
        body = {"messages": [{"role": "user", "content": nested(levels, kind)}]}
        return request_of(operation, json.dumps(body).encode()).input

    assert asked(2) == "hello"
    assert asked(300) == ""


def test_an_answer_nested_without_end_has_no_text() -> None:
    body = {"output": [{"type": "message", "content": nested(300, {})}]}
    assert answer_text(RESPONSES, json.dumps(body).encode(), b"application/json") == ""


@pytest.mark.parametrize(
    ("path", "name", "below"),
    [
        ("/v1/Chat/Completions", "chat", "/Chat/Completions"),
        ("/v1/engines/a/chat/completions", "chat", "/engines/a/chat/completions"),
        ("/openai/deployments/a/embeddings", "embeddings", "/deployments/a/embeddings"),
        ("/anthropic/v1/x/messages", "messages", "/x/messages"),
    ],
)
def test_a_second_path_to_an_operation_is_that_operation(path: str, name: str, below: str) -> None:
    found = operation_of("POST", path, [])
    assert (found.name, found.upstream_path, found.spends) == (name, below, True)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/v1/realtime", "/v1/Organization/x", "/v1/v1/organizations", "/key/generate", "/admin"],
)
def test_what_hands_out_keys_or_governs_the_account_is_closed(method: str, path: str) -> None:
    assert operation_of(method, path, []).closed


@pytest.mark.parametrize(
    "path", ["/v1/batches", "/v1/Batches/", "/v1/threads/t/runs", "/v1/videos"]
)
def test_work_that_goes_on_after_the_reply_is_told(path: str) -> None:
    assert operation_of("POST", path, []).unmetered
    assert not operation_of("GET", path, []).unmetered


def test_what_is_answered_at_once_is_neither_closed_nor_unmetered() -> None:
    for path in ("/v1/chat/completions", "/v1/files", "/v1/keyed", "/v1/images/generations"):
        found = operation_of("POST", path, [])
        assert not found.closed
        assert not found.unmetered
