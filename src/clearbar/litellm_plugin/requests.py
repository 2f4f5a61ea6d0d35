"""From LiteLLM's request to the hold that is asked for it. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPERATIONS: Final = {
    "text_completion": "completions",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "responses": "responses",
}
"""LiteLLM's name of a call, without the `a` of asynchronous ones -> ours; others are `chat`."""
_READ: Final = ("messages", "input", "prompt", "tools", "functions", "system", "response_format")
"""Parts of a request that become input tokens."""
_MEDIA: Final = frozenset(
    {"image", "image_url", "input_image", "input_audio", "document", "file", "input_file", "video"}
)
_MEDIA_TOKENS: Final = 20_000
"""Assumed of pictures, sound and files, whose tokens cannot be told from the bytes."""
_LIMITS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_WORDS: Final = ("workflow", "task", "run", "user", "environment")
_LONGEST: Final = 200
_MOST_TOKENS: Final = 10**12
_MOST_CHOICES: Final = 128
Json = dict[str, Any]


def wanted_of(
    data: Json, call_type: str, key: Any, *, hold_id: str, model: tuple[str, str], workflow: str
) -> Json:
    """Return what to ask a hold for.

    Args:
        data: LiteLLM's request.
        call_type: LiteLLM's name of the call.
        key: LiteLLM's `UserAPIKeyAuth`.
        hold_id: the id of the hold.
        model: the name of the model at its provider, and the provider.
        workflow: where the request names none.
    """
    name, provider = model
    operation = _OPERATIONS.get(call_type.removeprefix("a"), "chat")
    if provider == "anthropic" and operation == "chat":
        operation = "messages"
    said = _said(data, key)
    wanted: Json = {
        "hold_id": hold_id,
        "model": name,
        "workflow": said["workflow"] or workflow,
        "protocol": "anthropic" if operation == "messages" else "openai",
        "operation": operation,
        "stream": bool(data.get("stream")),
        "input_tokens": input_tokens(data),
        "choices": _choices(data.get("n")),
        "service_tier": plain(data.get("service_tier")),
        "user": said["user"] or plain(data.get("user")) or plain(getattr(key, "user_id", "")),
        "team": plain(getattr(key, "team_alias", "")) or plain(getattr(key, "team_id", "")),
        "task": said["task"],
        "run": said["run"],
        "environment": said["environment"],
    }
    limits = [data[name] for name in _LIMITS if _is_limit(data.get(name))]
    return wanted | ({"max_output_tokens": min(limits)} if limits else {})


def cap(data: Json, operation: str, limit: int | None) -> None:
    """Set the limit of an answer, so that what is held is enough for it."""
    if limit is None or operation == "embeddings":
        return
    named = [name for name in _LIMITS if _is_limit(data.get(name))]
    for name in named:
        data[name] = min(data[name], limit)
    if not named:
        data["max_output_tokens" if operation == "responses" else "max_tokens"] = limit


def input_tokens(data: Mapping[str, Any]) -> int:
    """Return how many tokens a request can have at most: no tokenizer makes more than bytes."""
    return sum(_size(data[name]) for name in _READ if data.get(name) is not None)


def plain(value: object) -> str:
    """Return a value as the plain text that the admin API takes; anything else is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(each for each in value if each.isprintable())[:_LONGEST]


def fields(value: object) -> dict[str, Any]:
    """Return an object as it is; anything else has no fields."""
    return value if isinstance(value, dict) else {}


def _said(data: Json, key: Any) -> dict[str, str]:
    """Return what is said of a request: by its LiteLLM key, that key's team, headers, metadata."""
    request = fields(data.get("proxy_server_request"))
    headers = {name.lower(): value for name, value in fields(request.get("headers")).items()}
    metadata = fields(fields(request.get("body")).get("metadata"))
    of_key = fields(getattr(key, "metadata", None))
    of_team = fields(getattr(key, "team_metadata", None))
    return {
        word: plain(of_key.get(f"clearbar_{word}"))
        or plain(of_team.get(f"clearbar_{word}"))
        or plain(headers.get(f"x-clearbar-{word}"))
        or plain(metadata.get(f"clearbar_{word}"))
        for word in _WORDS
    }


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        if value.get("type") in _MEDIA and fields(value.get("source")).get("type") != "text":
            return _MEDIA_TOKENS
        return sum(_size(name) + _size(each) + 4 for name, each in value.items())
    if isinstance(value, list | tuple):
        return sum(_size(each) + 1 for each in value) + 2
    return len(json.dumps(value, default=str))


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_TOKENS


def _choices(value: object) -> int:
    return min(int(value), _MOST_CHOICES) if isinstance(value, int) and value > 0 else 1
