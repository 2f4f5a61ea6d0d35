"""Spans inside spans: who encloses whom, by which a call that is told of twice is counted once.

Kept within bounds: of a file with more spans than can be held, the traces that were quiet for the
longest are finished first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Key = tuple[str, str]
"""A trace and a span in it."""

MAX_SPANS: Final = 50_000
_MAX_DEPTH: Final = 32
"""How far up is looked, so that a chain of any length costs no more than its spans do."""


class Node(Protocol):
    """What has to be known of a span."""

    @property
    def key(self) -> Key:
        """Itself."""
        ...

    @property
    def parent(self) -> Key:
        """The span around it; without a second part where there is none."""
        ...

    @property
    def bills(self) -> str:
        """What kind of call of a model it is; empty for none."""
        ...

    @property
    def counted(self) -> bool:
        """Whether it tells how much was used."""
        ...


N = TypeVar("N", bound=Node)


class Traces(Generic[N]):
    """Spans as they come, by trace; a span that comes again replaces itself."""

    def __init__(self, most: int = MAX_SPANS) -> None:
        self._most = most
        self._count = 0
        self._traces: dict[str, dict[Key, N]] = {}

    def add(self, span: N) -> None:
        """Take a span."""
        trace = self._traces.pop(span.key[0], {})
        self._count += span.key not in trace
        trace[span.key] = span
        self._traces[span.key[0]] = trace  # the one that was touched last stands last

    def too_many(self) -> Iterator[dict[Key, N]]:
        """Yield the traces to be finished now, so that not too many spans are held."""
        while self._count > self._most:
            oldest = next(iter(self._traces))
            trace = self._traces.pop(oldest)
            self._count -= len(trace)
            yield trace

    def rest(self) -> Iterator[dict[Key, N]]:
        """Yield all traces that are left."""
        yield from self._traces.values()


def around(span: N, spans: Mapping[Key, N]) -> Iterator[N]:
    """Yield the spans around one, the nearest first, not above the 32nd."""
    seen = {span.key}
    while (outer := spans.get(span.parent)) and outer.key not in seen and len(seen) <= _MAX_DEPTH:
        seen.add(outer.key)
        yield outer
        span = outer


def enclosing(spans: Mapping[Key, N]) -> set[Key]:
    """Return the calls that enclose a call of the same kind that tells what it used."""
    return {
        outer.key
        for span in spans.values()
        if span.bills and span.counted
        for outer in around(span, spans)
        if outer.bills == span.bills
    }


def missing_parents(spans: Mapping[Key, N], billed: Iterator[N]) -> dict[Key, N]:
    """Return the spans around calls that are told of elsewhere, or nowhere, each with one call.

    If such a span turns up in another file and looks like a call, it is none.
    """
    return {
        span.parent: span
        for span in billed
        if span.counted and span.parent[1] and span.parent not in spans
    }
