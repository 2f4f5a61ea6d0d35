"""The answer of a tool without a model, in the wire format that the client expects. Pure.

It has used no tokens, and says so. Where several choices were asked for there is one all the same:
the others would be equal to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked

Json = dict[str, Any]

_JSON: Final = b"application/json"
_EVENTS: Final = b"text/event-stream; charset=utf-8"
_STOPPED: Final = "stop"


def answer(
    operation: Operation, asked: Asked, text: str, model: str, call_id: str, at: int
) -> tuple[bytes, bytes]:
    """Return the content type and the body of an answer, all events of a stream in one.

    Raises:
        ValueError: when the operation is none that asks for text.
    """
    match operation.name:
        case "chat":
            whole = _chat(text, model, call_id, at)
            return _sent(asked, whole, _chat_events(whole, text, tells_usage=asked.wants_usage))
        case "messages":
            whole = _message(text, model, call_id)
            return _sent(asked, whole, _message_events(whole, text))
        case "responses":
            whole = _response(text, model, call_id, at)
            return _sent(asked, whole, _response_events(whole, text))
        case _:
            raise ValueError(f"{operation.name} asks for no text")


def _sent(asked: Asked, whole: Json, events: Iterable[bytes]) -> tuple[bytes, bytes]:
    return (_EVENTS, b"".join(events)) if asked.stream else (_JSON, _encode(whole))


def _chat(text: str, model: str, call_id: str, at: int) -> Json:
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _STOPPED}
    return {
        "id": f"chatcmpl-{call_id}",
        "object": "chat.completion",
        "created": at,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def _chat_events(whole: Json, text: str, *, tells_usage: bool) -> Iterable[bytes]:
    shared = {name: whole[name] for name in ("id", "created", "model")}
    shared["object"] = "chat.completion.chunk"
    unknown: Json = {"usage": None} if tells_usage else {}
    deltas: list[Json] = [{"role": "assistant", "content": ""}, {"content": text}, {}]
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else _STOPPED}
        yield _data({**shared, "choices": [choice], **unknown})
    if tells_usage:
        yield _data({**shared, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def _message(text: str, model: str, call_id: str) -> Json:
    return {
        "id": f"msg_{call_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _message_events(whole: Json, text: str) -> Iterable[bytes]:
    started = {**whole, "content": [], "stop_reason": None}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events: list[Json] = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 0}},
        {"type": "message_stop"},
    ]
    return map(_named, events)


def _response(text: str, model: str, call_id: str, at: int) -> Json:
    usage = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }
    return {
        "id": f"resp_{call_id}",
        "object": "response",
        "created_at": at,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [_item(f"msg_{call_id}", [_part(text)], "completed")],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": usage,
    }


def _response_events(whole: Json, text: str) -> Iterable[bytes]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    name: Json = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": _item(item["id"], [], "in_progress"),
        },
        {"type": "response.content_part.added", **name, "part": _part("")},
        {"type": "response.output_text.delta", **name, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **name, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **name, "part": _part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    for number, event in enumerate(events):
        yield _named({**event, "sequence_number": number})


def _item(name: str, parts: list[Json], status: str) -> Json:
    return {
        "id": name,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": parts,
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _named(event: Json) -> bytes:
    return b"event: %b\n" % str(event["type"]).encode() + _data(event)


def _data(value: Json) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"


_encode: Final = msgspec.json.encode
