"""What an endpoint says in the two protocols: bodies, errors and streams."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Protocol = Literal["openai", "anthropic"]
PROTOCOLS: dict[str, Protocol] = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; `number` counts from 1."""

    number: int
    protocol: Protocol
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""
    at_s: float
    """Of the monotonic clock."""

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def prompt(self) -> str:
        """The last message of the user: the input of a case."""
        said = [each for each in self.body.get("messages", []) if each.get("role") == "user"]
        return str(said[-1]["content"]) if said else ""

    @property
    def system(self) -> str:
        messages = self.body.get("messages", [])
        said = [str(each["content"]) for each in messages if each.get("role") == "system"]
        return str(self.body.get("system", "")) or "\n".join(said)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer before it is put into the words of a protocol."""

    asked: Asked
    text: str
    id: str
    cached_tokens: int = 0
    stop_reason: str = ""
    usage: Mapping[str, Any] | None = field(default=None)
    """Instead of counted words; an empty one is left out of the body."""


def count(text: str) -> int:
    """A token here is a word."""
    return len(text.split())


def usage_of(said: Said) -> dict[str, Any]:
    """OpenAI counts cached tokens inside the prompt, Anthropic beside the input."""
    if said.usage is not None:
        return dict(said.usage)
    fresh = count(said.asked.system) + count(said.asked.prompt)
    output = count(said.text)
    if said.asked.protocol == "anthropic":
        return {
            "input_tokens": fresh,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": said.cached_tokens,
            "output_tokens": output,
            "service_tier": "standard",
        }
    prompt = fresh + said.cached_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": said.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def body_of(said: Said) -> dict[str, Any]:
    usage = usage_of(said)
    counted = {"usage": usage} if usage else {}
    if said.asked.protocol == "anthropic":
        return {
            "id": said.id,
            "type": "message",
            "role": "assistant",
            "model": said.asked.model,
            "content": [{"type": "text", "text": said.text}],
            "stop_reason": said.stop_reason or "end_turn",
            "stop_sequence": None,
            **counted,
        }
    message = {"role": "assistant", "content": said.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": said.stop_reason or "stop"}
    return {
        "id": said.id,
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": said.asked.model,
        "choices": [choice],
        "service_tier": "default",
        **counted,
    }


def error_body(protocol: Protocol, status: int) -> dict[str, Any]:
    kind = ERROR_TYPES.get(status, "api_error" if protocol == "anthropic" else "server_error")
    if protocol == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": "made to fail"}}
    return {"error": {"message": "made to fail", "type": kind, "param": None, "code": None}}


def events_of(said: Said) -> list[bytes]:
    """The answer as server-sent events, a word at a time."""
    return _anthropic_events(said) if said.asked.protocol == "anthropic" else _openai_events(said)


def error_event(protocol: Protocol) -> bytes:
    body = json.dumps(error_body(protocol, 529))
    return f"{'event: error' if protocol == 'anthropic' else ''}\ndata: {body}\n\n".encode()


def _pieces(text: str) -> list[str]:
    return [word if at == 0 else f" {word}" for at, word in enumerate(text.split(" "))]


def _openai_events(said: Said) -> list[bytes]:
    whole = body_of(said)
    options = said.asked.body.get("stream_options") or {}
    shared = {key: whole[key] for key in ("id", "created", "model", "service_tier")}
    shared["object"] = "chat.completion.chunk"
    counted = {"usage": None} if options.get("include_usage") else {}

    def chunk(delta: dict[str, Any], stop: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": stop}
        return _data({**shared, "choices": [choice], **counted})

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": piece}) for piece in _pieces(said.text)]
    events.append(chunk({}, whole["choices"][0]["finish_reason"]))
    if counted and "usage" in whole:
        events.append(_data({**shared, "choices": [], "usage": whole["usage"]}))
    return [*events, b"data: [DONE]\n\n"]


def _anthropic_events(said: Said) -> list[bytes]:
    whole = body_of(said)
    usage = whole.get("usage", {})
    start = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    block = {"type": "text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
    ]
    for piece in _pieces(said.text):
        delta = {"type": "text_delta", "text": piece}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    ended = {"usage": {"output_tokens": usage["output_tokens"]}} if usage else {}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, **ended},
        {"type": "message_stop"},
    ]
    return [f"event: {each['type']}\n".encode() + _data(each) for each in events]


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()
