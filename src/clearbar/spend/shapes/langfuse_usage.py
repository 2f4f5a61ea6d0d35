"""The usage of Langfuse: where it stands, which buckets are beside each other, which inside one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of
from clearbar.spend.shapes.otel_names import counts_beside

if TYPE_CHECKING:
    from clearbar.spend.files.entry import Counts
    from clearbar.spend.shapes.otel_names import Known

_BESIDE: Final = {
    "input": "input_tokens",
    "prompt_tokens": "input_tokens",
    "input_tokens": "input_tokens",
    "input_text": "input_tokens",
    "output": "output_tokens",
    "completion_tokens": "output_tokens",
    "output_tokens": "output_tokens",
    "output_text": "output_tokens",
    "input_cached_tokens": "cache_read_tokens",
    "input_cached": "cache_read_tokens",
    "input_cache_read": "cache_read_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_read": "cache_read_tokens",
    "cached_tokens": "cache_read_tokens",
    "input_cache_creation": "cache_write_tokens",
    "input_cache_write": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_creation": "cache_write_tokens",
    "cache_write": "cache_write_tokens",
    "input_cache_creation_5m": "cache_write_5m_tokens",
    "input_cache_creation_1h": "cache_write_1h_tokens",
    "input_audio": "input_audio_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "output_reasoning": "reasoning_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "output_audio": "output_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
}
"""Buckets that Langfuse takes for disjoint."""
_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_INSIDE: Final = {
    "prompt_details.cache_read": "cache_read_tokens",
    "prompt_details.cache_write": "cache_write_tokens",
    "prompt_details.audio": "input_audio_tokens",
    "completion_details.reasoning": "reasoning_tokens",
    "completion_details.audio": "output_audio_tokens",
}
"""Details of input and output, as OpenInference has them."""
COST: Final = "totalCost"
"""Of older programs: a cost among the quantities."""
_CACHED: Final = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)
_INPUTS: Final = (*_CACHED, "input_audio_tokens", "input_image_tokens")
_OUTPUTS: Final = ("reasoning_tokens", "output_audio_tokens")
_HINT: Final = "cached tokens may stand in two buckets, or a bucket is missing; see the trace"


def usage_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return the buckets; of older exports those of the fields before there were buckets."""
    details = fields(field(value, "usageDetails"))
    if details:
        return details
    usage = fields(value.get("usage"))
    if text(usage.get("unit")).upper() not in ("", "TOKENS"):
        return {}
    old = {
        "input": first(usage, "input", "promptTokens", "prompt_tokens"),
        "output": first(usage, "output", "completionTokens", "completion_tokens"),
        "total": first(usage, "total", "totalTokens", "total_tokens"),
    }
    if any(each is not None for each in old.values()):
        old[COST] = usage.get(COST)
        return {name: each for name, each in old.items() if each is not None}
    return _flat_usage(value)


def _flat_usage(value: dict[str, Any]) -> dict[str, Any]:
    flat = {
        "input": first(value, "inputUsage", "promptTokens", "input_usage"),
        "output": first(value, "outputUsage", "completionTokens", "output_usage"),
        "total": first(value, "totalUsage", "totalTokens", "total_usage"),
    }
    # These are 0 also where nothing is known.
    return {n: each for n, each in flat.items() if each} if any(flat.values()) else {}


def first(values: dict[str, Any], *names: str) -> Any:
    """Return the first of some fields that is told; None where none is."""
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


def field(value: dict[str, Any], name: str) -> Any:
    """Return a field by its name in the API, or by that in the exports to blob storage."""
    found = value.get(name)
    return value.get(_CAPITAL.sub("_", name).lower()) if found is None else found


