"""The supervisor: starts workers and replaces dead ones, publishes the table, keeps the ledger up.

It serves no request of a client itself, so that nothing of what it does can slow one down.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.route.route import RouteTable
    from clearbar.route.serving.keeper import Keeper, Published

T = TypeVar("T")

_TICK_S: Final = 1.0
_CHARGE_S: Final = 60.0
_WATCH_S: Final = 10.0
_RECOVER_S: Final = 5.0
_JUDGE_S: Final = 3600.0
_FIRST_RESTART_S: Final = 0.1
_LONGEST_RESTART_S: Final = 5.0
_STEADY_S: Final = 10.0
"""A worker that lived so long is replaced at once again."""
_KILL_AFTER_S: Final = 5.0
"""After the drain."""


@dataclass(slots=True)
class Place:
    """A place that a worker fills; when one dies, the next fills it."""

    number: int
    name: str = ""
    process: subprocess.Popen[bytes] | None = None
    started_at: datetime | None = None
    started_s: float = 0.0
    restarts: int = 0
    wait_s: float = _FIRST_RESTART_S
    due_s: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether its worker lives."""
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class Supervisor:
    """Runs a gateway. `say` tells a person what happens, one line at a time."""

    folder: Path
    kept: Path
    listening: socket.socket
    keeper: Keeper
    say: Callable[[str], None]
    places: list[Place] = field(default_factory=list)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    published: Published | None = None
    fault: str = ""
    """What is wrong with the declarations; empty while the table in force is theirs."""
    lag_s: float = 0.0
    on_death: Callable[[str], None] = lambda _worker: None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="keeper")
    )
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    async def keep(self, work: Callable[[], T]) -> T:
        """Do something with the keeper, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @property
    def table(self) -> RouteTable:
        """The table in force.

        Raises:
            RuntimeError: before the first is published.
        """
        if self.published is None:
            raise RuntimeError("no table is in force yet")
        return self.published.table

    @property
    def ending(self) -> bool:
        """Whether it is being ended."""
        return self._ending.is_set()

    def end(self) -> None:
        """Begin to end: no new connections; what is in flight ends."""
        self._ending.set()

    async def start(self) -> None:
        """Recover what a crash has left, publish the table, and start the workers.

        Raises:
            ClearbarError: when the declarations are wrong.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        self.published = await self.keep(self.keeper.publish)
        for worker in await self.keep(self.keeper.dead_workers):
            await self._recover(worker)
        self.places = [Place(number) for number in range(1, self.table.settings.workers + 1)]
        for place in self.places:
            self._launch(place)

    async def run(self) -> None:
        """Tend the workers until told to end, then drain."""
        loop = asyncio.get_running_loop()
        due = {"charge": loop.time(), "watch": loop.time() + _WATCH_S, "judge": loop.time()}
        recover_at = loop.time() + _RECOVER_S
        while not self.ending:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_S)
            await self._tend()
            await self.republish()
            await self._turns(due, loop.time())
            if loop.time() >= recover_at:
                await self._recover_others()
                recover_at = loop.time() + _RECOVER_S
        await self._drain()

    async def republish(self) -> bool:
        """Publish the table anew if anything has changed; return whether it did."""
        try:
            published = await self.keep(self.keeper.publish)
        except (ClearbarError, OSError) as error:
            said = _said(error)
            if said != self.fault:
                self.fault = said
                self.say(f"the table in force stays: {said}")
            return False
        self.fault, self.published = "", published
        if published.changed:
            self.say(f"routes changed: table {published.table.generation} is in force")
        return published.changed

    async def _turns(self, due: dict[str, float], now: float) -> None:
        """Do what is due; a failure is said and tried again at its next turn."""
        turns: dict[str, tuple[float, Callable[[], object]]] = {
            "charge": (_CHARGE_S, self._charge),
            "watch": (_WATCH_S, self.keeper.watch),
            "judge": (_JUDGE_S, self._judge),
        }
        for name, (every_s, work) in turns.items():
            if now < due[name]:
                continue
            due[name] = now + every_s
            try:
                await self.keep(work)
            except Exception as error:  # noqa: BLE001 - requests are served whatever it is
                self.say(f"{name}: {_said(error)}")

    def _charge(self) -> None:
        self.keeper.charge()
        self.lag_s = self.keeper.journal_lag_s()

    def _judge(self) -> None:
        self.keeper.judge()
        self.keeper.expire()

    async def _tend(self) -> None:
        now = asyncio.get_running_loop().time()
        for place in self.places:
            if place.process is None:
                if now >= place.due_s:
                    self._launch(place)
            elif (code := place.process.poll()) is not None:
                steady = now - place.started_s > _STEADY_S
                place.wait_s = _FIRST_RESTART_S if steady else place.wait_s
                self.say(f"worker {place.name} ended with {code}: another takes its place")
                place.process, place.due_s = None, now + place.wait_s
                place.wait_s = min(place.wait_s * 2, _LONGEST_RESTART_S)
                place.restarts += 1
                await self._recover(place.name)

    async def _recover(self, worker: str) -> None:
        """Settle a dead worker's budgets; where that cannot be done now, it is done later."""
        try:
            await self.keep(lambda: self.keeper.recover(worker))
        except Exception as error:  # noqa: BLE001 - as above
            self.say(f"the budgets of worker {worker} are not settled yet: {_said(error)}")
        self.on_death(worker)

    async def _recover_others(self) -> None:
        """Settle the budgets of workers that died unseen: an earlier gateway's, other machines'."""
        own = {place.name for place in self.places}
        try:
            for worker in await self.keep(self.keeper.dead_workers):
                if worker not in own:
                    await self._recover(worker)
            for worker in await self.keep(self.keeper.write_off_lost):
                self.say(f"worker {worker} is lost: what it had of budgets counts as spent")
        except Exception as error:  # noqa: BLE001 - as above
            self.say(f"recover: {_said(error)}")

    async def close(self) -> None:
        """Move the rest of the journals into the ledger, and close the workspace."""
        await self.keep(self._charge)
        await self.keep(self.keeper.close)
        self._thread.shutdown()
        for end in self._pipe:
            os.close(end)
        self.say("ended: every charge is in the ledger")

    def _launch(self, place: Place) -> None:
        """Start a worker, which inherits the listening socket and the reading end of a pipe."""
        place.name = worker_name()
        place.started_at = datetime.now(UTC)
        place.started_s = asyncio.get_running_loop().time()
        socket_number, parent = self.listening.fileno(), self._pipe[0]
        place.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "clearbar",
                "--workspace",
                str(self.folder),
                "route",
                "worker",
                place.name,
                str(socket_number),
                str(parent),
            ],
            pass_fds=(socket_number, parent),
            stdin=subprocess.DEVNULL,
        )

    async def _drain(self) -> None:
        """End the workers in good order, and leave budgets and ledger settled."""
        self.say("draining: requests in flight end, no new ones are taken")
        self.listening.close()
        living = [place for place in self.places if place.alive]
        for place in living:
            if place.process is not None:
                place.process.terminate()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.table.settings.drain_s + _KILL_AFTER_S
        while any(place.alive for place in living) and loop.time() < give_up:  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(0.05)
        for place in living:
            if place.process is not None:
                if place.alive:
                    place.process.kill()
                place.process.wait()
            await self._recover(place.name)


def _said(error: Exception) -> str:
    """Return what went wrong; of what is not ours only the kind: it may quote anything."""
    return error.message if isinstance(error, ClearbarError) else type(error).__name__


def worker_name() -> str:
    """Return a new name: of this machine, and never given before."""
    machine = "".join(each for each in os.uname().nodename[:20] if each.isalnum() or each == "-")
    return f"{machine.strip('-') or 'machine'}-{secrets.token_hex(5)}"
