"""The calls inside a message of Anthropic's Messages API that its own figures do not hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.shapes.messages_usage import Iteration, MessageUsage

_BESIDE: Final = ("compaction", "advisor_message")
"""Iterations whose tokens the figures of the message itself never hold."""


def further_calls(usage: MessageUsage) -> Iterator[tuple[str, Iteration]]:
    """Yield each further call, and what to append to the message's identity for its own.

    A fallback's tokens are taken for held unless the plain iterations alone make up the figures.
    """
    iterations = usage.iterations or []
    plain = [each.sums() for each in iterations if each.type == "message"]
    complete = tuple(map(sum, zip(*plain, strict=True))) == usage.sums()
    for index, each in enumerate(iterations):
        if each.type in _BESIDE or (each.type == "fallback_message" and complete):
            yield f"#{each.type}:{index}", each
