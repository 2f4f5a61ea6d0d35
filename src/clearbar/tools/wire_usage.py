"""What an answer says that it used -> disjoint meters; what does not add up is unknown.

OpenAI counts cached tokens inside the prompt, Anthropic beside the input. Nothing is clamped: a
count that contradicts another makes the whole usage unknown, and the answer's cost with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of
from clearbar.spend.shapes.messages_usage import MessageUsage, cache_writes, thinking
from clearbar.tools.tool import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final = TokenUsage()
_RESPONSES: Final[Mapping[str, str]] = {
    "input_tokens": "prompt_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens": "completion_tokens",
    "output_tokens_details": "completion_tokens_details",
    "total_tokens": "total_tokens",
}
"""What the Responses API calls what a chat completion calls otherwise."""


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def openai_usage(value: object) -> TokenUsage | None:
    """Return what the `usage` of a chat completion says; None where it says nothing sound."""
    try:
        usage = _openai(as_object(value))
    except QuarantineError:
        return None
    return None if usage == _NOTHING else usage


def anthropic_usage(value: object) -> TokenUsage | None:
    """Return what the `usage` of a message says; None where it says nothing sound.

    Unknown too where it tells of work that its counts leave out: iterations other than the message
    itself, or tools that the provider ran and charges for.
    """
    try:
        said = msgspec.convert(value, MessageUsage)
        if _has_more(said):
            return None
        writes_5m, writes_1h, writes = cache_writes(said)
        usage = TokenUsage(
            input_tokens=said.input_tokens,
            cache_read_tokens=said.cache_read_input_tokens,
            cache_write_tokens=writes,
            cache_write_5m_tokens=writes_5m,
            cache_write_1h_tokens=writes_1h,
            output_tokens=said.output_tokens,
            reasoning_tokens=thinking(said),
        )
    except (msgspec.ValidationError, QuarantineError):
        return None
    return None if usage == _NOTHING else usage


def responses_usage(value: object) -> TokenUsage | None:
    """Return what the `usage` of the Responses API says; None where it says nothing sound.

    The same convention as a chat completion's, under other names.
    """
    said = as_object(value)
    return openai_usage({theirs: said[ours] for ours, theirs in _RESPONSES.items() if ours in said})


def embeddings_usage(value: object) -> TokenUsage | None:
    """Return what the `usage` of embeddings says; None where it says nothing sound.

    They have no output: a total that says more than the prompt tells of work that is not counted.
    """
    try:
        said = as_object(value)
        prompt, total = _count(said, "prompt_tokens"), _count(said, "total_tokens")
        if prompt is None or (total is not None and total != prompt):
            return None
    except QuarantineError:
        return None
    return TokenUsage(input_tokens=prompt)


def _has_more(said: MessageUsage) -> bool:
    searches = said.server_tool_use and said.server_tool_use.web_search_requests
    return bool(searches) or any(each.type != "message" for each in said.iterations or ())


def _openai(said: Mapping[str, object]) -> TokenUsage:
    prompt, completion = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
    inputs = as_object(said.get("prompt_tokens_details"))
    outputs = as_object(said.get("completion_tokens_details"))
    if _count(inputs, "audio_tokens") or _count(outputs, "audio_tokens"):
        raise QuarantineError("audio has prices of its own")
    read, written = _count(inputs, "cached_tokens"), _count(inputs, "cache_write_tokens")
    reasoning = _count(outputs, "reasoning_tokens")
    return TokenUsage(
        input_tokens=rest_of(
            prompt, "prompt_tokens", cached_tokens=read, cache_write_tokens=written
        ),
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=_output(prompt, completion, reasoning, _count(said, "total_tokens")),
        reasoning_tokens=reasoning,
    )


def _output(
    prompt: int | None, completion: int | None, reasoning: int | None, total: int | None
) -> int | None:
    """Return the whole output: the total tells whether reasoning is inside the completion.

    Raises:
        QuarantineError: when the total is neither sum: there is output that is not counted.
    """
    if completion is not None and total is not None:
        said = (prompt or 0) + completion
        if reasoning and total == said + reasoning:
            return completion + reasoning
        if total != said:
            raise QuarantineError("total_tokens is not the sum of its parts")
    rest_of(completion, "completion_tokens", reasoning_tokens=reasoning)
    return completion


def _count(said: Mapping[str, object], name: str) -> int | None:
    value = said.get(name)
    if type(value) is int and 0 <= value <= MAX_QUANTITY:  # the common case, 20 times faster
        return value
    return quantity(value, name)
