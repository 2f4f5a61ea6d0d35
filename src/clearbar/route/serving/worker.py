"""A worker process: serves requests by the table of routes until it is told to end.

It shares nothing with other workers but the listening socket, the store of budgets and the file
with the table. When its supervisor dies, it ends too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.allowance import Allowance
from clearbar.route.budgets.opening import open_store
from clearbar.route.budgets.owned import OwnedObjects
from clearbar.route.capturing.capturing import Capturing
from clearbar.route.http.front import Front, keep_time
from clearbar.route.http.limits import Limits
from clearbar.route.http.upstream import Upstreams
from clearbar.route.identity import has_key
from clearbar.route.journal.writer import Journal
from clearbar.route.serving.breakers import Breakers
from clearbar.route.serving.copying import Copier
from clearbar.route.serving.ids import Ids
from clearbar.route.serving.local import LocalTools
from clearbar.route.serving.means import Means
from clearbar.route.serving.open_files import clients_that_fit, raise_limit
from clearbar.route.serving.owners import Owners
from clearbar.route.serving.plain import serve as serve_request
from clearbar.route.serving.reload import in_force_of
from clearbar.route.snapshot import SnapshotReader, read
from clearbar.route.watching.grading import GatewayAsker
from clearbar.route.watching.shadow import SampleKeeper, ShadowDesk
from clearbar.route.wire.texts import request_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clearbar.route.http.message import Headers, Reply, Request
    from clearbar.route.serving.means import InForce
    from clearbar.route.snapshot import Snapshot
    from clearbar.route.watching.grading import Grading
    from clearbar.trial.grading.grader import Asker

LOOK_S: Final = 1.0
"""How often a worker looks for a new table and for warnings of budgets."""
_NEW_OBJECTS: Final = 20_000
_OK: Final = ((b"content-type", b"text/plain"), (b"cache-control", b"no-store"))


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What a worker is started with."""

    name: str
    folder: Path
    """The workspace."""
    kept: Path
    """`.clearbar/route`."""
    facts: Path
    """The store of small facts."""
    listening: socket.socket
    parent: int
    """The reading end of a pipe that the supervisor holds open; its end is ours."""
    environment: Mapping[str, str]
    gradings: Callable[[Callable[[str], Asker]], Mapping[str, Grading]]
    """What clearbar.toml declares now of how answers are graded, by workflow."""


async def serve(plan: WorkerPlan) -> None:
    """Serve until SIGTERM, SIGINT or the end of the supervisor; then drain.

    Raises:
        ClearbarError: when there is no table, or the journal or the budgets cannot be opened.
    """
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_reader(plan.parent, _heed_end, plan.parent, loop, ending)
    worker = await _Worker.open(plan, loop, ending)
    server = await loop.create_server(worker.front, sock=plan.listening)
    worker.means.note("started", plan.name, str(worker.means.in_force.table.generation))
    gc.collect()
    gc.freeze()  # what is here now stays, and is not looked at again
    gc.set_threshold(_NEW_OBJECTS, 20, 50)  # requests leave no cycles behind
    try:
        await worker.look(ending)
    finally:
        server.close()
        await worker.end()


