"""The `usage` object of OpenAI's APIs, and of all that answer in their shape -> disjoint meters.

Cached tokens, cache writes, sound and images stand inside the input; reasoning and rejected
predictions inside the output. Some hosts count reasoning beside it: the total tells which.
Perplexity tells reasoning, what it read and its searches beside both, outside the details. Pure.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.files.entry import Counts

_IN: Final = ("prompt_tokens", "input_tokens")
_OUT: Final = ("completion_tokens", "output_tokens")
_IN_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUT_DETAILS: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_CACHED_ELSEWHERE: Final = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
"""Names by which DeepSeek, Moonshot and Mistral tell it outside the details."""
_SOURCES: Final = "citation_tokens"
_RESEARCH: Final = frozenset({"search_context_size", _SOURCES})
"""By one of these members an answer of Perplexity is known."""
_BESIDE: Final = _RESEARCH | {"reasoning_tokens", "num_search_queries"}
"""What Perplexity tells outside the details."""
_SECONDS: Final = 10**9


def counts_of(usage: Mapping[str, Any], *, draws: bool = False) -> Counts:
    """Return the meters that a `usage` reports.

    `draws`: the output is images unless the details say otherwise, as of the Images API.

    Raises:
        QuarantineError: when a count is broken, or the counts contradict each other.
    """
    if usage.get("type") == "duration":
        return {"audio_seconds": _seconds(usage.get("seconds"))}
    if not draws and (plain := _plain(usage)) is not None:
        return plain
    if not _RESEARCH.isdisjoint(usage):
        return _researched(usage)
    inputs, outputs = _details(usage, _IN_DETAILS), _details(usage, _OUT_DETAILS)
    whole_in, whole_out = _either(usage, _IN), _either(usage, _OUT)
    reasoning = _count(outputs, "reasoning_tokens")
    whole_out = _whole_output(usage, whole_in, whole_out, reasoning)
    rejected = _count(outputs, "rejected_prediction_tokens")
    rest_of(whole_out, "the output", reasoning_tokens=reasoning)
    rest_of(whole_out, "the output", rejected_prediction_tokens=rejected)
    audio, image = _count(outputs, "audio_tokens"), _count(outputs, "image_tokens")
    if draws and image is None:
        image = rest_of(whole_out, "the output", text_tokens=_count(outputs, "text_tokens"))
    counts: Counts = {
        **_input(usage, inputs, whole_in),
        "output_tokens": rest_of(whole_out, "the output", audio_tokens=audio, image_tokens=image),
        "output_audio_tokens": audio,
        "output_image_tokens": image,
        "reasoning_tokens": reasoning,
    }
    return counts


def _plain(usage: Mapping[str, Any]) -> Counts | None:
    """Return the meters of the common case, in a fraction of the time; None of any other.

    The common case: whole numbers that add up, text alone, and nothing that is told elsewhere.
    """
    chat = "prompt_tokens" in usage
    prompt, output = usage.get(_IN[not chat]), usage.get(_OUT[not chat])
    inputs, outputs = usage.get(_IN_DETAILS[not chat]), usage.get(_OUT_DETAILS[not chat])
    total = usage.get("total_tokens")
    if not (type(inputs) is type(outputs) is dict and len(usage) == _PLAIN_MEMBERS):
        return None
    read, reasoning = inputs.get("cached_tokens"), outputs.get("reasoning_tokens")
    if not (type(prompt) is type(output) is type(total) is type(read) is type(reasoning) is int):
        return None
    if not (0 <= read <= prompt and 0 <= reasoning <= output and prompt + output == total):
        return None
    if total > MAX_QUANTITY or not (inputs.keys() <= _PLAIN_INPUTS and outputs.keys() <= _PLAIN):
        return None
    told = [inputs.get(_AUDIO), *(value for name, value in outputs.items() if name in _ZEROS)]
    if any(value is not None and (type(value) is not int or value) for value in told):
        return None
    return {
        "input_tokens": prompt - read,
        "input_audio_tokens": None if read else inputs.get(_AUDIO),
        "cache_read_tokens": read,
        "output_tokens": output,
        "output_audio_tokens": outputs.get(_AUDIO),
        "reasoning_tokens": reasoning,
    }


_AUDIO: Final = "audio_tokens"
_PLAIN_MEMBERS: Final = 5
_PLAIN_INPUTS: Final = frozenset({"cached_tokens", _AUDIO})
_ZEROS: Final = frozenset({_AUDIO, "rejected_prediction_tokens"})
_PLAIN: Final = _ZEROS | {"reasoning_tokens", "accepted_prediction_tokens"}


class _Cached(NamedTuple):
    """What of the input was read from a cache, by kind; the kinds are None where not told."""

    whole: int | None
    audio: int | None
    image: int | None
    told_by_kind: bool


def _input(usage: Mapping[str, Any], inputs: Mapping[str, Any], whole: int | None) -> Counts:
    cached = _cached(usage, inputs)
    written = _count(inputs, "cache_write_tokens")
    audio, image = _count(inputs, "audio_tokens"), _count(inputs, "image_tokens")
    video = _count(inputs, "video_tokens")
    if (cached.whole or written) and not cached.told_by_kind:
        audio = image = video = None  # how much of them was cached, nobody tells
    else:
        audio = _less(audio, cached.audio, "audio_tokens")
        image = _less(image, cached.image, "image_tokens")
    return {
        "input_tokens": rest_of(
            whole,
            "the input",
            cached_tokens=cached.whole,
            cache_write_tokens=written,
            audio_tokens=audio,
            image_tokens=image,
            video_tokens=video,
        ),
        "input_audio_tokens": audio,
        "input_image_tokens": image,
        "input_video_tokens": video,
        "cache_read_tokens": rest_of(
            cached.whole, "cached_tokens", audio_tokens=cached.audio, image_tokens=cached.image
        ),
        "cache_read_audio_tokens": cached.audio,
        "cache_read_image_tokens": cached.image,
        "cache_write_tokens": written,
    }


def _cached(usage: Mapping[str, Any], inputs: Mapping[str, Any]) -> _Cached:
    whole = _count(inputs, "cached_tokens")
    if whole is None:
        whole = _either(usage, _CACHED_ELSEWHERE)
    kinds = _details(inputs, ("cached_tokens_details",))
    return _Cached(whole, _count(kinds, "audio_tokens"), _count(kinds, "image_tokens"), bool(kinds))


def _whole_output(
    usage: Mapping[str, Any], whole_in: int | None, whole_out: int | None, reasoning: int | None
) -> int | None:
    """Return all output; the total tells whether reasoning is inside of what is called output.

    Raises:
        QuarantineError: when the total is neither sum: there is work that is not counted.
    """
    total = _count(usage, "total_tokens")
    if total is None or (whole_in is None and whole_out is None):
        return whole_out
    said = (whole_in or 0) + (whole_out or 0)
    if reasoning and total == said + reasoning:
        return None if whole_out is None else whole_out + reasoning
    if total != said:
        raise QuarantineError(
            "total_tokens is not the sum of its parts", "some of the work is not counted"
        )
    return whole_out


def _researched(usage: Mapping[str, Any]) -> Counts:
    """Return the meters of an answer of Perplexity.

    Sources that were read cost like input. Searches are a fee only where sources are told; other
    models of Perplexity have a price for each call, which holds them.
    """
    rest = {name: value for name, value in usage.items() if name not in _BESIDE}
    reasoning, sources = _count(usage, "reasoning_tokens"), _count(usage, _SOURCES)
    said = sum(_either(usage, names) or 0 for names in (_IN, _OUT))
    whole = said + (reasoning or 0)
    if _count(usage, "total_tokens") in {whole, whole + (sources or 0)}:
        rest["total_tokens"] = said
    counts = counts_of(rest)
    counts["input_tokens"] = _sum(counts["input_tokens"], sources)
    counts["output_tokens"] = _sum(counts["output_tokens"], reasoning)
    counts["reasoning_tokens"] = _sum(counts["reasoning_tokens"], reasoning)
    if sources is not None:
        counts["web_searches"] = _count(usage, "num_search_queries")
    return counts


def _sum(count: int | None, more: int | None) -> int | None:
    return count if more is None else quantity((count or 0) + more, "the sum")


def _less(whole: int | None, cached: int | None, name: str) -> int | None:
    return rest_of(whole, name, cached_tokens_details=cached) if whole is not None else None


def _details(said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return next((found for name in names if (found := fields(said.get(name)))), {})


def _either(said: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the first count that is told under one of the names."""
    found = (_count(said, name) for name in names)
    return next((count for count in found if count is not None), None)


