"""Replies pass as they are, or as the client would have seen them, and their usage is known."""

from __future__ import annotations

import json
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
    MODELS,
    OTHER,
    RESPONSES,
    compact,
)
from tests.route.wire.cutting import cuts, pieces_of

from clearbar.route.wire import metering
from clearbar.route.wire.answering import answer
from clearbar.route.wire.metering import meter_for
from clearbar.route.wire.reading import Asked

if TYPE_CHECKING:
    from clearbar.route.wire.metering import Metered
    from clearbar.route.wire.operation import Operation

JSON, EVENTS = b"application/json", b"text/event-stream; charset=utf-8"
STREAM = Asked(model="m", stream=True)
TOLD = Asked(model="m", stream=True, wants_usage=True)
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 0},
}
METERS = {
    "input_tokens": 40,
    "cache_read_tokens": 60,
    "output_tokens": 20,
    "reasoning_tokens": 7,
}
TEXTS = ["Your parcel", " is on its way \u2014", ' it said "soon"', " \U0001f4e6"]
SAID_BYTES = sum(len(each.encode()) for each in TEXTS)


def passed(
    operation: Operation, asked: Asked | None, pieces: list[bytes], kind: bytes = EVENTS
) -> tuple[bytes, Metered]:
    meter = meter_for(operation, asked, 200, kind)
    out = b"".join(meter.feed(piece) for piece in pieces) + meter.finish()
    return out, meter.metered()


def whole(operation: Operation, reply: object, status: int = 200) -> Metered:
    payload = reply if isinstance(reply, bytes) else compact(reply)
    meter = meter_for(operation, None, status, JSON)
    assert meter.feed(payload) + meter.finish() == payload
    return meter.metered()


def chunk(
    delta: dict[str, Any] | None, *, spaced: bool = False, stop: str | None = None, **more: Any
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": stop}]
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini-2026"}
    value = {**shared, "service_tier": "default", "choices": choices, **more}
    return f"data: {json.dumps(value) if spaced else compact(value).decode()}\n\n".encode()


def chat_stream(*, asked_for: bool, spaced: bool = False) -> bytes:
    """The same stream with its usage asked for and without."""
    unknown: dict[str, Any] = {"usage": None} if asked_for else {}
    events = [chunk({"role": "assistant", "content": ""}, spaced=spaced, **unknown)]
    events += [chunk({"content": text}, spaced=spaced, **unknown) for text in TEXTS]
    events.append(chunk({}, spaced=spaced, stop="stop", **unknown))
    if asked_for:
        events.append(chunk(None, spaced=spaced, usage=USAGE))
    return b"".join([b": keep-alive\n\n", *events, b"data: [DONE]\n\n"])


def message_stream() -> bytes:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 9, "output_tokens": 1}
    start = {"id": "msg_1", "model": "claude-x", "usage": {**usage, "service_tier": "standard"}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in TEXTS
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 42}},
        {"type": "message_stop"},
    ]
    return named(events)


def response_stream(last: str = "response.completed") -> bytes:
    shared = {"id": "resp_1", "model": "gpt-5-mini-2026", "object": "response", "output": []}
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 7},
        "total_tokens": 120,
    }
    status = last.rpartition(".")[2]
    ended = {**shared, "status": status, "usage": usage, "service_tier": "flex"}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**shared, "status": "in_progress"}},
        *[{"type": "response.output_text.delta", "delta": text} for text in TEXTS],
        {"type": "response.output_text.done", "text": "".join(TEXTS)},
        {"type": last, "response": ended},
    ]
    return named(events)


def named(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), compact(e)) for e in events)


@pytest.mark.parametrize("spaced", [False, True])
def test_a_client_that_did_not_ask_for_the_usage_sees_none_of_it(*, spaced: bool) -> None:
    upstream = chat_stream(asked_for=True, spaced=spaced)
    out, metered = passed(CHAT, STREAM, [upstream])
    assert out == chat_stream(asked_for=False, spaced=spaced)
    assert metered.usage == METERS


