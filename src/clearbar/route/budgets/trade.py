"""The exchanges between a worker and the store: one task, one thread, one at a time."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from clearbar.route.budgets import asking
from clearbar.route.budgets.begun import REMEMBERED, Begun
from clearbar.route.budgets.former import Former
from clearbar.route.budgets.holding import BudgetStoreError, Lease
from clearbar.route.budgets.recovery import end
from clearbar.route.budgets.store import MOST_ASKS, Incarnation
from clearbar.route.budgets.waiting import IDLE_ELSEWHERE_S
from clearbar.route.budgets.waiting_line import WaitingLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from clearbar.route.budgets.account import Account
    from clearbar.route.budgets.leases import Ask, Grant
    from clearbar.route.budgets.store import BudgetStore
    from clearbar.route.budgets.waiting import Waiter

EVERY_S: Final = 1.0
HURRY_S: Final = 0.1
"""So often a worker reports what it has while another misses something."""
STALE_S: Final = 20.0
"""So long after the last answer of the store nothing is held any more. Observers wait three times
as long before they declare a worker lost."""
TURN_S: Final = 6 * 3600.0
"""An incarnation takes no new holds after this long: so old journals are not needed for ever."""
FORGET_S: Final = 10.0
"""A lease without anything is forgotten after this long."""
RETRY_S: Final = 0.1
_TRIES: Final = 3
_Asked = list[tuple[Lease, "Ask"]]
_T = TypeVar("_T")


class Trade:
    """One worker's dealings with the store."""

    def __init__(self, worker: str, store: BudgetStore, clock: Callable[[], float]) -> None:
        self.leases: dict[str, Lease] = {}
        self.line = WaitingLine(self.leases)
        self.begun = Begun()
        self.crossed: list[tuple[Account, int]] = []
        self._store = store
        self._clock = clock
        self._incarnation = Incarnation(worker, worker, secrets.token_hex(8))
        self._is_noted = False
        self._since = clock()
        self._former: list[Former] = []
        self._ahead: list[Lease] = []
        self._syncs: list[asyncio.Future[None]] = []
        self._good_until = self._sync_at = self._retry_at = 0.0
        self._hurries = self._ending = False
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "budgets")
        self._task: asyncio.Task[None] | None = None

    @property
    def worker(self) -> str:
        """The name of the incarnation."""
        return self._incarnation.worker

    @property
    def is_over(self) -> bool:
        """Whether the store is asked no more."""
        return self._task is not None and self._task.done()

    def is_stale(self) -> bool:
        """Return whether the store has not answered for too long."""
        return self._clock() > self._good_until

    def is_old(self, told_at: float) -> bool:
        """Return whether what the store said then may have changed much."""
        return self._clock() - told_at > EVERY_S

    def wake(self) -> None:
        """Have the store asked soon."""
        self._wake.set()

    def wait(self, waiter: Waiter) -> None:
        """Have the store asked for a call that waits."""
        self.line.add(waiter)
        self._wake.set()

    def ask_ahead(self, lease: Lease) -> None:
        """Have the store asked for more before it is needed."""
        lease.mark = -1
        self._ahead.append(lease)
        self._wake.set()

    async def begin(self) -> None:
        """Enter the store, learn what has begun, and go on until `end`.

        Raises:
            BudgetStoreError: the store cannot be reached.
        """
        await self._enter()
        await self._learn()
        self._task = asyncio.create_task(self._run(), name="budgets")

    async def sync(self) -> None:
        """Report now, and wait until it is done."""
        if self._task is None or self._task.done():
            if self._task is not None:
                self._task.result()
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._syncs.append(done)
        self._wake.set()
        await done

    async def end(self) -> None:
        """Report, return everything, and leave the store."""
        self._ending = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        self.line.fail(BudgetStoreError("this worker is ending", "ask again"), self._clock())
        for _ in range(_TRIES):
            with suppress(BudgetStoreError):
                await self._leave()
                break
        self.stop()

    def stop(self) -> None:
        """Close the store and the thread."""
        self._thread.shutdown(wait=True)
        self._store.close()

    async def _run(self) -> None:
        while not self._ending:
            await self._pause()
            self._wake.clear()
            try:
                await self._round()
            except BudgetStoreError as error:
                self._failed(error)
            except BaseException:
                self._let_go()
                raise
        self._let_go()

    async def _pause(self) -> None:
        """Wait for the next turn, or until woken."""
        now = self._clock()
        until = self._sync_at
        if self.line.waiters:
            until = min(until, now + self.line.poll_s)
        if self._hurries:
            until = min(until, now + HURRY_S)
        if now < self._retry_at:
            await asyncio.sleep(self._retry_at - now)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(until - now, 0)):
                await self._wake.wait()

    async def _round(self) -> None:
        if not self._is_noted:
            await self._enter()
        waiters = self.line.first()
        if waiters and not await self._may_serve(waiters):
            waiters = []
        asked = self._asked_now(waiters)
        if asked:
            await self._exchange(asked, waiters)
        if not self._is_noted:
            return
        if self._syncs or self._clock() >= self._sync_at:
            await self._report()

    async def _may_serve(self, waiters: Sequence[Waiter]) -> bool:
        """Look whether the store has to be asked again: to look locks nothing.

        Raises:
            BudgetStoreError: the store does not answer.
        """
        now = self._clock()
        ids = {each.id for waiter in waiters for each in waiter.accounts}
        if any(now >= waiter.until_s or not ids <= self.leases.keys() for waiter in waiters):
            return True
        taken = await self._call(partial(self._store.taken, sorted(ids)))
        return any(waiter.can_be_served(taken, self.leases) for waiter in waiters)

    def _asked_now(self, waiters: Sequence[Waiter]) -> _Asked:
        """Return what cannot wait for the next report."""
        wanted: dict[str, int] = {}
        for waiter in waiters:
            for account in waiter.accounts:
                lease = self.leases.get(account.id)
                if lease is None:
                    self.leases[account.id] = Lease(account)
                else:
                    lease.account, lease.drain = account, account.drain_nusd
                wanted[account.id] = max(wanted.get(account.id, 0), waiter.wanted)
        asked = {each: asking.ask_for_call(self.leases[each], wanted[each]) for each in wanted}
        ahead, self._ahead = self._ahead, []
        for lease in ahead[:MOST_ASKS]:
            each = lease.account.id
            if each not in asked and self.leases.get(each) is lease:
                asked[each] = asking.ask_ahead(lease)
        if self._hurries:
            for each, lease in self.leases.items():
                if lease.scarce and lease.is_idle and each not in asked:
                    asked[each] = asking.ask_in_turn(lease)
        return [(self.leases[each], asked[each]) for each in sorted(asked)]

    async def _exchange(self, asked: _Asked, waiters: Sequence[Waiter] = ()) -> None:
        """Trade with the store once, and do what follows from its answer.

        Raises:
            BudgetStoreError: it does not answer, and may have heard all the same.
        """
        now = self._clock()
        works = self.begun.take_new()
        asks = [ask for _, ask in asked]
        needs = [waiter.need for waiter in waiters]
        try:
            answer = await self._call(
                partial(self._store.exchange, self._incarnation, asks, needs, works)
            )
        except BudgetStoreError:
            self.begun.not_told(works)
            for lease, _ in asked:
                lease.flagged = True
            raise
        if answer is None:
            self.begun.not_told(works)
            self._turn()
            return
        self._good_until = now + STALE_S
        self._apply(asked, answer.grants, now)
        if waiters:
            grants = {grant.account_id: grant for grant in answer.grants}
            if self.line.serve(waiters, answer.amounts, grants, self.worker, self._clock()):
                self._wake.set()

    def _apply(self, asked: _Asked, grants: Iterable[Grant], now: float) -> None:
        for (lease, ask), grant in zip(asked, grants, strict=True):
            asking.apply(lease, ask, grant, now)
            self.crossed += [(ask.account, threshold) for threshold in grant.crossed]
        self._hurries = any(lease.scarce and lease.is_owed for lease in self.leases.values())

    async def _report(self) -> None:
        """Report all leases and return what they do not need; learn what has begun elsewhere."""
        now = self._clock()
        done, self._syncs = self._syncs, []
        try:
            for asked in self._in_turn(now):
                if self._is_noted:
                    await self._exchange(asked)
            if self.begun.has_new and self._is_noted:
                await self._exchange([])
            for former in list(self._former):
                if await self._is_over(former):
                    self._former.remove(former)
            await self._learn()
        finally:
            self._sync_at = now + EVERY_S
            _finish(done)
        if now - self._since > TURN_S and self.leases:
            self._turn()

    def _in_turn(self, now: float) -> Iterator[_Asked]:
        """Return all that has to be reported, in parts; forget what has nothing any more."""
        for each, lease in list(self.leases.items()):
            if now > lease.missing_until:
                lease.missing = 0
            if not lease.is_owed and now - lease.told_at > FORGET_S:
                del self.leases[each]
        owed = [each for each in sorted(self.leases) if self.leases[each].is_owed]
        for first in range(0, len(owed), MOST_ASKS):
            part = [
                self.leases[each] for each in owed[first : first + MOST_ASKS] if each in self.leases
            ]
            yield [(lease, asking.ask_in_turn(lease)) for lease in part]

    async def _enter(self) -> None:
        """Note this incarnation in the store; under another name where it is taken."""
        while not await self._call(partial(self._store.begin, self._incarnation)):
            self._rename()
        self._is_noted = True

    def _turn(self) -> None:
        """Begin another incarnation. What is held under this one is settled under this one."""
        if self._is_noted:
            self._former.append(Former(self._incarnation, self.leases))
            self.leases.clear()
        self._rename()
        self._is_noted = False
        self._good_until = 0.0
        self._wake.set()

    def _rename(self) -> None:
        family = self._incarnation.family
        self._since = self._clock()
        self._incarnation = Incarnation(
            f"{family}~{secrets.token_hex(4)}", family, secrets.token_hex(8)
        )

    async def _is_over(self, former: Former) -> bool:
        """Report what an earlier incarnation still holds, or close it."""
        if asked := former.asks():
            asks = [ask for _, ask in asked]
            answer = await self._call(partial(self._store.exchange, former.incarnation, asks))
            if answer is not None:
                self._apply(asked, answer.grants, self._clock())
        if former.calls:
            return False
        await self._call(partial(end, self._store, former.incarnation, former.spent()))
        return True

    async def _learn(self) -> None:
        self.begun.learn(
            await self._call(partial(self._store.begun_since, self.begun.place, REMEMBERED))
        )

    async def _leave(self) -> None:
        if self._is_noted:
            self._turn()
        for former in list(self._former):
            if await self._is_over(former):
                self._former.remove(former)

    async def _call(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _failed(self, error: BudgetStoreError) -> None:
        """Tell those that have waited long; try again soon."""
        now = self._clock()
        self._retry_at = now + RETRY_S
        self.line.fail(error, now - IDLE_ELSEWHERE_S)
        self._let_go()

    def _let_go(self) -> None:
        """Let nobody wait for a report that does not come."""
        done, self._syncs = self._syncs, []
        _finish(done)


def _finish(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
