"""Ids of requests, calls and spans: unique over workers and machines, sorting by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

_COUNTED: Final = 1 << 32
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


class Ids:
    """Makes ids. `source` is the worker's randomness, which no other worker shares."""

    __slots__ = ("_at_ms", "_beginning", "_count", "_source", "_worker")

    def __init__(self, source: Random) -> None:
        self._source = source
        self._worker = f"{source.getrandbits(48):012x}"
        self._count = 0
        self._at_ms = -1
        self._beginning = ""
        """Of the ids of that millisecond."""

    def next(self, at_us: int) -> str:
        """Return an id of 34 hexadecimal digits: milliseconds, worker, count."""
        self._count = (self._count + 1) % _COUNTED
        at_ms = at_us // 1000
        if at_ms != self._at_ms:
            self._at_ms, self._beginning = at_ms, f"{at_ms:014x}{self._worker}"
        return f"{self._beginning}{self._count:08x}"

    def two(self, at_us: int) -> tuple[str, str]:
        """Return two ids, as `next` does."""
        count = self._count = (self._count + 2) % _COUNTED
        at_ms = at_us // 1000
        if at_ms != self._at_ms or not count:
            return self.next(at_us), self.next(at_us)
        beginning = self._beginning
        return f"{beginning}{count - 1:08x}", f"{beginning}{count:08x}"

    def span_id(self) -> str:
        """Return a span id as W3C trace context wants it: 16 hexadecimal digits, not all zero."""
        return f"{self._source.getrandbits(64) or 1:016x}"

    def trace_and_span(self) -> tuple[str, str]:
        """Return a trace id and a span id."""
        digits = self._source.randbytes(24).hex()
        trace, span = digits[:32], digits[32:]
        if trace == _NO_TRACE or span == _NO_SPAN:  # pragma: no cover - once in an age
            return self.trace_id(), self.span_id()
        return trace, span

    def trace_id(self) -> str:
        """Return a trace id: 32 hexadecimal digits, not all zero."""
        return f"{self._source.getrandbits(128) or 1:032x}"