def _count(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    if value is None or (type(value) is int and 0 <= value <= MAX_QUANTITY):
        return value  # the common case
    return quantity(value, name)


def _seconds(value: object) -> int | None:
    """Return whole seconds, to the nearest, as sound is charged."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < _SECONDS:
        value = value.quantize(Decimal(1), ROUND_HALF_UP)
    return quantity(value, "seconds")


def fees_of(response: Mapping[str, Any]) -> Counts:
    """Return what tools that the provider ran in a Responses answer are charged for.

    Of web searches only the action of searching, not of opening or reading a page. A code session
    is a container, however often it was used.

    Raises:
        QuarantineError: when the number of searches that is told is no number.
    """
    output = response.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    if not items:
        return {}
    kinds = [item.get("type") for item in items]
    told = fields(fields(response.get("tool_usage")).get("web_search"))
    searches = _count(told, "num_requests")
    if searches is None:
        searches = sum(1 for item in items if _is_search(item))
    containers = {
        str(item.get("container_id") or item.get("id"))
        for item in items
        if item.get("type") == "code_interpreter_call"
    }
    fees: Counts = {}
    if searches:
        fees["web_searches"] = searches
    if files := kinds.count("file_search_call"):
        fees["file_searches"] = files
    if containers:
        fees["code_sessions"] = len(containers)
    return fees


def drawn_by(response: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return model and `usage` of images that a Responses answer drew; None where it drew none.

    They are no part of its own usage. Both are empty where they are not told.
    """
    output = response.get("output")
    if not output and "tool_usage" not in response:
        return None
    usage = fields(fields(response.get("tool_usage")).get("image_gen"))
    items = output if isinstance(output, list) else []
    drew = any(isinstance(each, dict) and each.get("type") == _DRAWING for each in items)
    if not drew and not usage.get("total_tokens"):
        return None
    tools = response.get("tools")
    models = {
        each["model"]
        for each in (tools if isinstance(tools, list) else [])
        if isinstance(each, dict) and isinstance(each.get("model"), str)
    }
    return (models.pop() if len(models) == 1 else ""), usage


_DRAWING: Final = "image_generation_call"


def _is_search(item: Mapping[str, Any]) -> bool:
    if item.get("type") != "web_search_call":
        return False
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type", "search") == "search"
