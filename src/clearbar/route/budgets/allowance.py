"""What a worker may spend: holds are taken from its leases, without the store in between.

One `Allowance` for each worker process, used on its event loop only. The store is asked in one
thread, one exchange at a time, by one task.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.holding import BudgetStoreError, Holding, Lease, Short
from clearbar.route.budgets.trade import Trade
from clearbar.route.budgets.waiting import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clearbar.route.budgets.account import Account
    from clearbar.route.budgets.store import BudgetStore
    from clearbar.route.route import Caller

__all__ = ["Allowance", "BudgetStoreError", "Holding", "Short"]

ANSWER_S: Final = 5.0
"""After this long without an answer of the store, a call is told so."""


_clock: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)
"""Seconds that also pass while the machine sleeps, where it can tell; they never jump."""


class Allowance:
    """Holds money for calls, and settles it. `open` makes one."""

    def __init__(self, trade: Trade, clock: Callable[[], float]) -> None:
        self._trade = trade
        self._clock = clock
        self._leases = trade.leases

    @classmethod
    async def open(
        cls, worker: str, store: BudgetStore, *, clock: Callable[[], float] = _clock
    ) -> Allowance:
        """Begin to trade with the store; `close` ends it, and closes the store.

        Args:
            worker: the name of the worker in the journal: unique to this process.
            store: over a connection of its own.
            clock: monotonic seconds.

        Raises:
            BudgetStoreError: the store cannot be reached.
        """
        trade = Trade(worker, store, clock)
        try:
            await trade.begin()
        except BaseException:
            trade.stop()
            raise
        return cls(trade, clock)

    @property
    def worker(self) -> str:
        """The name under which the store knows this worker now; `Holding.worker` has it too."""
        return self._trade.worker

    @property
    def is_over(self) -> bool:
        """Whether nothing can be held any more, by a fault of its own: the worker should end."""
        return self._trade.is_over

    def try_hold(
        self, accounts: Sequence[Account], wanted_nusd: int, least_nusd: int, *, begun: bool
    ) -> Holding | Short | None:
        """Hold money of all accounts at once, from what this worker has.

        Args:
            accounts: each id once.
            wanted_nusd: the most that the call can cost.
            least_nusd: what it needs at least; what is held lies in between, see `hold`.
            begun: whether its task or run has begun.

        Returns:
            None: the store has to be asked; await `hold`.
        """
        trade, leases = self._trade, self._leases
        if accounts and trade.is_stale():
            return None
        found = []
        for account in accounts:
            lease = leases.get(account.id)
            if lease is None:
                return None
            if lease.account is not account and self._changed(lease, account):
                return None
            if lease.drain is not None and not begun and lease.is_draining:
                return self._draining(lease)
            if lease.free < wanted_nusd:
                return self._known_short(lease, least_nusd)
            found.append(lease)
        for lease in found:
            if lease.take(wanted_nusd) < lease.mark:
                trade.ask_ahead(lease)
        return Holding(accounts, wanted_nusd, found, trade.worker)

    async def hold(
        self, accounts: Sequence[Account], wanted_nusd: int, least_nusd: int, *, begun: bool
    ) -> Holding | Short:
        """Hold money of all accounts at once, an amount between least and wanted.

        Where others have money that they do not use, it waits up to one and a half seconds for
        it. A call that is cancelled while it waits holds nothing.

        Raises:
            BudgetStoreError: the store does not answer.
        """
        found = self.try_hold(accounts, wanted_nusd, least_nusd, begun=begun)
        if found is not None:
            return found
        future: asyncio.Future[Holding | Short] = asyncio.get_running_loop().create_future()
        self._trade.wait(
            Waiter(accounts, wanted_nusd, least_nusd, future, self._clock(), begun=begun)
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            self._abandon(future)
            raise BudgetStoreError(
                "the store of budgets does not answer", "is its server or its disk overloaded?"
            ) from None
        except asyncio.CancelledError:
            self._abandon(future)
            raise

    def overdraw(self, accounts: Sequence[Account]) -> Holding:
        """Hold nothing; what the call costs is recorded all the same, beyond any limit."""
        found = []
        for account in accounts:
            lease = self._leases.get(account.id)
            if lease is None:
                lease = self._leases[account.id] = Lease(account)
            lease.take(0)
            found.append(lease)
        return Holding(accounts, 0, found, self._trade.worker)

    def settle(self, holding: Holding, cost_nusd: int) -> None:
        """End a hold with what the call cost, which may be more; once, repeated it does nothing."""
        if holding.open:
            holding.open = False
            amount = holding.amount_nusd
            for lease in holding.leases:
                lease.give_back(amount, cost_nusd)
            if self._trade.line.waiters:
                self._trade.wake()

    def release(self, holding: Holding) -> None:
        """End a hold of a call that was never made."""
        self.settle(holding, 0)

    def has_begun(self, caller: Caller) -> bool:
        """Return whether the task or the run of a caller was paid for before, by any worker."""
        return self._trade.begun.has(caller)

    def mark_begun(self, caller: Caller) -> None:
        """Note that a call of this task or run is paid for."""
        self._trade.begun.mark(caller)

    def warnings(self) -> list[tuple[Account, float]]:
        """Return the thresholds crossed since last asked, as shares; each once over all workers."""
        crossed, self._trade.crossed = self._trade.crossed, []
        return [
            (account, round(nusd / account.limit_nusd, 6) if account.limit_nusd else 1.0)
            for account, nusd in crossed
        ]

    async def sync(self) -> None:
        """Report what was spent and return what is unused, now. It happens each second anyway.

        A store that does not answer is no error here: what is leased stays usable for a while.
        """
        await self._trade.sync()

    async def close(self) -> None:
        """Report, return everything, and end; holds that are still open are left to recovery."""
        await self._trade.end()

    def _abandon(self, future: asyncio.Future[Holding | Short]) -> None:
        """Give back what was held at the very moment in which nobody wanted it any more."""
        if future.cancel() or future.cancelled() or future.exception() is not None:
            return
        found = future.result()
        if isinstance(found, Holding):
            self.release(found)

    def _changed(self, lease: Lease, account: Account) -> bool:
        """Take over an account as declared now; whether the store has to decide anew."""
        lowered = account.limit_nusd < lease.account.limit_nusd
        raised = account.limit_nusd > lease.account.limit_nusd
        lease.account = account
        lease.drain = account.drain_nusd
        if raised:
            lease.short_until = 0.0
        if lowered:
            lease.forfeit()
        return lowered

    def _draining(self, lease: Lease) -> Short | None:
        """Refuse what has not begun, as long as the store's word is fresh."""
        if self._trade.is_old(lease.told_at):
            return None
        left = max(lease.account.limit_nusd - lease.elsewhere - lease.spent, 0)
        return Short(lease.account, left, draining=True)

    def _known_short(self, lease: Lease, least: int) -> Short | None:
        """Refuse at once where the store has just said that there is too little."""
        short = lease.free + lease.short_left < least
        if short and self._clock() < lease.short_until:
            return Short(lease.account, lease.short_left, draining=False)
        return None
