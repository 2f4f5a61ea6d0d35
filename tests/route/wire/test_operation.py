"""A path and its method tell what is asked, and whether it may cost money."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.wire.operation import operation_of

ANTHROPIC = [(b"anthropic-version", b"2023-06-01")]


@pytest.mark.parametrize(
    ("path", "name", "protocol", "below"),
    [
        ("/v1/chat/completions", "chat", "openai", "/chat/completions"),
        ("/openai/v1/chat/completions", "chat", "openai", "/chat/completions"),
        ("/openai/chat/completions", "chat", "openai", "/chat/completions"),
        ("/chat/completions", "chat", "openai", "/chat/completions"),
        ("/v1/chat/completions/", "chat", "openai", "/chat/completions"),
        ("/v1/completions", "completions", "openai", "/completions"),
        ("/v1/responses", "responses", "openai", "/responses"),
        ("/v1/embeddings", "embeddings", "openai", "/embeddings"),
        ("/v1/messages", "messages", "anthropic", "/messages"),
        ("/anthropic/v1/messages", "messages", "anthropic", "/messages"),
        ("/v1/messages/count_tokens", "count_tokens", "anthropic", "/messages/count_tokens"),
        ("/v1/responses/input_tokens", "count_tokens", "openai", "/responses/input_tokens"),
        ("/v1/images/generations", "other", "openai", "/images/generations"),
        ("/v1/messages/batches", "other", "openai", "/messages/batches"),
        ("/anthropic/v1/complete", "other", "anthropic", "/complete"),
        ("/openaiv1/chat/completions", "chat", "openai", "/openaiv1/chat/completions"),
        ("/v1/engines/a/Chat/Completions/", "chat", "openai", "/engines/a/Chat/Completions/"),
        ("/openai/v1/threads/a/messages", "other", "openai", "/threads/a/messages"),
    ],
)
def test_a_path_tells_the_operation(path: str, name: str, protocol: str, below: str) -> None:
    found = operation_of("POST", path, [])
    assert (found.name, found.protocol, found.upstream_path) == (name, protocol, below)
    assert not found.odd


def test_only_what_asks_for_text_can_be_answered_without_a_model() -> None:
    paths = ("chat/completions", "completions", "responses", "embeddings", "messages", "files")
    answering = [path for path in paths if operation_of("POST", f"/v1/{path}", []).answers]
    assert answering == ["chat/completions", "responses", "messages"]


def test_counting_tokens_and_listing_models_cost_nothing() -> None:
    assert not operation_of("POST", "/v1/messages/count_tokens", []).spends
    assert not operation_of("GET", "/v1/models", []).spends
    assert not operation_of("GET", "/v1/models/gpt-5", []).spends


def test_headers_tell_the_protocol_of_a_path_that_both_have() -> None:
    assert operation_of("GET", "/v1/models", []).protocol == "openai"
    assert operation_of("GET", "/v1/models", ANTHROPIC).protocol == "anthropic"
    assert operation_of("POST", "/v1/files", ANTHROPIC).protocol == "anthropic"
    assert operation_of("GET", "/openai/v1/models", ANTHROPIC).protocol == "openai"


def test_the_protocol_of_a_known_path_is_its_own_whatever_the_headers_say() -> None:
    assert operation_of("POST", "/v1/chat/completions", ANTHROPIC).name == "chat"


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/batches", "/", "/v1", "/x"])
def test_whatever_is_posted_to_an_unknown_path_may_cost_money(path: str) -> None:
    assert operation_of("POST", path, []).spends


def test_reading_costs_nothing_but_opening_a_conversation_may() -> None:
    assert not operation_of("GET", "/v1/files", []).spends
    assert not operation_of("DELETE", "/v1/responses/resp_1", []).spends
    assert operation_of("GET", "/v1/realtime", []).spends
    assert operation_of("GET", "/v1/responses", [(b"upgrade", b"websocket")]).spends


def test_another_method_is_another_operation() -> None:
    assert operation_of("PUT", "/v1/chat/completions", []).name == "other"
    assert operation_of("PUT", "/v1/chat/completions", []).spends


@pytest.mark.parametrize(
    "path",
    [
        "/v1/x/../chat/completions",
        "/v1/./chat/completions",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/%63hat/completions",
        "/v1/%2e%2e/admin",
        "/v1/..",
        "/v1\\chat\\completions",
        "/v1/chat/completions;x=1",
        "/v1/chat completions",
        "/v1/ch\u00e4t",
        "v1/chat/completions",
        "",
    ],
)
def test_a_path_that_servers_read_differently_is_odd(path: str) -> None:
    found = operation_of("POST", path, [])
    assert found.name == "other"
    assert found.odd


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), st.text(alphabet="/v1.%openaihtcmsg"))
def test_every_path_has_an_operation_that_starts_with_a_slash_or_is_odd(
    method: Any, path: str
) -> None:
    found = operation_of(method, path, [])
    assert found.odd or found.upstream_path.startswith("/")