def test_a_client_that_asked_for_the_usage_sees_all_of_it() -> None:
    upstream = chat_stream(asked_for=True)
    out, metered = passed(CHAT, TOLD, [upstream])
    assert out == upstream
    assert metered.usage == METERS


def test_a_stream_of_chat_tells_all_about_itself() -> None:
    _, metered = passed(CHAT, STREAM, [chat_stream(asked_for=True)])
    assert (metered.model, metered.upstream_id) == ("gpt-5-mini-2026", "chatcmpl-1")
    assert (metered.service_tier, metered.stop_reason) == ("standard", "stop")
    assert metered.output_bytes == SAID_BYTES
    assert metered.complete
    assert not metered.failed


@given(
    cut=cuts,
    asks=st.booleans(),
    spaced=st.booleans(),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_wherever_a_stream_of_chat_is_cut_the_same_comes_out(
    cut: list[int], *, asks: bool, spaced: bool, end: bytes
) -> None:
    upstream = chat_stream(asked_for=True, spaced=spaced).replace(b"\n", end)
    expected = chat_stream(asked_for=asks, spaced=spaced).replace(b"\n", end)
    out, metered = passed(CHAT, TOLD if asks else STREAM, pieces_of(upstream, cut))
    assert out == expected
    assert metered == passed(CHAT, TOLD, [upstream])[1]


@given(cuts)
def test_wherever_a_stream_of_messages_is_cut_the_same_comes_out(cut: list[int]) -> None:
    upstream = message_stream()
    out, metered = passed(MESSAGES, STREAM, pieces_of(upstream, cut))
    assert out == upstream
    assert metered == passed(MESSAGES, STREAM, [upstream])[1]
    assert metered.usage == {"input_tokens": 5, "cache_read_tokens": 9, "output_tokens": 42}


@given(cuts)
def test_wherever_a_stream_of_responses_is_cut_the_same_comes_out(cut: list[int]) -> None:
    upstream = response_stream()
    out, metered = passed(RESPONSES, STREAM, pieces_of(upstream, cut))
    assert out == upstream
    assert metered == passed(RESPONSES, STREAM, [upstream])[1]
    assert metered.usage == {**METERS, "cache_write_tokens": 0}


@given(st.integers(0, 2000), cuts)
def test_a_stream_that_is_cut_short_has_no_usage_and_what_it_said_is_counted(
    length: int, cut: list[int]
) -> None:
    upstream = chat_stream(asked_for=True)
    short = upstream[: length % upstream.index(b'"stop"')]
    meter = meter_for(CHAT, STREAM, 200, EVENTS)
    for piece in pieces_of(short, cut):
        meter.feed(piece)
    metered = meter.metered()
    assert metered.usage is None
    assert not metered.complete
    assert metered.output_bytes <= SAID_BYTES


def test_a_message_cut_short_tells_its_input_and_never_an_output() -> None:
    upstream = message_stream()
    meter = meter_for(MESSAGES, STREAM, 200, EVENTS)
    meter.feed(upstream[: upstream.index(b"event: message_delta")])
    metered = meter.metered()
    assert metered.usage is None
    assert metered.partial == {"input_tokens": 5, "cache_read_tokens": 9}
    assert metered.output_bytes == SAID_BYTES
    assert (metered.model, metered.upstream_id) == ("claude-x", "msg_1")


def test_a_stream_without_usage_is_complete_and_its_usage_unknown() -> None:
    out, metered = passed(CHAT, STREAM, [chat_stream(asked_for=False)])
    assert out == chat_stream(asked_for=False)
    assert metered.complete
    assert metered.usage is None
    assert metered.output_bytes == SAID_BYTES


def test_of_several_choices_all_must_end() -> None:
    asked = Asked(model="m", stream=True, choices=2)
    events = [chunk({"content": "a"}, stop="stop"), chunk({"content": "b"}, stop="length")]
    meter = meter_for(CHAT, asked, 200, EVENTS)
    meter.feed(events[0])
    assert not meter.metered().complete
    meter.feed(events[1])
    assert meter.metered().complete
    assert meter.metered().stop_reason == "stop"


def test_a_usage_beside_choices_passes() -> None:
    """Some endpoints put it on the last choice, asked or not."""
    upstream = chunk({"content": "a"}, stop="stop", usage=USAGE) + b"data: [DONE]\n\n"
    out, metered = passed(CHAT, STREAM, [upstream])
    assert out == upstream
    assert metered.usage == METERS


def test_a_text_that_reads_like_a_usage_passes() -> None:
    said = chunk({"content": '","usage":null}'}, usage=None)
    out, _ = passed(CHAT, STREAM, [said])
    assert json.loads(out[6:])["choices"][0]["delta"]["content"] == '","usage":null}'
    assert "usage" not in json.loads(out[6:])


@pytest.mark.parametrize(
    ("data", "left"),
    [
        ('{"usage":null,"choices":[]}', '{"choices":[]}'),
        ('{"usage": null , "choices":[{}]}', '{ "choices":[{}]}'),
        ('{"usage":null}', "{}"),
        ('{"choices":[{}] , "usage" : null }', '{"choices":[{}] }'),
        ('{"choices":[{}],"usage":null,"x":{"usage":null}}', '{"choices":[{}],"x":{"usage":null}}'),
        ('{"a":1,"us\\u0061ge":null}', '{"a":1}'),
    ],
)
def test_an_unknown_usage_goes_wherever_it_stands(data: str, left: str) -> None:
    out, _ = passed(CHAT, STREAM, [f"data: {data}\n\n".encode()])
    assert out.decode() == f"data: {left}\n\n"


def test_an_unknown_usage_stays_where_its_place_is_not_certain() -> None:
    twice = b'data: {"usage":null, "usage": null}\n\n'
    lines = b'data: {"usage"\ndata: : null}\n\n'
    for event in (twice, lines):
        assert passed(CHAT, STREAM, [event])[0] == event


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n',
        b'data: {"choices":"odd","error":{"message":"x"}}\n\n',
    ],
)
def test_an_error_in_a_stream_of_chat_is_a_failure(event: bytes) -> None:
    upstream = chunk({"content": "a"}) + event
    out, metered = passed(CHAT, STREAM, [upstream, b"data: [DONE]\n\n"])
    assert out == upstream + b"data: [DONE]\n\n"
    assert metered.failed
    assert metered.usage is None


