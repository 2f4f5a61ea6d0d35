"""Calls that wait for money, and for how long it makes sense. Pure.

What other workers have and do not use comes back within about a second. Where they have nothing
leased, waiting would not help, and the call is refused at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.holding import Short
from clearbar.route.budgets.leases import Need

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping, Sequence

    from clearbar.route.budgets.account import Account
    from clearbar.route.budgets.holding import Holding, Lease
    from clearbar.route.budgets.leases import Grant

IDLE_ELSEWHERE_S: Final = 1.5
"""Others report each second, and give all back when they hear that a call misses something."""
LEASED_ELSEWHERE_S: Final = 1.25
"""Others had all of it in use when they last reported, up to a second ago."""
HEARD_S: Final = 0.3
"""Others have heard that calls miss something, and report ten times a second."""
TOLD_S: Final = 3.0
"""So long they hear of it."""
FIRST_POLL_S: Final = 0.02
LONGEST_POLL_S: Final = 0.1


class Waiter:
    """One call that waits."""

    __slots__ = ("accounts", "begun", "future", "least", "since_s", "until_s", "wanted")

    def __init__(
        self,
        accounts: Sequence[Account],
        wanted: int,
        least: int,
        future: Future[Holding | Short],
        since_s: float,
        *,
        begun: bool,
    ) -> None:
        self.accounts = accounts
        self.wanted = wanted
        self.least = least
        self.begun = begun
        self.future = future
        self.since_s = since_s
        self.until_s = since_s
        """Until then it makes sense to wait; the store has said so."""

    @property
    def need(self) -> Need:
        """Return what the store has to know of it."""
        ids = tuple([each.id for each in self.accounts])
        return Need(ids, self.wanted, self.least, self.begun)

    def refused(
        self, grants: Mapping[str, Grant], leases: Mapping[str, Lease], now_s: float
    ) -> Short | None:
        """Return why it is refused now, for a call that got nothing; None: it waits on."""
        for account in self.accounts:
            grant = grants[account.id]
            drain = account.drain_nusd
            if not self.begun and drain is not None and grant.position.spent_nusd >= drain:
                return Short(account, _left(grant), draining=True)
        self.until_s = self.since_s + IDLE_ELSEWHERE_S
        for account in self.accounts:
            grant = grants[account.id]
            if grant.left_nusd >= self.least:
                continue
            lease = leases[account.id]
            until_s = self.since_s + self._patience_s(grant, lease, now_s)
            lease.miss(self.least, now_s, TOLD_S)
            if until_s <= now_s:
                return Short(account, _left(grant), draining=False)
            self.until_s = min(self.until_s, until_s)
        return None

    def _patience_s(self, grant: Grant, lease: Lease, now_s: float) -> float:
        """Return how long others may take to give back what would be enough."""
        position = grant.position
        if grant.left_nusd + position.leased_nusd < self.least:
            return 0.0
        if position.idle_nusd > 0:
            return IDLE_ELSEWHERE_S
        if position.leased_nusd > 0:
            heard = lease.missing and now_s - lease.missing_since >= LEASED_ELSEWHERE_S
            return HEARD_S if heard else LEASED_ELSEWHERE_S
        return 0.0

    def can_be_served(self, taken: Mapping[str, int], leases: Mapping[str, Lease]) -> bool:
        """Return whether there seems to be enough by now.

        Args:
            taken: spent and leased by all.
            leases: the worker's own, whose free part is in that.
        """
        return all(
            account.limit_nusd - taken.get(account.id, 0) + leases[account.id].free >= self.least
            for account in self.accounts
        )


def _left(grant: Grant) -> int:
    """Return what nobody spent or holds for a call, as far as others have reported."""
    return max(grant.left_nusd + grant.position.idle_nusd, 0)
