"""What clients send and the upstream answers, in both protocols.

A mark in the prompt tells the upstream how to pace a stream, because every gateway passes prompts
on as they are: at once, an event every few milliseconds, or a head and then silence.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

Api = Literal["chat", "messages"]
Pace = Literal["now", "gaps", "idle"]

MARKS: Final[dict[Pace, str]] = {"now": "[now]", "gaps": "[gaps]", "idle": "[idle]"}
EVENTS: Final = 50
GAP_S: Final = 0.01
"""Between two events of a stream with gaps."""
REPLY_BYTES: Final = 1024
PROMPTS: Final = 16
_ANSWER: Final = "Your order left us on Monday and is with the carrier now. "
_CONTEXT: Final = 'The customer says: "late again".\n'
ID: Final = "0123456789abcdef"
"""In each reply; the upstream puts another in its place each time, as real ones do."""
_CHAT: Final = {"id": f"chatcmpl-{ID}", "created": 1_760_000_000, "model": "bench"}
_USAGE: Final = {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "description": "Find an order by its number, with its state and the date of delivery.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
    },
}


def asked(api: Api, model: str, size: int, *, stream: bool, pace: Pace = "now") -> list[bytes]:
    """Return requests of about `size` bytes, without blanks, as the SDKs write them.

    No two have the same prompt, or one of the same length.
    """

    def body(text: str) -> bytes:
        fields: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": f"{MARKS[pace]} {text}"}],
            "max_tokens": 256,
            "temperature": 0.2,
            "stream": stream,
        }
        tools = {"tools": [_TOOL]} if api == "chat" else {}
        return json.dumps(fields | tools, separators=(",", ":")).encode()

    missing = size - len(body(""))
    context = _CONTEXT * max(0, missing // (len(json.dumps(_CONTEXT)) - 2))
    return [body(f"{7**number} {context}") for number in range(PROMPTS)]


def whole_reply(api: Api) -> bytes:
    """Return a reply of a kilobyte with its usage."""

    def body(text: str) -> bytes:
        return json.dumps(_chat(text) if api == "chat" else _message(text)).encode()

    missing = REPLY_BYTES - len(body(""))
    return body((_ANSWER * (missing // len(_ANSWER) + 1))[:missing])


def _chat(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return _CHAT | {"object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _message(text: str) -> dict[str, Any]:
    return {
        "id": f"msg_{ID}",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 200, "output_tokens": 50},
    }


def events(api: Api, *, usage: bool) -> list[bytes]:
    """Return a stream of fifty events; OpenAI's with its usage only where that is asked for."""
    return _chat_events(usage=usage) if api == "chat" else _message_events()


def _chat_events(*, usage: bool) -> list[bytes]:
    def chunk(choices: list[dict[str, Any]], **more: object) -> bytes:
        line = _CHAT | {"object": "chat.completion.chunk", "choices": choices} | more
        return b"data: " + json.dumps(line, separators=(",", ":")).encode() + b"\n\n"

    def delta(what: dict[str, str], finish: str | None = None) -> bytes:
        return chunk([{"index": 0, "delta": what, "finish_reason": finish}])

    words = [delta({"content": f" word{at}"}) for at in range(EVENTS - 3)]
    last = [chunk([], usage=_USAGE)] if usage else []
    begun = delta({"role": "assistant", "content": ""})
    return [begun, *words, delta({}, "stop"), *last, b"data: [DONE]\n\n"]


def _message_events() -> list[bytes]:
    def event(kind: str, **more: object) -> bytes:
        line = json.dumps({"type": kind, **more}, separators=(",", ":"))
        return f"event: {kind}\ndata: {line}\n\n".encode()

    begun = _message("") | {"content": [], "stop_reason": None}
    words = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": f" word{at}"})
        for at in range(EVENTS - 5)
    ]
    return [
        event("message_start", message=begun),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *words,
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 50}),
        event("message_stop"),
    ]