def test_an_error_in_a_stream_of_messages_is_a_failure() -> None:
    error = named([{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}])
    _, metered = passed(MESSAGES, STREAM, [message_stream()[:400], b"\n\n", error])
    assert metered.failed
    assert not metered.complete
    assert metered.usage is None


def test_a_response_that_failed_is_whole_and_a_failure() -> None:
    _, metered = passed(RESPONSES, STREAM, [response_stream("response.failed")])
    assert metered.failed
    assert metered.complete
    assert metered.usage is not None


def test_a_response_that_ran_out_of_tokens_is_whole_and_none() -> None:
    _, metered = passed(RESPONSES, STREAM, [response_stream("response.incomplete")])
    assert metered.complete
    assert not metered.failed
    assert (metered.service_tier, metered.stop_reason) == ("flex", "incomplete")


def test_an_error_in_a_stream_of_responses_is_a_failure() -> None:
    error = named([{"type": "error", "code": "server_error", "message": "x"}])
    assert passed(RESPONSES, STREAM, [error])[1].failed


@pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize(
    "event",
    [
        b"data: {oops\n\n",
        b"data: [1]\n\n",
        b'data: {"choices":7,"delta":7,"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
        b'data: {"type":{"a":1},"delta":{"text":[1],"thinking":7},"response":[]}\n\n',
        b'data: {"type":"message_start","message":[]}\n\n',
        b'data: {"type":"response.completed","response":7}\n\n',
        b"event: x\n\n",
        b"\n\n",
    ],
)
def test_an_event_of_another_shape_passes_and_breaks_nothing(
    operation: Operation, event: bytes
) -> None:
    out, metered = passed(operation, STREAM, [event, b"data: [DONE]\n\n"])
    assert out == event + b"data: [DONE]\n\n"
    assert metered.usage is None or operation is CHAT