class _Worker:
    """What lives as long as the process."""

    def __init__(
        self, plan: WorkerPlan, means: Means, keeper: SampleKeeper, reader: SnapshotReader
    ) -> None:
        self.means = means
        self._plan = plan
        self._keeper = keeper
        self._copier = Copier(means)
        self._reader = reader
        self._handle = handler_of(means)
        self._fronts: set[Front] = set()
        self._sweep = keep_time(self._fronts, means.loop)
        settings = means.in_force.table.settings
        self._limits = Limits(
            max_connections=min(Limits().max_connections, clients_that_fit(raise_limit())),
            max_body_bytes=settings.max_body_bytes,
            header_timeout_s=settings.header_timeout_s,
            body_timeout_s=settings.body_timeout_s,
        )
        means.shadow = ShadowDesk(
            means.in_force.gradings, self._copier.ask, keeper.keep, request_of, _now
        )
        means.capturing = Capturing(
            plan.kept / "captured", request_of, environment=plan.environment
        )

    @classmethod
    async def open(
        cls, plan: WorkerPlan, loop: asyncio.AbstractEventLoop, ending: asyncio.Event
    ) -> _Worker:
        """Open the journal and the budgets, and read the table."""
        reader = SnapshotReader(plan.kept / "table.json")
        snapshot = reader.look() or read(plan.kept / "table.json")
        in_force, faults = in_force_of(snapshot, plan.environment, {})
        settings = in_force.table.settings
        journal = Journal(
            plan.kept / "journal",
            plan.name,
            loop,
            waits_for_disk=settings.durability == "disk",
            on_broken=lambda _error: ending.set(),
        )
        store = open_store(settings, plan.kept, plan.environment)
        allowance = await Allowance.open(plan.name, store)
        random = Random(os.urandom(32))  # noqa: S311 - for ids and draws, which are no secrets
        means = Means(
            plan.name,
            in_force,
            allowance,
            journal,
            Upstreams(loop, plan.environment),
            Breakers(),
            LocalTools(plan.folder, plan.environment),
            Ids(random),
            loop,
            lambda: time.time_ns() // 1000,
            random.random,
            owners=Owners(OwnedObjects(open_store(settings, plan.kept, plan.environment))),
        )
        worker = cls(plan, means, SampleKeeper(plan.facts), reader)
        worker.take_over(in_force, faults)
        return worker

    def front(self) -> Front:
        """Return the protocol of a new connection."""
        return Front(self._handle, self._limits, self._fronts, self._welcome)

    def _welcome(self, headers: Headers) -> bool:
        """Return whether to take a large body: who has no key gets no room in memory."""
        return has_key(headers, self.means.in_force.keys)

    async def look(self, ending: asyncio.Event) -> None:
        """Until the end: take over new tables, and note warnings of budgets."""
        means = self.means
        while not ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), LOOK_S)
            if (snapshot := self._reader.look()) is not None:
                self._reload(snapshot)
            if means.allowance.is_over:
                means.note("budgets_ended", means.worker, "another worker takes its place")
                ending.set()
            for account, share in means.allowance.warnings():
                means.note("budget_warning", account.id, f"{share:.0%} is spent or held")

    def take_over(self, in_force: InForce, faults: Mapping[str, str]) -> None:
        """Put a table in force at once; requests in flight end by the one they began with."""
        means = self.means
        in_force.gradings = self._gradings()
        means.in_force = in_force
        means.local.forget()
        if means.shadow is not None:
            means.shadow.gradings = in_force.gradings
        for tool, what in faults.items():
            means.note("tool_fault", tool, what)

    async def end(self) -> None:
        """Let requests in flight end; after the patience, break off what is left."""
        means = self.means
        means.note("draining", means.worker, str(len(means.exchanges)))
        for front in list(self._fronts):
            front.drain()
        give_up = means.loop.time() + means.in_force.table.settings.drain_s
        while (means.exchanges or self._fronts) and means.loop.time() < give_up:  # noqa: ASYNC110 - fronts leave one by one, without an event
            await asyncio.sleep(0.02)
        for exchange in list(means.exchanges):
            exchange.break_off()
        self._sweep.close()
        if means.shadow is not None:
            await means.shadow.close()
        for task in list(means.tasks):
            task.cancel()
        await asyncio.gather(*means.tasks, return_exceptions=True)
        await means.upstreams.close()
        await means.allowance.close()
        if means.owners is not None:
            await means.owners.close()
        means.note("ended", means.worker)
        means.journal.close()
        if means.capturing is not None:
            means.capturing.close()
        self._keeper.close()

    def _reload(self, snapshot: Snapshot) -> None:
        means = self.means
        try:
            self.take_over(*in_force_of(snapshot, self._plan.environment, {}))
        except ClearbarError as error:
            means.note("reload_failed", means.worker, error.message)
        else:
            means.note("reloaded", means.worker, str(snapshot.table.generation))

    def _gradings(self) -> Mapping[str, Grading]:
        try:
            return self._plan.gradings(lambda name: GatewayAsker(self._copier.ask, name))
        except ClearbarError as error:
            self.means.note("reload_failed", self.means.worker, error.message)
            return self.means.in_force.gradings


def handler_of(means: Means) -> Callable[[Request, Reply], None]:
    """Return what serves a request; `/healthz` says that the worker lives."""

    def handle(request: Request, reply: Reply) -> None:
        if request.path == "/healthz":
            reply.send(200, _OK, b"ok\n")
        else:
            serve_request(means, request, reply)

    return handle


def _now() -> datetime:
    return datetime.now(UTC)


def _heed_end(parent: int, loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    """End when the supervisor has closed its end of the pipe, which its death does too."""
    if not os.read(parent, 1):
        loop.remove_reader(parent)
        ending.set()
