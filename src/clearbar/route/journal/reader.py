"""All journals of a folder read: what is there, what has come since, and which calls ended how."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.lock import is_alive
from clearbar.route.journal.tail import Block, Place, Placed, Tail

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from clearbar.core.errors import Problem

__all__ = [
    "Block",
    "Follower",
    "Place",
    "Placed",
    "Tail",
    "calls",
    "entries",
    "is_alive",
    "workers",
]


class Follower:
    """All journals of a folder, read on and on. Workers that come and go are noticed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tails: dict[str, Tail] = {}

    def new_entries(self) -> Iterator[Placed]:
        """Yield what has come since, each worker's entries in their order."""
        for tail in self._present():
            yield from tail.new_entries()

    def new_blocks(self) -> Iterator[Block]:
        """Yield what has come since, each worker's entries in their order, many at a time."""
        for tail in self._present():
            yield from tail.new_blocks()

    def segments_behind(self) -> int:
        """Return how many segments have been begun since, at most, in one worker's journal."""
        return max((tail.segments_behind() for tail in self._present()), default=0)

    def skip_to_end(self) -> None:
        """Pass over all that is there now; of dead workers, which write no more, unread."""
        for tail in self._present():
            tail.skip_to_end()

    def _present(self) -> Collection[Tail]:
        present = workers(self._folder)
        self._tails = {name: self._tails.get(name) or Tail(self._folder, name) for name in present}
        return self._tails.values()

    def problems(self) -> list[tuple[str, Problem]]:
        """Return what was found damaged, once each."""
        found = [each for tail in self._tails.values() for each in tail.problems]
        for tail in self._tails.values():
            tail.problems.clear()
        return found


def workers(folder: Path) -> list[str]:
    """Return the names of the workers that have a journal in a folder."""
    try:
        with os.scandir(folder) as found:
            return sorted(each.name for each in found if each.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def entries(
    folder: Path, worker: str | None = None, problems: list[tuple[str, Problem]] | None = None
) -> Iterator[Placed]:
    """Yield all entries of a folder of journals, or of one worker's, each worker's in their order.

    What is damaged is appended to `problems`.
    """
    for name in workers(folder) if worker is None else [worker]:
        tail = Tail(folder, name)
        yield from tail.new_entries()
        if problems is not None:
            problems += tail.problems


def calls(folder: Path, worker: str | None = None) -> Iterator[tuple[Held, Ended | None]]:
    """Yield the calls of a folder of journals, or of one worker: as they end, then the open ones.

    An open call of a dead worker was lost with it; one of a living worker is in flight.
    """
    begun: dict[str, Held] = {}
    for name in workers(folder) if worker is None else [worker]:
        for entry in chain.from_iterable(
            block.entries for block in Tail(folder, name).new_blocks()
        ):
            if isinstance(entry, Held):
                begun[entry.call_id] = entry
            elif isinstance(entry, Ended) and (held := begun.pop(entry.call_id, None)) is not None:
                yield held, entry
    for held in begun.values():
        yield held, None
