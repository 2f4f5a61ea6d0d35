"""A chat's whole answer with none but the usual usage, read in one go: most are. Pure.

What it says here is what `told` and `meters` find out step by step; whatever is unusual is left to
them: an error, sound, sums that do not add up, counts that are no whole numbers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from clearbar.route.wire.told import Metered, tier_of
from clearbar.spend.charge import MAX_QUANTITY
from clearbar.tools.wire import named

if TYPE_CHECKING:
    from clearbar.route.wire.meters import Meters

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]
_None = Annotated[int, msgspec.Meta(ge=0, le=0)] | None
"""What may be said of that which was not used."""


class _Inputs(msgspec.Struct, gc=False):
    cached_tokens: _Count | msgspec.UnsetType = msgspec.UNSET
    audio_tokens: _None = None
    cache_write_tokens: _None = None


class _Outputs(msgspec.Struct, gc=False):
    reasoning_tokens: _Count | msgspec.UnsetType = msgspec.UNSET
    audio_tokens: _None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count
    prompt_tokens_details: _Inputs | None = None
    completion_tokens_details: _Outputs | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, gc=False):
    usage: _Usage
    id: str = ""
    model: str = ""
    choices: list[_Choice] = []
    service_tier: str | None = None
    type: None = None
    status: None = None
    error: None = None


def read_plain_answer(payload: bytes) -> Metered | None:
    """Return what a chat's answer tells; None where that takes a closer look."""
    try:
        said = _decode(payload)
    except (ValueError, RecursionError):
        return None
    meters = _meters(said.usage)
    if meters is None:
        return None
    choices, tier = said.choices, said.service_tier
    return Metered(
        meters,
        _named_again(said.model),
        said.id if _NAME.fullmatch(said.id) else "",
        "" if tier is None else _tier_again(tier),
        "",
        "",
        _named_again(choices[0].finish_reason or "") if choices else "",
        True,
        False,
        len(payload),
    )


def _meters(usage: _Usage) -> Meters | None:
    """Return the meters of what adds up; None for anything else."""
    prompt, output = usage.prompt_tokens, usage.completion_tokens
    if prompt + output != usage.total_tokens:
        return None
    inputs, outputs = usage.prompt_tokens_details, usage.completion_tokens_details
    meters = {"input_tokens": prompt, "output_tokens": output}
    if inputs is not None:
        if (read := inputs.cached_tokens) is not msgspec.UNSET:
            if read > prompt:
                return None
            meters["input_tokens"] = prompt - read
            meters["cache_read_tokens"] = read
        if inputs.cache_write_tokens is not None:
            meters["cache_write_tokens"] = 0
    if outputs is not None and (thought := outputs.reasoning_tokens) is not msgspec.UNSET:
        if thought > output:
            return None
        meters["reasoning_tokens"] = thought
    return meters


_decode: Final = msgspec.json.Decoder(_Answer).decode
_NAME: Final = re.compile(r"[!-~]{1,256}")
"""As `named` has it."""
_named_again: Final = lru_cache(maxsize=1024)(named)
"""For what a few replies say that many others say too."""
_tier_again: Final = lru_cache(maxsize=1024)(tier_of)
