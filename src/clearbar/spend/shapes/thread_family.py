"""Threads that were forked from each other: in which of them an event happened first.

A fork begins with a copy of its parent's events, often with new timestamps, and the parent's file
may be gone. So an event is named for the thread that it happened in, in every file alike; then it
counts once, whichever files are read, in whatever order.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_UUID_7: Final = re.compile(
    r"([0-9a-fA-F]{8})-([0-9a-fA-F]{4})-7[0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
COPYING_MS: Final = 30_000
"""So long after a fork began, an event may still be one that was copied with a new timestamp."""
_MAX_MEMBERS: Final = 64


class Descent(NamedTuple):
    """The thread in which an event happened."""

    owner: str
    certain: bool
    """False where any thread of the family may be the owner, and the oldest stands for it."""


def uuid7_ms(text: str) -> int | None:
    """Return the milliseconds since 1970 that a UUID of version 7 tells; None for any other."""
    found = _UUID_7.fullmatch(text)
    return int(found[1] + found[2], 16) if found else None


class ThreadFamily:
    """A thread and those that it descends from, as far as one file tells of them."""

    def __init__(self) -> None:
        self._created_ms: dict[str, int | None] = {}
        """The file's own thread first; None where its beginning is not told."""

    def __len__(self) -> int:
        return len(self._created_ms)

    @property
    def own(self) -> str:
        """The thread that the file is of; empty where none is known."""
        return next(iter(self._created_ms), "")

    def add(self, thread_id: str, created_ms: int | None = None) -> None:
        """Take a thread, the file's own or an older one, or what is told of it later."""
        if thread_id and (thread_id in self._created_ms or len(self) < _MAX_MEMBERS):
            known = self._created_ms.get(thread_id)
            told = uuid7_ms(thread_id)
            self._created_ms[thread_id] = next(
                (ms for ms in (known, told, created_ms) if ms is not None), None
            )

    def descent(self, turn_ms: int | None, told_ms: int) -> Descent:
        """Return where an event happened.

        `turn_ms` is when its turn began, which copies keep; `told_ms` is the time on its line.
        """
        owner = self._owner(turn_ms, told_ms) if len(self) > 1 else self.own
        if owner is None:
            return Descent(self._oldest(), certain=False)
        return Descent(owner, certain=True)

    def _owner(self, turn_ms: int | None, told_ms: int) -> str | None:
        created = self._created_ms[self.own]
        if created is None:
            return None
        slack, moment = (0, turn_ms) if turn_ms is not None else (COPYING_MS, told_ms)
        if slack and created <= moment < created + slack:
            return None
        there = [
            (since, member)
            for member, since in self._created_ms.items()
            if since is not None and since + slack <= moment
        ]
        return max(there)[1] if there else None

    def _oldest(self) -> str:
        """Return the oldest thread: the last named of those whose beginning is not told, if any."""
        untold = [member for member, since in self._created_ms.items() if since is None]
        if untold:
            return untold[-1]
        return min((since or 0, member) for member, since in self._created_ms.items())[1]
