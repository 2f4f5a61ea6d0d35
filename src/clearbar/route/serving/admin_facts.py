"""The running gateway as operators see it: what the admin API asks of the supervisor."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.route.operating.facts import Draining, Readiness, Reloaded, WorkerRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from clearbar.route.journal.entry import Ended, Held, Noted, Refused
    from clearbar.route.operating.facts import (
        AccountRow,
        AlarmRow,
        HoldEnded,
        HoldGiven,
        HoldSettled,
        HoldWanted,
        KeyIssued,
        KeyRow,
        KeyWanted,
    )
    from clearbar.route.operating.feed import InFlight
    from clearbar.route.route import Refusal, RouteTable
    from clearbar.route.serving.holds import Holds
    from clearbar.route.serving.supervisor import Supervisor


class Generations:
    """Knows, from the journal, by which table each worker works."""

    def __init__(self) -> None:
        self._by_worker: dict[str, int] = {}

    def of(self, worker: str) -> int:
        """Return the generation of a worker's table; 0 before it has said."""
        return self._by_worker.get(worker, 0)

    def calls(self, begun: Sequence[Held], ended: Sequence[tuple[Held, Ended]]) -> None:
        """Hear nothing."""

    def refused(self, refused: Refused) -> None:
        """Hear nothing."""

    def noted(self, noted: Noted) -> None:
        """Take note of the table that a worker works by."""
        if noted.what in ("started", "reloaded") and noted.detail.isdecimal():
            self._by_worker[noted.about] = int(noted.detail)

    def died(self, worker: str) -> None:
        """Forget a worker."""
        self._by_worker.pop(worker, None)


class GatewayFacts:
    """Implements `operating.facts.AdminFacts`."""

    def __init__(
        self,
        supervisor: Supervisor,
        holds: Holds,
        in_flight: InFlight,
        generations: Generations,
    ) -> None:
        self._supervisor = supervisor
        self._holds = holds
        self._in_flight = in_flight
        self._generations = generations
        self.read_journals: Callable[[], Awaitable[None]] = _nothing
        """Reads the journals up to now."""

    @property
    def version(self) -> str:
        """Return Clearbar's version."""
        return version("clearbar")

    @property
    def started_at(self) -> datetime:
        """Return when the supervisor started, in UTC."""
        return self._supervisor.started_at

    def table(self) -> RouteTable:
        """Return the table of routes in force."""
        return self._supervisor.table

    def workers(self) -> Sequence[WorkerRow]:
        """Return the worker processes."""
        return [
            WorkerRow(
                name=place.name,
                pid=place.process.pid,
                alive=place.alive,
                in_flight=self._in_flight.of(place.name),
                generation=self._generations.of(place.name),
                started_at=place.started_at or self.started_at,
                restarts=place.restarts,
            )
            for place in self._supervisor.places
            if place.process is not None
        ]

    def awaits_workers(self) -> bool:
        """Return whether a worker lives that has not said yet by which table it works."""
        return any(row.alive and not row.generation for row in self.workers())

    def ready(self) -> Readiness:
        """Return whether requests can be served."""
        why = []
        if self._supervisor.ending:
            why.append("the gateway is ending")
        if not any(place.alive for place in self._supervisor.places):
            why.append("no worker lives")
        elif not any(each.generation for each in self.workers()):
            why.append("no worker has begun to serve yet")
        return Readiness(ready=not why, why=tuple(why))

    def journal_lag_s(self) -> float:
        """Return how old the oldest line of a journal is that is not in the ledger yet."""
        return self._supervisor.lag_s

    async def look(self) -> None:
        """Read what the journals say up to now, so that counts are those of now."""
        await self.read_journals()

    async def balances(self) -> Sequence[AccountRow]:
        """Return the accounts of the periods that run now, and of runs and tasks in use."""
        return await self._supervisor.keep(self._supervisor.keeper.balances)

    async def alarms(self) -> Sequence[AlarmRow]:
        """Return recent alarms, the newest first."""
        return await self._supervisor.keep(self._supervisor.keeper.alarms)

    async def keys(self) -> Sequence[KeyRow]:
        """Return all keys that were ever issued."""
        return await self._supervisor.keep(self._supervisor.keeper.keys)

    async def issue_key(self, wanted: KeyWanted) -> KeyIssued:
        """Issue a key."""
        keeper = self._supervisor.keeper
        issued = await self._supervisor.keep(lambda: keeper.issue_key(wanted))
        await self._supervisor.republish()
        return issued

    async def revoke_key(self, key_id: str) -> KeyRow:
        """Revoke a key; revoking it again changes nothing."""
        keeper = self._supervisor.keeper
        revoked = await self._supervisor.keep(lambda: keeper.revoke_key(key_id))
        await self._supervisor.republish()
        return revoked

    async def reload(self) -> Reloaded:
        """Read the declarations again and make the table anew.

        Raises:
            ClearbarError: when they are wrong; the table before stays in force.
        """
        changed = await self._supervisor.republish()
        if self._supervisor.fault:
            raise ClearbarError(self._supervisor.fault, "correct clearbar.toml")
        return Reloaded(generation=self._supervisor.table.generation, changed=changed)

    async def drain(self) -> Draining:
        """Begin to end. It returns at once."""
        await self.look()
        self._supervisor.end()
        in_flight = sum(each.in_flight for each in self.workers())
        return Draining(draining=True, in_flight=in_flight)

    def key_of(self, token: str) -> str | None:
        """Return the id of the gateway key that a token is; None for none that is in force."""
        return self._holds.key_of(token)

    async def hold(self, wanted: HoldWanted, key: str) -> HoldGiven | Refusal:
        """Hold money for a call that somebody else makes."""
        return await self._holds.hold(wanted, key)

    async def settle(self, hold_id: str, settled: HoldSettled, key: str) -> HoldEnded:
        """Settle a hold to what was used."""
        return await self._holds.settle(hold_id, settled, key)

    async def release(self, hold_id: str, key: str) -> HoldEnded:
        """Give a hold back."""
        return await self._holds.release(hold_id, key)


async def _nothing() -> None:
    """Read nothing."""
