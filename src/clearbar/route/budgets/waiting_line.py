"""The calls of a worker that wait, in their order: who is asked for, served, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.holding import Holding
from clearbar.route.budgets.store import MOST_ASKS
from clearbar.route.budgets.waiting import FIRST_POLL_S, IDLE_ELSEWHERE_S, LONGEST_POLL_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.core.errors import ClearbarError
    from clearbar.route.budgets.holding import Lease, Short
    from clearbar.route.budgets.leases import Grant
    from clearbar.route.budgets.waiting import Waiter

KNOWN_SHORT_S: Final = 0.2
"""So long the store is not asked again for what it has just refused."""
_MOST_NEEDS: Final = 512


class WaitingLine:
    """First come, first served; a smaller call may pass a larger one that has to wait."""

    def __init__(self, leases: Mapping[str, Lease]) -> None:
        self.waiters: list[Waiter] = []
        self._leases = leases
        self._polls = 0

    def add(self, waiter: Waiter) -> None:
        """Let a call wait."""
        self.waiters.append(waiter)

    @property
    def poll_s(self) -> float:
        """When to look again, where nothing happens before."""
        return min(FIRST_POLL_S * (1 << min(self._polls, 4)), LONGEST_POLL_S)

    def first(self) -> list[Waiter]:
        """Return the calls that wait, in order, up to what fits into one exchange."""
        self._forget_done()
        chosen: list[Waiter] = []
        accounts: set[str] = set()
        for waiter in self.waiters[:_MOST_NEEDS]:
            accounts.update(each.id for each in waiter.accounts)
            if chosen and len(accounts) > MOST_ASKS:
                break
            chosen.append(waiter)
        return chosen

    def serve(
        self,
        waiters: Sequence[Waiter],
        amounts: Sequence[int | None],
        grants: Mapping[str, Grant],
        worker: str,
        now_s: float,
    ) -> bool:
        """Give each call what the store gave for it, or refuse it, or let it wait.

        Args:
            waiters: those that were asked for.
            amounts: the store's answer for each.
            grants: and for each of their accounts.
            worker: the incarnation that holds.
            now_s: monotonic.

        Returns:
            Whether enough came back meanwhile to ask the store again at once.
        """
        self._polls += 1
        blocked = []
        for waiter, amount in zip(waiters, amounts, strict=True):
            if waiter.future.done():
                continue
            if amount is None:
                blocked.append(waiter)
            else:
                self._give(waiter, amount, worker)
        again = [self._is_back(it, grants, worker, now_s) for it in blocked]
        self._forget_done()
        return any(again)

    def fail(self, error: ClearbarError, waiting_since_s: float) -> None:
        """Tell those that have waited since then that nothing comes."""
        for waiter in self.waiters:
            if not waiter.future.done() and waiter.since_s <= waiting_since_s:
                waiter.future.set_exception(error)

    def _is_back(
        self, waiter: Waiter, grants: Mapping[str, Grant], worker: str, now_s: float
    ) -> bool:
        """Serve a blocked call from what came back while the store was answering, or refuse it.

        Returns:
            Whether what came back is enough together with what the store has.
        """
        short = waiter.refused(grants, self._leases, now_s)
        if short is not None and short.draining:
            waiter.future.set_result(short)
            return False
        free = min(self._leases[each.id].free for each in waiter.accounts)
        if free >= waiter.least:
            self._give(waiter, min(free, waiter.wanted), worker)
        elif short is not None:
            lease = self._leases[short.account.id]
            if lease.free > 0 and lease.free + short.left_nusd >= waiter.least:
                return True
            self._refuse(waiter, short, grants[short.account.id].left_nusd, now_s)
        return False

    def _give(self, waiter: Waiter, amount: int, worker: str) -> None:
        self._polls = 0
        leases = [self._leases[each.id] for each in waiter.accounts]
        for lease in leases:
            lease.take(amount)
        waiter.future.set_result(Holding(waiter.accounts, amount, leases, worker))

    def _refuse(self, waiter: Waiter, short: Short, left: int, now_s: float) -> None:
        """Tell a call why it gets nothing; the next ones of its kind are told without the store.

        What lies idle elsewhere counts for them, unless it was waited for in vain.
        """
        lease = self._leases[short.account.id]
        in_vain = now_s - waiter.since_s >= IDLE_ELSEWHERE_S
        lease.short_left = left if in_vain else short.left_nusd
        lease.short_until = now_s + KNOWN_SHORT_S
        waiter.future.set_result(short)

    def _forget_done(self) -> None:
        self.waiters = [it for it in self.waiters if not it.future.done()]
