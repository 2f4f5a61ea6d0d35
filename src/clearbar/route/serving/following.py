"""Keeps those who count calls up with the journals: soon where somebody looks, else when asked.

A line costs some microseconds to read. Who logs or traces needs each soon after it is written. For
counters that nobody looks at it is enough to be right when somebody does: so they are brought up
then, and before that only so far that it never takes long.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.route.journal.reader import Block, Follower
    from clearbar.route.operating.feed import Feed

_WATCHED_S: Final = 60.0
"""So long after somebody has asked, it is assumed that somebody looks on."""
_MOST_SEGMENTS: Final = 4
"""A worker's journal is never left further behind: of 16 MB each, some 100,000 calls in all."""


class Following:
    """Reads new lines for a feed. For one event loop, as whose `clock` it is called."""

    def __init__(
        self,
        feed: Feed,
        follower: Follower,
        clock: Callable[[], float],
        *,
        at_once: bool,
        wanted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin behind what the follower has passed over.

        `at_once`: somebody passes each line on. `wanted`: whether something is waited for now.
        """
        self._feed = feed
        self._follower = follower
        self._clock = clock
        self._at_once = at_once
        self._wanted = wanted
        self._asked_s = -inf
        self._blocks: Iterator[Block] | None = None
        """What is being read; whoever comes meanwhile goes on with it, so that nothing is read
        twice."""

    async def asked(self) -> None:
        """Read all that was written up to now, for somebody who looks."""
        self._asked_s = self._clock()
        await self._catch_up()

    async def turn(self) -> None:
        """Read on where that is due."""
        watched = self._at_once or self._clock() - self._asked_s < _WATCHED_S or self._wanted()
        if watched or self._follower.segments_behind() >= _MOST_SEGMENTS:
            await self._catch_up()

    def end(self) -> None:
        """Read the last lines, where somebody passes them on."""
        if self._at_once:
            self._read_all()

    def bury(self, worker: str, at_us: int, *, ending: bool) -> None:
        """Read a dead worker's last lines, and end what it had in flight.

        Where the whole gateway ends, only for who passes lines on: nobody looks any more.
        """
        if ending and not self._at_once:
            return
        self._read_all()
        self._feed.worker_died(worker, at_us)

    async def _catch_up(self) -> None:
        """Read all; let others have their turn in between."""
        for _ in range(2):  # what was being read may have begun before the last lines were written
            more = True
            while more:
                more = self._read_block()
                await asyncio.sleep(0)

    def _read_all(self) -> None:
        for _ in range(2):
            while self._read_block():
                pass

    def _read_block(self) -> bool:
        """Read a little; return False where there is no more."""
        if self._blocks is None:
            self._blocks = self._follower.new_blocks()
        block = next(self._blocks, None)
        if block is None:
            self._blocks = None
            return False
        self._feed.take(block.entries)
        return True
