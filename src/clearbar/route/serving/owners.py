"""Who may use which object at the provider, as one worker knows it: asked of the shared store.

Objects that a workflow makes are in the store before the reply ends. Answers that a provider keeps
are too many for that, and their ids stand in the journal: these are written a moment later, many at
once; of a worker that died before, whoever recovers it writes them. So who asks for one that nobody
knows waits for that moment.

The store is asked in one thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.owned import Owned, kept_answer
from clearbar.route.wire.stored import hashed

if TYPE_CHECKING:
    from asyncio import Task, TimerHandle
    from collections.abc import Collection, Mapping

    from clearbar.route.budgets.owned import OwnedObjects
    from clearbar.tools.address import Protocol

MOST_KNOWN: Final = 20_000
"""Objects whose owner a worker keeps at hand: an owner never changes."""
MOST_WAITING: Final = 100_000
"""Answers that wait for a store that cannot be written."""
SOON_S: Final = 0.5
PATIENCE_S: Final = (0.3, 0.5, 0.7)
"""Between looks for what nobody knows: together more than `SOON_S`."""


class Owners:
    """Of one worker; used on its event loop only."""

    def __init__(self, store: OwnedObjects) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="owners")
        self._known: dict[str, str] = {}
        self._answers: dict[str, Owned] = {}
        """Kept answers that are not in the store yet, by hash."""
        self._due: TimerHandle | None = None
        self._writing: Task[None] | None = None

    async def may_use(self, workflow: str, protocol: Protocol, ids: Collection[str]) -> bool:
        """Return whether a workflow made all of these objects.

        Raises:
            BudgetStoreError: when the store cannot be read.
        """
        wanted = {hashed(protocol, each) for each in ids}
        for wait_s in (*PATIENCE_S, None):
            owners = await self._owners(wanted)
            if None not in owners or wait_s is None:
                break
            if any(owner not in (workflow, None) for owner in owners):
                break
            await asyncio.sleep(wait_s)
        return owners == {workflow}

    async def remember(self, workflow: str, protocol: Protocol, ids: Collection[str]) -> None:
        """Note that a workflow has made objects; returns when every worker can know it.

        Raises:
            BudgetStoreError: when the store cannot be written.
        """
        made = [Owned(hashed(protocol, each), workflow) for each in ids]
        loop = asyncio.get_running_loop()
        if new := [each for each in made if each.object not in self._known]:
            write = loop.run_in_executor(self._thread, self._store.remember, new)
            await asyncio.shield(write)  # it is done also where the client goes meanwhile

    def note_answer(self, workflow: str, protocol: Protocol, answer_id: str, at_us: int) -> None:
        """Note that an answer of a workflow is kept; other workers know it a moment later."""
        if answer_id and len(self._answers) < MOST_WAITING:
            made = kept_answer(workflow, protocol, answer_id, at_us)
            self._answers[made.object] = made
            if self._due is None:
                loop = asyncio.get_running_loop()
                self._due = loop.call_later(SOON_S, self._begin_write)

    async def close(self) -> None:
        """Write what waits, and end."""
        if self._due is not None:
            self._due.cancel()
            self._begin_write()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._thread.shutdown()
        self._store.close()

    async def _owners(self, wanted: Collection[str]) -> set[str | None]:
        """Return whose these objects are; None stands for nobody known."""
        owners: dict[str, str | None] = dict.fromkeys(wanted)
        for each in wanted:
            answer = self._answers.get(each)
            owners[each] = answer.workflow if answer else self._known.get(each)
        if unknown := [each for each, owner in owners.items() if owner is None]:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._thread, self._store.owners, unknown)
            self._learn(found)
            owners |= found
        return set(owners.values())

    def _begin_write(self) -> None:
        self._due = None
        self._writing = asyncio.get_running_loop().create_task(self._write(self._writing))

    async def _write(self, before: Task[None] | None) -> None:
        """Write the answers that wait; what fails is tried again."""
        if before is not None:
            await asyncio.wait([before])
        made = list(self._answers.values())
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._store.remember, made)
        except BudgetStoreError:
            if self._due is None:
                self._due = loop.call_later(2 * SOON_S, self._begin_write)
            return
        for each in made:
            del self._answers[each.object]

    def _learn(self, found: Mapping[str, str]) -> None:
        self._known.update(found)
        while len(self._known) > MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
