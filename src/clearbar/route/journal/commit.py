"""The thread that puts lines on the disk, many at a time; it sleeps while nothing is to be done."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

    from clearbar.route.journal.segment import Segment


class Batch(NamedTuple):
    """What is to be on the disk: all lines up to a position."""

    position: int
    full: Sequence[tuple[Segment, int]]
    """Segments that were left since the last batch, with the bytes used; they are sealed."""
    current: Segment


class Committer:
    """Takes one batch at a time, and tells the event loop when it is durable, or that it failed."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        durable: Callable[[int, float], None],
        broken: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._durable = durable
        self._broken = broken
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-commit", daemon=True)
        self._thread.start()

    def take(self, batch: Batch) -> None:
        """Put a batch on the disk; the one before it must have been answered."""
        self._batches.put(batch)

    def close(self) -> None:
        """End the thread, after the batch that it has in hand."""
        self._batches.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            begun_s = perf_counter()
            try:
                commit(batch)
            except OSError as error:
                self._tell(self._broken, error)
            else:
                self._tell(self._durable, batch.position, perf_counter() - begun_s)

    def _tell(self, call: Callable[..., None], *what: object) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *what)


def commit(batch: Batch) -> None:
    """Put a batch on the disk.

    Raises:
        OSError: when it cannot be; then nobody may rely on the lines that were to be in it.
    """
    for segment, used in batch.full:
        segment.sync()
        segment.seal(used)
    batch.current.sync()
