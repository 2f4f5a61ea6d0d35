"""What a worker keeps in memory: its leases, the holds on them, and why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.account import MOST_NUSD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.budgets.account import Account


class BudgetStoreError(ClearbarError):
    """The store of budgets cannot be reached: nothing may be held that no lease covers."""


@dataclass(frozen=True, slots=True)
class Short:
    """Why nothing is held."""

    account: Account
    """The first account that has too little left."""
    left_nusd: int
    """What nobody has spent or holds for a call, as far as the store knew."""
    draining: bool
    """True: there is money, but only for what has begun."""


class Lease:
    """A worker's part of one account. All amounts in nano-dollars.

    What the store counts as leased is at least `free` + `held` + what was spent since the last
    report. So whatever the worker does with `free`, the account stays within its limit.
    """

    __slots__ = (
        "account",
        "began_with",
        "calls",
        "cap",
        "drain",
        "drawn",
        "elsewhere",
        "flagged",
        "free",
        "fresh",
        "held",
        "lowest",
        "mark",
        "missing",
        "missing_since",
        "missing_until",
        "pace",
        "reported",
        "scarce",
        "short_left",
        "short_until",
        "spent",
        "told_at",
        "warned",
    )

    def __init__(self, account: Account) -> None:
        self.account = account
        self.drain = account.drain_nusd
        self.free = 0
        self.held = 0
        self.calls = 0
        """Open holds, also those of nothing."""
        self.spent = 0
        """In this incarnation of the worker; it only grows, and is reported as a whole."""
        self.reported = 0
        self.fresh = True
        """The store has not told yet what was spent from an earlier lease of the incarnation."""
        self.elsewhere = 0
        """Spent of the account by others, as of the last answer of the store."""
        self.began_with = 0
        """`free` after the last exchange; `lowest` since then."""
        self.lowest = 0
        self.drawn = 0
        """How far `free` fell, in earlier exchanges of this second."""
        self.pace = 0
        """How much of `free` a second needs."""
        self.mark = -1
        """Below it, more is asked for before it is needed."""
        self.cap = MOST_NUSD
        """The most that may lie idle here."""
        self.scarce = False
        """Another worker misses something."""
        self.flagged = False
        """The store has to hear of this lease, whatever it has."""
        self.missing = 0
        """What a call needed that waits, or was refused lately; the store tells others."""
        self.missing_since = self.missing_until = 0.0
        self.short_left = 0
        self.short_until = 0.0
        self.told_at = 0.0
        self.warned: frozenset[int] = frozenset()

    @property
    def is_owed(self) -> bool:
        """Whether the store has to hear of this lease: a part is out, or not yet reported."""
        return bool(self.free or self.calls or self.spent != self.reported or self.flagged)

    @property
    def is_idle(self) -> bool:
        """Whether a part is out that no call needs, or something is not yet reported."""
        return bool(self.free or self.spent != self.reported)

    @property
    def is_draining(self) -> bool:
        """Whether only begun work may go on."""
        return self.drain is not None and self.elsewhere + self.spent >= self.drain

    def take(self, amount: int) -> int:
        """Move an amount from what is free to what is held; return what is free then."""
        self.calls += 1
        self.free = free = self.free - amount
        self.held += amount
        if free < self.lowest:  # noqa: PLR1730 - min() takes twice as long
            self.lowest = free
        return free

    def miss(self, amount: int, now_s: float, for_s: float) -> None:
        """Note what a call could not get."""
        if not self.missing:
            self.missing_since = now_s
        self.missing = max(amount, 1)
        self.missing_until = now_s + for_s

    def forfeit(self) -> None:
        """Use nothing more of what is free, until the store has answered again."""
        self.free = min(self.free, 0)
        self.flagged = True

    def give_back(self, amount: int, cost: int) -> None:
        """Turn a hold into what the call cost; the rest is free again."""
        self.calls -= 1
        self.held -= amount
        self.spent += cost
        self.free += amount - cost


class Holding(msgspec.Struct, eq=False, gc=False):
    """Money of several accounts, held for one call: the same amount in each."""

    accounts: Sequence[Account]
    amount_nusd: int
    leases: Sequence[Lease]
    worker: str
    """Belongs into `Held.worker`: recovery counts a call where it was held."""
    open: bool = True

    @property
    def account_ids(self) -> tuple[str, ...]:
        """What belongs into `Held.accounts`."""
        return tuple([each.id for each in self.accounts])