def test_calls_thoughts_and_refusals_count_as_output() -> None:
    call = {"index": 0, "function": {"arguments": '{"a":1}'}}
    deltas: list[dict[str, Any]] = [
        {"tool_calls": [call]},
        {"reasoning_content": "hm"},
        {"refusal": "no"},
    ]
    for delta in deltas:
        assert passed(CHAT, STREAM, [chunk(delta)])[1].output_bytes >= 2
    block = {"type": "content_block_delta", "delta": {"type": "input_json_delta"}}
    event = {**block, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}}
    assert passed(MESSAGES, STREAM, [named([event])])[1].output_bytes == 5


def test_a_stream_of_completions_is_metered() -> None:
    events = [
        {"id": "cmpl-1", "choices": [{"text": "abc", "index": 0, "finish_reason": None}]},
        {"id": "cmpl-1", "choices": [{"text": "", "index": 0, "finish_reason": "length"}]},
        {"id": "cmpl-1", "choices": [], "usage": USAGE},
    ]
    upstream = [b"data: %b\n\n" % compact(each) for each in events]
    out, metered = passed(COMPLETIONS, STREAM, upstream)
    assert out == b"".join(upstream[:2])
    assert (metered.usage, metered.output_bytes) == (METERS, 3)


def test_an_event_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "MAX_EVENT_BYTES", 1000)
    for asked in (STREAM, TOLD):
        pieces = [b"data: " + b"x" * 600, b"x" * 600, b"x" * 600, b"\n\ndata: [DONE]\n\n"]
        out, metered = passed(CHAT, asked, pieces)
        assert out == b"".join(pieces)
        assert not metered.complete
        assert metered.output_bytes >= 1200


def test_a_reply_of_chat_is_metered() -> None:
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "length"}
    shared = {"id": "chatcmpl-2", "model": "gpt-5-mini-2026", "service_tier": "priority"}
    metered = whole(CHAT, {**shared, "choices": [choice], "usage": USAGE})
    assert metered.usage == METERS
    assert (metered.model, metered.upstream_id) == ("gpt-5-mini-2026", "chatcmpl-2")
    assert (metered.service_tier, metered.stop_reason) == ("priority", "length")
    assert metered.complete


def test_a_message_is_metered_with_all_that_its_price_depends_on() -> None:
    usage = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "cache_read_input_tokens": 9,
        "output_tokens": 42,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "priority",
        "speed": "fast",
        "inference_geo": "us",
    }
    reply = {"id": "msg_1", "model": "claude-x", "stop_reason": "end_turn", "usage": usage}
    metered = whole(MESSAGES, {"type": "message", **reply})
    assert metered.usage == {
        "input_tokens": 5,
        "cache_read_tokens": 9,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 20,
        "output_tokens": 42,
        "web_searches": 2,
    }
    how = (metered.service_tier, metered.speed, metered.geo, metered.stop_reason)
    assert how == ("priority", "fast", "us", "end_turn")


def test_a_response_is_metered_with_the_tools_that_it_ran() -> None:
    output = [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "file_search_call"},
        {"type": "code_interpreter_call", "container_id": "c-1"},
        {"type": "code_interpreter_call", "container_id": "c-1"},
        {"type": "message", "content": []},
    ]
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    metered = whole(RESPONSES, {"id": "resp_1", "output": output, "usage": usage})
    fees = {"web_searches": 1, "file_searches": 1, "code_sessions": 1}
    assert metered.usage == {"input_tokens": 10, "output_tokens": 5, **fees}


