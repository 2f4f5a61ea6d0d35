"""The calls inside a message of Anthropic's Messages API that its own figures do not hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.spend.shapes.messages_usage import cache_writes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.charge import Record
    from clearbar.spend.shapes.messages_usage import Iteration, MessageUsage

_BESIDE: Final = ("compaction", "advisor_message")
"""Iterations whose tokens the figures of the message itself never hold."""


def further_records(record: Record, usage: MessageUsage) -> Iterator[Record]:
    """Yield a record for each further call inside the message that `record` tells of.

    A fallback's tokens are taken for held unless the plain iterations alone make up the figures.

    Raises:
        QuarantineError: when the cache writes of a call do not add up.
    """
    iterations = usage.iterations or []
    plain = [each.sums() for each in iterations if each.type == "message"]
    complete = tuple(map(sum, zip(*plain, strict=True))) == usage.sums()
    for index, each in enumerate(iterations):
        if each.type in _BESIDE or (each.type == "fallback_message" and complete):
            yield _further(record, f"#{each.type}:{index}", each)


def _further(record: Record, mark: str, call: Iteration) -> Record:
    writes_5m, writes_1h, writes_other = cache_writes(call)
    return msgspec.structs.replace(
        record,
        identity=record.identity + mark,
        aliases="",
        origin=msgspec.structs.replace(record.origin, model=call.model or record.origin.model),
        input_tokens=call.input_tokens,
        cache_read_tokens=call.cache_read_input_tokens,
        cache_write_5m_tokens=writes_5m,
        cache_write_1h_tokens=writes_1h,
        cache_write_tokens=writes_other,
        output_tokens=call.output_tokens,
        usage="final",
        reasoning_tokens=None,
        web_searches=None,
        reported_cost_usd=None,
        lines=1,
    )