def meters_of(buckets: dict[str, Any], attributes: Known) -> Counts:
    """Return the meters of one observation.

    Raises:
        QuarantineError: when the buckets do not add up, or one is told twice and differs.
    """
    total = quantity(buckets.get("total"), "total")
    beside = _gathered(buckets, _BESIDE)
    inside = _gathered(buckets, _INSIDE)
    if total is None:
        _check_known(buckets)
    whole, output = beside.get("input_tokens"), beside.get("output_tokens")
    parts_in = {name: beside[name] for name in _INPUTS if beside.get(name)}
    parts_out = {name: beside[name] for name in _OUTPUTS if beside.get(name)}
    if whole is None and output is None and not parts_in and not parts_out:
        return {}
    more_in, more_out = sum(parts_in.values()), sum(parts_out.values())
    is_in, is_out = _inside(whole or 0, output or 0, more_in, more_out, total, attributes)
    if is_in:
        whole = rest_of(whole, "input", **parts_in)
    if not is_out and more_out:
        output = quantity(
            (output or 0) + more_out - parts_out.get("output_audio_tokens", 0), "output"
        )
    elif parts_out.get("output_audio_tokens"):
        output = rest_of(output, "output", output_audio=parts_out["output_audio_tokens"])
    return _counts(whole, output, beside, inside)


def _inside(
    whole: int, output: int, more_in: int, more_out: int, total: int | None, attributes: Known
) -> tuple[bool, bool]:
    """Return whether the further buckets are inside input and inside output."""
    said_in = _program_says_inside("input_tokens", whole, more_in, attributes)
    said_out = _program_says_inside("output_tokens", output, more_out, attributes)
    if said_in or said_out:
        is_whole = total == whole + output
        return said_in or is_whole, said_out or is_whole
    if total is None or total == whole + output + more_in + more_out:
        return False, False
    for is_in, is_out in ((True, True), (True, False), (False, True)):
        beside = (0 if is_in else more_in) + (0 if is_out else more_out)
        if total == whole + output + beside:
            return is_in, is_out
    raise QuarantineError("the buckets of usage do not sum to the total", _HINT)


def _program_says_inside(name: str, whole: int, more: int, attributes: Known) -> bool:
    """Return whether the program reported the same, and so counts the further buckets in it."""
    said = quantity(attributes.get(name), f"the program's {name}")
    is_beside = name == "input_tokens" and counts_beside(attributes)
    return bool(more) and said == whole and more <= whole and not is_beside


def _gathered(buckets: dict[str, Any], names: dict[str, str]) -> dict[str, int]:
    """Return our name -> quantity; a bucket under two names is the same twice, or refused."""
    found: dict[str, int] = {}
    for theirs, ours in names.items():
        number = quantity(buckets.get(theirs), theirs)
        if number is None:
            continue
        if found.get(ours) and number and found[ours] != number:
            raise QuarantineError(f"{theirs} and another name of it differ", _HINT)
        found[ours] = number or found.get(ours, 0)
    return found


def _check_known(buckets: dict[str, Any]) -> None:
    """Refuse tokens under names that are not known, where no total could show what they are.

    Raises:
        QuarantineError: when there are such.
    """
    for name, value in buckets.items():
        is_known = name in _BESIDE or name in _INSIDE or name == COST
        if not is_known and quantity(value, "a bucket of usage"):
            raise QuarantineError("a bucket of usage whose name is not known", _HINT)


def _counts(
    whole: int | None, output: int | None, beside: dict[str, int], inside: dict[str, int]
) -> Counts:
    counts: dict[str, int | None] = {"input_tokens": whole, "output_tokens": output}
    counts |= {name: beside.get(name) for name in (*_INPUTS, *_OUTPUTS)}
    details = {name: inside[name] for name in inside if name in _INPUTS and not beside.get(name)}
    if details:
        counts |= details
        counts["input_tokens"] = rest_of(whole, "input", **details)
    for name in _OUTPUTS:
        if inside.get(name) and not beside.get(name):
            counts[name] = inside[name]
    audio = inside.get("output_audio_tokens")
    if audio and not beside.get("output_audio_tokens"):
        counts["output_tokens"] = rest_of(output, "output", output_audio=audio)
    rest_of(counts["output_tokens"], "output", reasoning=counts.get("reasoning_tokens"))
    return cast("Counts", counts)
