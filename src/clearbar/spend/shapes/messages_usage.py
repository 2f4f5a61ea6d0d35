"""The `usage` object of Anthropic's Messages API, as answers, logs and gateways hold it.

Fresh input, cache reads and cache writes stand beside each other; thinking is inside the output.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.quarantine import rest_of

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]


class CacheCreation(msgspec.Struct, gc=False):
    """How many of the tokens written to a cache stay for how long."""

    ephemeral_5m_input_tokens: _Count | None = None
    ephemeral_1h_input_tokens: _Count | None = None


class ServerTools(msgspec.Struct, gc=False):
    """Calls of tools that the provider runs and charges for."""

    web_search_requests: _Count | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of the output."""

    thinking_tokens: _Count | None = None


class Tokens(msgspec.Struct, gc=False):
    """What a message and each of its iterations count; the kinds of input are disjoint."""

    input_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: _Count | None = None

    def sums(self) -> tuple[int, ...]:
        """Return what two accounts of the same tokens must agree on."""
        return (
            self.input_tokens or 0,
            self.cache_creation_input_tokens or 0,
            self.cache_read_input_tokens or 0,
            self.output_tokens or 0,
        )

    @property
    def given(self) -> int:
        """All tokens that the call was given."""
        *given, _ = self.sums()
        return sum(given)

    def is_given_as(self, other: Tokens) -> bool:
        """Return whether another account tells of the same kinds of input; quick."""
        return (
            self.input_tokens == other.input_tokens
            and self.cache_read_input_tokens == other.cache_read_input_tokens
            and self.cache_creation_input_tokens == other.cache_creation_input_tokens
        )


class Iteration(Tokens, gc=False):
    """One of the calls behind a message: message, compaction, advisor_message, fallback_message."""

    type: str = ""
    model: str | None = None


class MessageUsage(Tokens, gc=False):
    """The whole object; decoding refuses negative, broken and impossibly large counts."""

    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Iteration] | None = None


def cache_writes(tokens: Tokens) -> tuple[int | None, int | None, int | None]:
    """Return what was written for five minutes, for an hour, and for a time that is not told.

    Raises:
        QuarantineError: when the split exceeds the total.
    """
    split, total = tokens.cache_creation, tokens.cache_creation_input_tokens
    writes_5m = split.ephemeral_5m_input_tokens if split else None
    writes_1h = split.ephemeral_1h_input_tokens if split else None
    if writes_5m is None and writes_1h is None:
        return None, None, total
    if total is None or total == (writes_5m or 0) + (writes_1h or 0):
        return writes_5m, writes_1h, None
    parts = {"ephemeral_5m_input_tokens": writes_5m, "ephemeral_1h_input_tokens": writes_1h}
    return writes_5m, writes_1h, rest_of(total, "cache_creation_input_tokens", **parts)


def thinking(usage: MessageUsage) -> int | None:
    """Return the part of the output that was thought, not said.

    Raises:
        QuarantineError: when it exceeds the output.
    """
    details = usage.output_tokens_details
    if details is None:
        return None
    rest_of(usage.output_tokens, "output_tokens", thinking_tokens=details.thinking_tokens)
    return details.thinking_tokens
