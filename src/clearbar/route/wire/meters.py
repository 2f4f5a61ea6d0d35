"""What a reply says that it used -> the meters of a charge, by the name of the meter.

The rules of `tools.wire_usage`, and what only a gateway has to tell: sound, and tools that the
provider ran and charges for. None is unknown, and nothing is clamped. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.quarantine import QuarantineError, quantity
from clearbar.tools.wire_usage import (
    anthropic_usage,
    as_object,
    embeddings_usage,
    openai_usage,
    responses_usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import TokenUsage

Meters = dict[str, int]


def meters_of(operation: Operation, usage: object) -> Meters | None:
    """Return the meters that a `usage` object reports; None where it says nothing sound."""
    match operation.name:
        case "chat" | "completions":
            return _of_chat(usage)
        case "messages":
            return _of_message(usage)
        case "responses":
            return _meters(responses_usage(usage))
        case "embeddings":
            return _meters(embeddings_usage(usage))
        case _:
            return _of_any(operation, usage)


def _of_any(operation: Operation, usage: object) -> Meters | None:
    """Of a route that is not known: by the names of its counts."""
    said = as_object(usage)
    if operation.protocol == "anthropic":
        return _of_message(usage)
    if "input_tokens" in said and "input_tokens_details" in said:
        return _meters(responses_usage(usage))
    return _of_chat(usage) if "prompt_tokens" in said else None


def _of_chat(usage: object) -> Meters | None:
    said = as_object(usage)
    inputs = as_object(said.get("prompt_tokens_details"))
    outputs = as_object(said.get("completion_tokens_details"))
    if (meters := _plain(said, inputs, outputs)) is not None:
        return meters
    if inputs.get(_AUDIO) or outputs.get(_AUDIO):
        return _with_sound(said, inputs, outputs)
    return _meters(openai_usage(usage))


def _with_sound(
    said: Mapping[str, object], inputs: Mapping[str, object], outputs: Mapping[str, object]
) -> Meters | None:
    """Take sound, which has a price of its own, out of the tokens that it is counted in.

    Where some input came from a cache as well, nobody tells how much of that was sound: unknown.
    """
    try:
        heard = quantity(inputs.get("audio_tokens"), "audio_tokens") or 0
        spoken = quantity(outputs.get("audio_tokens"), "audio_tokens") or 0
        cached = quantity(inputs.get("cached_tokens"), "cached_tokens")
        written = quantity(inputs.get("cache_write_tokens"), "cache_write_tokens")
        counts = {name: quantity(said.get(name), name) for name in _CHAT_COUNTS}
    except QuarantineError:
        return None
    if heard and (cached or written):
        return None
    taken = {"prompt_tokens": heard, "completion_tokens": spoken, "total_tokens": heard + spoken}
    if any(counts[name] is None and taken[name] for name in taken if name != "total_tokens"):
        return None
    rest = {name: count - taken[name] for name, count in counts.items() if count is not None}
    details = {
        "prompt_tokens_details": {**inputs, "audio_tokens": None},
        "completion_tokens_details": {**outputs, "audio_tokens": None},
    }
    meters = _meters(openai_usage({**rest, **details}))
    if meters is None:
        return None
    audio = {"input_audio_tokens": heard, "output_audio_tokens": spoken}
    return meters | {name: count for name, count in audio.items() if count}


def _plain(
    said: Mapping[str, object], inputs: Mapping[str, object], outputs: Mapping[str, object]
) -> Meters | None:
    """Return what `openai_usage` says of the common case, in a tenth of its time.

    The common case: whole numbers that add up, no sound, no cache writes. None for any other.
    """
    prompt, output = said.get("prompt_tokens"), said.get("completion_tokens")
    read, thought = inputs.get("cached_tokens", 0), outputs.get("reasoning_tokens", 0)
    total = said.get("total_tokens")
    if not (type(prompt) is type(output) is type(total) is type(read) is type(thought) is int):
        return None
    written = inputs.get(_WRITTEN)
    if any(each not in _NONE for each in (inputs.get(_AUDIO), written, outputs.get(_AUDIO))):
        return None
    if prompt + output != total or total > MAX_QUANTITY:
        return None
    if not (0 <= read <= prompt and 0 <= thought <= output):
        return None
    meters = {"input_tokens": prompt - read, "output_tokens": output}
    if "cached_tokens" in inputs:
        meters["cache_read_tokens"] = read
    if written is not None:
        meters[_WRITTEN] = 0
    if "reasoning_tokens" in outputs:
        meters["reasoning_tokens"] = thought
    return meters


def _of_message(usage: object) -> Meters | None:
    """Add the searches, of which `tools.wire_usage` has no meter: to it they are unknown work."""
    said = as_object(usage)
    ran = as_object(said.get("server_tool_use"))
    try:
        searches = quantity(ran.get("web_search_requests"), "web_search_requests")
    except QuarantineError:
        return None
    if not searches:
        return _meters(anthropic_usage(usage))
    meters = _meters(anthropic_usage({**said, "server_tool_use": None}))
    return None if meters is None else meters | {"web_searches": searches}


def _meters(usage: TokenUsage | None) -> Meters | None:
    if usage is None:
        return None
    told = ((name, getattr(usage, name)) for name in _METERS)
    return {name: count for name, count in told if count is not None}


def fees_of(response: Mapping[str, object]) -> Meters | None:
    """Return what the tools of a Responses answer count; None where it cannot be told.

    Of web searches only the action of searching is charged, not of opening or reading a page.
    """
    told = as_object(response.get("tool_usage"))
    drawn = as_object(told.get("image_gen"))
    output = response.get("output")
    items = [as_object(each) for each in output] if isinstance(output, list) else []
    kinds = [item.get("type") for item in items]
    if drawn.get("total_tokens") or "image_generation_call" in kinds:
        return None
    searches = sum(1 for item in items if _is_search(item))
    try:
        said = quantity(as_object(told.get("web_search")).get("num_requests"), "num_requests")
    except QuarantineError:
        return None
    rooms = {
        str(item.get("container_id") or item.get("id"))
        for item in items
        if item.get("type") == "code_interpreter_call"
    }
    fees = {
        "web_searches": searches if said is None else said,
        "file_searches": kinds.count("file_search_call"),
        "code_sessions": len(rooms),
    }
    return {name: count for name, count in fees.items() if count}


def _is_search(item: Mapping[str, object]) -> bool:
    if item.get("type") != "web_search_call":
        return False
    return as_object(item.get("action")).get("type", "search") == "search"


_NONE: Final = (None, 0)
_AUDIO: Final = "audio_tokens"
_WRITTEN: Final = "cache_write_tokens"
_CHAT_COUNTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_METERS: Final = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""The last is a part of the output, and no meter of its own."""
