"""Who may use which object at the provider, as one worker knows it: asked of the shared store.

The store is asked in one thread. What comes while it writes waits and goes together, so that many
answers that are stored cost one write.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.owned import FLEETING_DAYS, Owned
from clearbar.route.wire.stored import hashed

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Collection, Mapping

    from clearbar.route.budgets.owned import OwnedObjects
    from clearbar.tools.address import Protocol

MOST_KNOWN: Final = 20_000
"""Objects whose owner a worker keeps at hand: an owner never changes."""
_DAY_US: Final = 86_400_000_000


class Owners:
    """Of one worker; used on its event loop only."""

    def __init__(self, store: OwnedObjects) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="owners")
        self._known: dict[str, str] = {}
        self._made: list[Owned] = []
        self._writing: Task[None] | None = None
        self._next: Task[None] | None = None
        """Writes what waits now, after what is being written."""

    async def may_use(self, workflow: str, protocol: Protocol, ids: Collection[str]) -> bool:
        """Return whether a workflow made all of these objects.

        Raises:
            BudgetStoreError: when the store cannot be read.
        """
        owners = {each: self._known.get(each) for each in (hashed(protocol, it) for it in ids)}
        if unknown := [each for each, owner in owners.items() if owner is None]:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._thread, self._store.owners, unknown)
            self._learn(found)
            owners |= found
        return all(owner == workflow for owner in owners.values())

    async def remember(
        self,
        workflow: str,
        protocol: Protocol,
        ids: Collection[str],
        at_us: int,
        *,
        fleeting: bool,
    ) -> None:
        """Note that a workflow has made objects; returns when every worker can know it.

        It is done also where whoever waits for it goes.

        Raises:
            BudgetStoreError: when the store cannot be written.
        """
        new = {hashed(protocol, each) for each in ids} - self._known.keys()
        if not new:
            return
        made = (Owned(each, workflow) for each in new)
        day = at_us // _DAY_US + FLEETING_DAYS
        self._made += [each._replace(lapses_on_day=day) for each in made] if fleeting else made
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._write(self._writing))
            self._next.add_done_callback(_heard)
        await asyncio.shield(self._next)

    async def close(self) -> None:
        """Write what waits, and end."""
        if left := [each for each in (self._writing, self._next) if each is not None]:
            await asyncio.wait(left)
        self._thread.shutdown()
        self._store.close()

    async def _write(self, before: Task[None] | None) -> None:
        """Write all that waits once the write before has ended."""
        if before is not None:
            await asyncio.wait([before])
        made, self._made = self._made, []
        self._writing, self._next = self._next, None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._store.remember, made)

    def _learn(self, found: Mapping[str, str]) -> None:
        self._known.update(found)
        while len(self._known) > MOST_KNOWN:
            self._known.pop(next(iter(self._known)))


def _heard(write: Task[None]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not write.cancelled():
        write.exception()
