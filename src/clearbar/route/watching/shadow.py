"""Shadows of routed requests in a worker: the other tool is asked, and both answers are graded.

Nothing here may slow a reply. What is offered waits in a short queue; what does not fit is dropped
and counted. Texts live in memory only while they are worked on: what is kept is a `Sample`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.core.store import Store
from clearbar.route.copies import Copies, Counts
from clearbar.route.watching.sample import Sample
from clearbar.route.watching.store import keep
from clearbar.trial.grading.grader import UngradedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from clearbar.route.route import Route
    from clearbar.route.watching.grading import Ask, Graded, Grading
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import Request

MOST_WAITING: Final = 64
MOST_WAITING_BYTES: Final = 16 * 2**20
AT_ONCE: Final = 4
PATIENCE_S: Final = 120.0
"""How long one shadow may take, the other tool and the judge together."""


@dataclass(slots=True)
class ShadowCounts(Counts):
    """What became of what was offered."""

    unanswered: int = 0
    """The other tool gave no answer, or took too long."""
    ungraded: int = 0
    """The grader could not tell."""


@dataclass(frozen=True, slots=True)
class _Offer:
    route: Route
    operation: Operation
    body: bytes
    text: str
    by_old: bool
    """Whether the old tool gave the answer."""
    at: datetime


class ShadowDesk:
    """Of one worker; used on its event loop only.

    `ask` asks a tool a copy of a request, held and charged like any call, and returns the text of
    its answer; None where there is none. `read` tells what a body asks. `keep` takes samples and
    must not block: `SampleKeeper.keep`.
    """

    def __init__(
        self,
        gradings: Mapping[str, Grading],
        ask: Ask,
        keep: Callable[[Sample], object],
        read: Callable[[Operation, bytes], Request],
        now: Callable[[], datetime],
    ) -> None:
        self.gradings = gradings
        """By workflow; may be replaced when the declarations change."""
        self.counts = ShadowCounts()
        self._ask, self._keep, self._read, self._now = ask, keep, read, now
        self._waiting: Copies[_Offer] = Copies(MOST_WAITING, MOST_WAITING_BYTES)
        self._busy: set[asyncio.Task[None]] = set()
        self._closed = False

    def wants(self, route: Route, draw: float) -> bool:
        """Return whether to take a copy of a request; `draw` is uniform in [0, 1).

        The probability is the route's `shadow_share`, which stands with each sample.
        """
        return (
            draw < route.shadow_share
            and route.tool is not None
            and route.old_tool is not None
            and route.workflow in self.gradings
        )

    def offer(
        self, route: Route, operation: Operation, body: bytes, answer_text: str, tool: str
    ) -> bool:
        """Take a copy of a request that `tool` has answered; False where it is not looked at."""
        by_old = _answered_by_old(route, tool)
        known = route.workflow in self.gradings and route.shadow_share > 0
        if by_old is None or not known or not operation.answers or self._closed:
            return False
        self.counts.offered += 1
        offer = _Offer(route, operation, body, answer_text, by_old, self._now())
        if not self._waiting.put(offer):
            self.counts.dropped += 1
            return False
        if len(self._busy) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        return True

    async def close(self) -> None:
        """Drop what waits, and end what is in work."""
        self._closed = True
        self.counts.dropped += self._waiting.clear()
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _work(self) -> None:
        """Work until nothing waits."""
        while self._waiting:
            offer = self._waiting.take()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._look(offer)
            except TimeoutError:
                self.counts.unanswered += 1
            except Exception:  # noqa: BLE001 - a grader is a user's code; replies go on whatever it does
                self.counts.ungraded += 1

    async def _look(self, offer: _Offer) -> None:
        grading = self.gradings[offer.route.workflow]
        tool, old_tool = offer.route.tool or "", offer.route.old_tool or ""
        answer: str | None = None if offer.by_old else offer.text
        old_answer: str | None = offer.text if offer.by_old else None
        if offer.by_old:
            answer = await self._ask(offer.route.workflow, tool, offer.operation, offer.body)
        elif grading.needs_both:
            old_answer = await self._ask(
                offer.route.workflow, old_tool, offer.operation, offer.body
            )
        if answer is None or (old_answer is None and grading.needs_both):
            self.counts.unanswered += 1
            return
        request = self._read(offer.operation, offer.body)
        try:
            graded = await grading.grade(request, answer, old_answer)
        except UngradedError:
            self.counts.ungraded += 1
            return
        self._keep(_sample(offer, graded, len(answer)))
        self.counts.kept += 1


class SampleKeeper:
    """Writes samples to the store from a thread of its own, which opens the store itself."""

    def __init__(self, path: Path, most: int = 1024) -> None:
        self._path = path
        self._most = most
        self._pending: list[Sample] = []
        self._wake = threading.Condition()
        self._closed = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._thread.start()

    def keep(self, sample: Sample) -> bool:
        """Take a sample; False where it was dropped because the store does not keep up."""
        with self._wake:
            if self._closed or len(self._pending) >= self._most:
                self.dropped += 1
                return False
            self._pending.append(sample)
            self._wake.notify()
        return True

    def close(self) -> None:
        """Write what is left, and end."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        while True:
            with self._wake:
                while not self._pending and not self._closed:
                    self._wake.wait()
                taken, self._pending = self._pending, []
            if not taken:
                break
            try:
                store = store or Store(self._path)
                keep(store, taken)
            except (ClearbarError, sqlite3.Error, OSError):
                self.dropped += len(taken)
        if store is not None:
            store.close()


def _answered_by_old(route: Route, tool: str) -> bool | None:
    """Return whether the old tool answered; None where neither it nor the routed one did."""
    parts = () if route.cascade is None else (route.cascade.first, route.cascade.then)
    if route.tool is None or route.old_tool is None or route.tool == route.old_tool:
        return None
    if route.cascade is not None and route.mode != "shadow" and tool in parts:
        return False
    if tool == route.tool:
        return False
    return True if tool == route.old_tool else None


def _sample(offer: _Offer, graded: Graded, characters: int) -> Sample:
    route = offer.route
    return Sample(
        route.workflow,
        route.tool or "",
        route.old_tool or "",
        offer.at,
        route.shadow_share,
        graded.score,
        graded.by_old,
        graded.difference,
        graded.same,
        graded.ill_formed,
        characters,
    )
