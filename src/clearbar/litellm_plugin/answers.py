"""From how a call of LiteLLM's ended to how its hold is settled. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.litellm_plugin.requests import fields, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NEVER_LEFT: Final = frozenset(
    {
        ("aiohttp", "ClientConnectorError"),
        ("aiohttp", "ClientConnectorDNSError"),
        ("builtins", "ConnectionRefusedError"),
        ("httpcore", "ConnectError"),
        ("httpcore", "ConnectTimeout"),
        ("socket", "gaierror"),
    }
)
"""Causes of a failure. What LiteLLM itself calls a `ConnectError` may be a reset in the middle."""
_TRANSPORTS: Final = frozenset({"aiohttp", "httpx", "httpcore"})
_BROKEN: Final = frozenset(
    {"Timeout", "APIConnectionError", "APITimeoutError", "MidStreamFallbackError"}
)
_FIRST_ERROR: Final = 400
_LAST_ERROR: Final = 599
Json = dict[str, Any]


def settled_of(kwargs: Mapping[str, Any]) -> Json | None:
    """Return how a call of LiteLLM's ended well; None where its answer came from a cache."""
    if kwargs.get("cache_hit"):
        return None
    told = fields(kwargs.get("standard_logging_object"))
    usage = fields(fields(told.get("metadata")).get("usage_object"))
    started = _number(told.get("startTime"))
    ended, first = _number(told.get("endTime")), _number(told.get("completionStartTime"))
    return {
        "outcome": "ok",
        "status": 200,
        "usage": meters_of(usage),
        "model": plain(fields(told.get("hidden_params")).get("litellm_model_name"))
        or plain(told.get("model")),
        "upstream_id": plain(told.get("id")),
        "service_tier": plain(usage.get("service_tier")),
        "latency_ms": _ms(started, ended),
        "first_byte_ms": _ms(started, first),
    }


def failed_of(error: BaseException) -> Json | None:
    """Return how a call ended whose provider failed it; None where it certainly never left.

    What broke on the way may have been billed, so that it is no error that costs nothing.
    """
    causes = list(_causes(error))
    if any(
        (type(each).__module__.partition(".")[0], type(each).__name__) in _NEVER_LEFT
        for each in causes
    ):
        return None
    status = getattr(error, "status_code", None)
    broken = any(map(_is_break, causes))
    if broken or not isinstance(status, int) or not _FIRST_ERROR <= status <= _LAST_ERROR:
        return {"outcome": "cut", "status": 0}
    return {"outcome": "error", "status": status}


def is_of_provider(error: BaseException) -> bool:
    """Return whether an error is of the call itself, and not of LiteLLM's own making around it."""
    return hasattr(error, "llm_provider")


def meters_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return LiteLLM's usage as the disjoint meters of the ledger; what is not reported is absent.

    LiteLLM counts what came from and went to caches inside `prompt_tokens`.
    """
    prompt = fields(usage.get("prompt_tokens_details"))
    completion = fields(usage.get("completion_tokens_details"))
    split = fields(usage.get("cache_creation") or prompt.get("cache_creation_token_details"))
    read = _first(usage, "cache_read_input_tokens") or _first(prompt, "cached_tokens")
    written = _first(usage, "cache_creation_input_tokens")
    written = written or _first(prompt, "cache_creation_tokens", "cache_write_tokens")
    short = _first(split, "ephemeral_5m_input_tokens")
    long = _first(split, "ephemeral_1h_input_tokens")
    heard = None if read or written else _first(prompt, "audio_tokens")
    spoken = _first(completion, "audio_tokens")
    found = {
        "input_tokens": _rest(_first(usage, "prompt_tokens"), read, written, heard),
        "input_audio_tokens": heard,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "cache_write_tokens": _rest(written, short, long),
        "output_tokens": _rest(_first(usage, "completion_tokens"), spoken),
        "output_audio_tokens": spoken,
        "reasoning_tokens": _first(completion, "reasoning_tokens"),
        "web_searches": _first(fields(usage.get("server_tool_use")), "web_search_requests"),
    }
    if any(value is not None and value < 0 for value in found.values()):
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _is_break(error: BaseException) -> bool:
    """Return whether an error says that the connection broke, or that nothing came in time."""
    package, name = type(error).__module__.partition(".")[0], type(error).__name__
    of_transport = package in _TRANSPORTS and name != "HTTPStatusError"
    return of_transport or name in _BROKEN or isinstance(error, ConnectionError | TimeoutError)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _ms(start: float | None, end: float | None) -> int:
    return 0 if start is None or end is None else max(round((end - start) * 1000), 0)


def _first(values: Mapping[str, Any], *names: str) -> int | None:
    found = (values.get(name) for name in names)
    return next((each for each in found if isinstance(each, int)), None)


def _rest(whole: int | None, *parts: int | None) -> int | None:
    return None if whole is None else whole - sum(part or 0 for part in parts)