def test_embeddings_are_metered() -> None:
    reply = {"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    assert whole(EMBEDDINGS, {**reply, "model": "e-1"}).usage == {"input_tokens": 8}


def test_another_route_is_metered_all_the_same() -> None:
    assert whole(OTHER, {"usage": USAGE}).usage == METERS
    usage = {"input_tokens": 3, "input_tokens_details": {}, "output_tokens": 4, "total_tokens": 7}
    assert whole(OTHER, {"usage": usage}).usage == {"input_tokens": 3, "output_tokens": 4}
    assert whole(OTHER, {"usage": {"images": 1}}).usage is None


def test_a_usage_that_contradicts_itself_is_unknown() -> None:
    assert whole(CHAT, {"usage": {**USAGE, "total_tokens": 999}}).usage is None
    assert whole(CHAT, {"usage": {**USAGE, "prompt_tokens": 10}}).usage is None


def test_an_error_is_a_failure_under_any_status() -> None:
    error = {"error": {"message": "x", "type": "server_error"}}
    assert whole(CHAT, error).failed
    assert whole(CHAT, b"<html>", status=502).failed
    assert whole(MESSAGES, {"type": "error", "error": {"type": "api_error"}}).failed
    assert whole(RESPONSES, {"status": "failed", "error": {"code": "x"}}).failed


@pytest.mark.parametrize(
    "payload", [b"", b"<html>", b"[1]", b'{"id":7,"model":[],"usage":"many"}', b'{"usage":{}']
)
def test_a_reply_of_another_shape_passes_and_its_usage_is_unknown(payload: bytes) -> None:
    metered = whole(CHAT, payload)
    assert (metered.usage, metered.model, metered.upstream_id) == (None, "", "")


def test_half_a_character_does_not_hide_the_usage() -> None:
    payload = b'{"id":"chatcmpl-2","choices":[{"x":"\\ud83d"}],"usage":%b}' % compact(USAGE)
    assert whole(CHAT, payload).usage == METERS


def test_a_reply_that_broke_off_is_not_complete() -> None:
    meter = meter_for(CHAT, None, 200, JSON)
    meter.feed(b'{"id":"chatcmpl-2",')
    metered = meter.metered()
    assert not metered.complete
    assert metered.usage is None
    assert metered.output_bytes == 19


def test_a_reply_that_is_too_long_passes_and_its_usage_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metering, "MAX_REPLY_BYTES", 10)
    monkeypatch.setattr(metering, "_LONG_BYTES", 10)
    assert whole(RESPONSES, {"usage": USAGE}).usage is None


def test_what_costs_nothing_or_tells_nothing_passes() -> None:
    for operation in (MODELS, COUNT_TOKENS):
        assert whole(operation, {"data": [], "input_tokens": 4}).usage is None
    out, metered = passed(OTHER, None, [b"RIFF", b"...."], b"audio/wav")
    assert (out, metered.usage, metered.complete) == (b"RIFF....", None, True)


def test_a_stream_under_another_name_is_a_stream() -> None:
    _, metered = passed(CHAT, STREAM, [chat_stream(asked_for=True)], b"text/plain")
    assert metered.usage == METERS


def test_an_answer_in_one_piece_to_who_asked_for_a_stream_is_metered() -> None:
    _, metered = passed(CHAT, STREAM, [compact({"usage": USAGE})], JSON)
    assert metered.usage == METERS


@pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("asked", [Asked(model="m"), STREAM, TOLD])
def test_an_answer_of_ours_has_used_nothing(operation: Operation, asked: Asked) -> None:
    kind, body = answer(operation, asked, "Hi", "rules-1", "c1", 1_790_000_000)
    out, metered = passed(operation, asked, [body], kind)
    assert out == body
    assert metered.complete
    if operation is not CHAT or asked is not STREAM:
        assert metered.usage is not None
        assert not any(metered.usage.values())
