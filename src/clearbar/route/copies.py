"""Copies of requests and answers that wait to be looked at; without room they are dropped."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from clearbar.route.route import Route
    from clearbar.route.wire.operation import Operation


@dataclass(slots=True)
class Counts:
    """What became of what was offered."""

    offered: int = 0
    dropped: int = 0
    """There was no room, or it was too long."""
    kept: int = 0


class Copy(Protocol):
    """A request with its answer."""

    @property
    def route(self) -> Route:
        """Of its workflow."""

    @property
    def operation(self) -> Operation:
        """What was asked for."""

    @property
    def body(self) -> bytes:
        """Of the request."""

    @property
    def text(self) -> str:
        """Of the answer."""


C = TypeVar("C", bound=Copy)


class Copies(Generic[C]):
    """A short queue, with bounds on how many wait and on how large they are together."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._waiting: deque[C] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, copy: C) -> bool:
        """Let a copy wait; False where there is no room."""
        size = _size(copy)
        if len(self._waiting) >= self._most or self._bytes + size > self._most_bytes:
            return False
        self._waiting.append(copy)
        self._bytes += size
        return True

    def take(self) -> C:
        """Take the oldest; there has to be one."""
        copy = self._waiting.popleft()
        self._bytes -= _size(copy)
        return copy

    def clear(self) -> int:
        """Drop all; return how many there were."""
        dropped = len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return dropped


def _size(copy: Copy) -> int:
    return len(copy.body) + len(copy.text)
