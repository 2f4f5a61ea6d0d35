"""Counters that only tell a running total: what each telling of it adds.

Codex writes the total again whenever its display changes, starts it anew at times, and carries it
on from another thread. So an addition is never the total, and never what the event calls the last.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Final, NamedTuple

import msgspec

from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.quarantine import QuarantineError, rest_of

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]
_REMEMBERED: Final = 4096
"""Totals of which a repetition is known for one; more are not held."""


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """Codex' counts: cached tokens are a part of the input, reasoning is one of the output.

    `total_tokens` is left out: when a context is full, Codex fills it up to the window.
    """

    input_tokens: _Count | None = None
    cached_input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    reasoning_output_tokens: _Count | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """What every telling of the same total has in common; headless lines tell no reasoning."""
        return self.input_tokens or 0, self.cached_input_tokens or 0, self.output_tokens or 0

    @property
    def is_nothing(self) -> bool:
        """Whether not a single token is told."""
        return not any(self.key)

    def since(self, before: TokenUsage) -> TokenUsage:
        """Return what was used since `before`.

        Raises:
            QuarantineError: when a part fell although the whole did not.
        """
        return TokenUsage(
            _rise("input_tokens", self.input_tokens, before.input_tokens),
            _rise("cached_input_tokens", self.cached_input_tokens, before.cached_input_tokens),
            _rise("output_tokens", self.output_tokens, before.output_tokens),
            _rise(
                "reasoning_output_tokens",
                self.reasoning_output_tokens,
                before.reasoning_output_tokens,
            ),
        )


def check_parts(usage: TokenUsage) -> None:
    """Check that parts are within their wholes.

    Raises:
        QuarantineError: when one is not.
    """
    cached, reasoning = usage.cached_input_tokens, usage.reasoning_output_tokens
    if (cached or 0) <= (usage.input_tokens or 0) and (reasoning or 0) <= (
        usage.output_tokens or 0
    ):
        return  # nearly always; what follows says what is wrong
    rest_of(usage.input_tokens, "input_tokens", cached_input_tokens=cached)
    rest_of(usage.output_tokens, "output_tokens", reasoning_output_tokens=reasoning)


class Addition(NamedTuple):
    """What one telling of the total adds, and the place of that total in its thread."""

    used: TokenUsage
    total: TokenUsage
    resets: int
    """How often the counter had begun anew."""


class CumulativeCounter:
    """The running total of one thread, from the beginning of a file."""

    def __init__(self) -> None:
        self._high = self._latest = TokenUsage()
        self._resets = 0
        self._told: OrderedDict[tuple[int, int, int], None] = OrderedDict()

    @property
    def is_new(self) -> bool:
        """Whether nothing was told yet."""
        return not self._told

    def add(
        self, total: TokenUsage, last: TokenUsage | None = None, *, elsewhere: bool = False
    ) -> Addition | None:
        """Return what a telling of the total adds; None where it repeats an earlier one.

        `last` is what the event calls the last call; it only decides what a fall means.
        `elsewhere` says that the thread may go on from a total of which this file tells nothing.

        Raises:
            QuarantineError: when a part exceeds its whole, or fell although the whole did not.
        """
        if self.repeats(total):
            return None
        check_parts(total)  # before it counts: the next good total tells what was used since
        first, base = self.is_new, _base(total, last)
        if first and elsewhere and last is not None and base is not None:
            return self._accept(total, last)
        if _falls(total, self._high):
            return self._fallen(total, last, base)
        before = self._latest if last is not None and base == self._latest.key else self._high
        self._high = total  # also where the parts do not add up: later events go on from it
        self._remember(total)
        return self._accept(total, total.since(before))

    def repeats(self, total: TokenUsage) -> bool:
        """Return whether a total is the one that was told last, or the highest; note that it is."""
        if total.key == self._latest.key:
            return True
        if total.key != self._high.key:
            return False
        self._remember(total)
        return True

    def begin_anew(self) -> None:
        """Start from nothing: what follows is counted by another."""
        self._resets += 1
        self._high = self._latest = TokenUsage()

    def _fallen(
        self, total: TokenUsage, last: TokenUsage | None, base: tuple[int, int, int] | None
    ) -> Addition | None:
        """Take a total below an earlier one: an old event, a step back, or a new beginning."""
        if last is not None and last.key != total.key:
            if total.key in self._told:
                self._latest = total
                return None
            if base in self._told:
                return self._accept(total, last)
        self.begin_anew()
        return None if total.is_nothing else self._accept(total, total)

    def _accept(self, total: TokenUsage, used: TokenUsage) -> Addition:
        self._high = total
        self._remember(total)
        return Addition(used, total, self._resets)

    def _remember(self, total: TokenUsage) -> None:
        self._latest = total
        self._told[total.key] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _falls(total: TokenUsage, before: TokenUsage) -> bool:
    return (total.input_tokens or 0) < (before.input_tokens or 0) or (total.output_tokens or 0) < (
        before.output_tokens or 0
    )


def _base(total: TokenUsage, last: TokenUsage | None) -> tuple[int, int, int] | None:
    """Return the total before the last call; None where it is not told or would be negative."""
    if last is None:
        return None
    whole, part = total.key, last.key
    found = (whole[0] - part[0], whole[1] - part[1], whole[2] - part[2])
    return None if min(found) < 0 else found


def _rise(name: str, now: int | None, before: int | None) -> int | None:
    if now is None:
        return None
    if now < (before or 0):
        raise QuarantineError(
            f"the running total of {name} fell while the others rose",
            "the log may have been edited, or put together from several",
        )
    return now - (before or 0)
