"""A reply of many megabytes is not kept, and its usage is known all the same."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.route.wire.metering import meter_for
from clearbar.route.wire.operation import operation_of

if TYPE_CHECKING:
    from clearbar.route.wire.told import Metered

CHAT = operation_of("POST", "/v1/chat/completions", ())
EMBEDDINGS = operation_of("POST", "/v1/embeddings", ())
MESSAGES = operation_of("POST", "/v1/messages", ())
JSON = b"application/json"
MB = 2**20
LONG = "x" * (3 * MB)
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
METERS = {"input_tokens": 9, "output_tokens": 4}


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def metered(payload: bytes, operation: Any = CHAT, piece: int = 65_536) -> Metered:
    meter = meter_for(operation, None, 200, JSON)
    for start in range(0, len(payload), piece):
        meter.feed(payload[start : start + piece])
    meter.finish()
    return meter.metered()


def used(payload: bytes) -> dict[str, int] | None:
    usage = metered(payload).usage
    return None if usage is None else {name: count for name, count in usage.items() if count}


@pytest.mark.parametrize("piece", [1000, 65_536, 8 * MB])
def test_usage_at_the_end_is_read(piece: int) -> None:
    payload = compact({"id": "a", "choices": [{"text": LONG}], "usage": USAGE})
    usage = metered(payload, piece=piece).usage
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (9, 4)


def test_and_what_stands_behind_it() -> None:
    payload = compact({"a": LONG, "usage": USAGE, "service_tier": "priority", "z": [{"b": 1}]})
    assert metered(payload).service_tier == "priority"
    assert used(payload) == METERS


@pytest.mark.parametrize("piece", [1000, 65_536, 8 * MB])
def test_the_model_stands_in_the_first_bytes(piece: int) -> None:
    answer = {"role": "assistant", "content": LONG}
    reply = {"id": "chatcmpl-1", "object": "x", "model": "gpt-5-2026", "choices": [answer]}
    found = metered(compact(reply | {"usage": USAGE}), piece=piece)
    assert (found.model, found.upstream_id) == ("gpt-5-2026", "chatcmpl-1")
    assert found.usage is not None


@pytest.mark.parametrize(
    "reply",
    [
        {"a": {"model": "other"}, "z": LONG},
        {"a": 'says "model":"other"', "z": LONG},
        {"a": [{"model": "other"}], "z": LONG},
        {"model": 7, "z": LONG},
        {"z": LONG, "model": "too late"},
    ],
)
def test_what_only_looks_like_the_model_is_not(reply: dict[str, Any]) -> None:
    assert metered(compact(reply | {"usage": USAGE})).model == ""


def test_the_model_is_found_behind_what_looks_like_it() -> None:
    reply = {"a": {"model": "other"}, "model": "gpt-5-2026", "z": LONG, "usage": USAGE}
    assert metered(compact(reply)).model == "gpt-5-2026"


def test_of_embeddings_and_messages_too() -> None:
    embeddings = {"data": [LONG], "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    usage = metered(compact(embeddings), EMBEDDINGS).usage
    assert usage is not None
    assert usage["input_tokens"] == 9
    message = {"content": [LONG], "usage": {"input_tokens": 9, "output_tokens": 4}}
    usage = metered(compact(message), MESSAGES).usage
    assert usage is not None
    assert usage["output_tokens"] == 4


@pytest.mark.parametrize(
    "behind",
    [
        {"z": {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}},
        {"z": [{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}]},
        {"z": '"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'},
        {"z": '","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'},
    ],
)
def test_a_nested_usage_or_one_in_a_text_is_not_taken(behind: dict[str, object]) -> None:
    assert used(compact({"a": LONG, "usage": USAGE, **behind})) == METERS
    assert used(compact({"a": LONG, **behind})) is None


def test_usage_far_from_the_end_is_unknown() -> None:
    assert used(compact({"usage": USAGE, "a": LONG})) is None


def test_a_reply_that_is_no_json_is_unknown() -> None:
    assert used(b"x" * 3 * MB + b'"usage":{"prompt_tokens":1') is None


def test_what_is_kept_does_not_grow_with_the_reply() -> None:
    meter = meter_for(CHAT, None, 200, JSON)
    tracemalloc.start()
    try:
        for _ in range(640):
            meter.feed(bytes(65_536))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * MB
