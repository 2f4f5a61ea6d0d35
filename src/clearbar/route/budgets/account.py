"""From declared budgets to the accounts that one request is paid from. Pure.

Calendars are UTC: a month or a day is that of the moment at which money is held.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clearbar.route.route import Budget, Caller, Per, Scope

NUSD: Final = 10**9
"""Nano-dollars in a dollar."""
MOST_NUSD: Final = 2**61
"""No account holds more, so that sums of two fit into 64 bits: two billion dollars."""
_LONGEST_NAME: Final = 200
_CACHED: Final = 4096


class Account(NamedTuple):
    """Where money is taken from: one budget, of one of its names, in one of its periods."""

    id: str
    """`workflow:support-replies/2026-11`."""
    limit_nusd: int
    warn_nusd: tuple[int, ...] = ()
    drain_nusd: int | None = None
    """From here on only begun work goes on."""


class Accounts:
    """The accounts of callers under a set of budgets; what was computed once is remembered."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = tuple(budgets)
        self._named = frozenset((it.scope, it.per, it.name) for it in budgets if it.name != "*")
        scopes = sorted({it.scope for it in budgets} - {"organisation"})
        self._who: Callable[[Caller], object] = (
            attrgetter(*scopes) if scopes else (lambda _caller: None)
        )
        self._known: dict[object, tuple[Account, ...]] = {}
        self._ends_at = 0.0
        self._starts_at = 0.0

    def at_us(self, caller: Caller, at_us: int) -> tuple[Account, ...]:
        """Return the accounts of a caller at microseconds of the epoch, as `of` does."""
        if self._starts_at <= at_us / 1_000_000 < self._ends_at:
            found = self._known.get(self._who(caller))
            if found is not None:
                return found
        return self.of(caller, datetime.fromtimestamp(at_us / 1_000_000, UTC))

    def of(self, caller: Caller, at: datetime) -> tuple[Account, ...]:
        """Return the accounts of a caller at a moment, as `accounts_of` does."""
        if not self._budgets:
            return ()
        moment = at.timestamp()
        if not self._starts_at <= moment < self._ends_at or len(self._known) >= _CACHED:
            self._known.clear()
            self._starts_at = moment - moment % 86_400
            self._ends_at = self._starts_at + 86_400
        who = self._who(caller)
        found = self._known.get(who)
        if found is None:
            found = self._known[who] = self._made(caller, at.astimezone(UTC))
        return found

    def _made(self, caller: Caller, at: datetime) -> tuple[Account, ...]:
        made: dict[str, Account] = {}
        for budget in self._budgets:
            name = _name_of(budget.scope, caller)
            if name is None or not self._applies(budget, name):
                continue
            account = _account(budget, name, at)
            other = made.get(account.id)
            if other is None or account.limit_nusd < other.limit_nusd:
                made[account.id] = account
        return tuple(made[each] for each in sorted(made))

    def _applies(self, budget: Budget, name: str) -> bool:
        if budget.scope == "organisation" or budget.name == name:
            return True
        return budget.name == "*" and (budget.scope, budget.per, name) not in self._named


def accounts_of(budgets: Sequence[Budget], caller: Caller, at: datetime) -> tuple[Account, ...]:
    """Return the accounts that a request is paid from, sorted by id; each id once.

    A budget of a name stands before `*` of the same scope and period. Of two for the same, the
    lower one counts. What the caller does not name (no task, no user) has no account.

    Args:
        budgets: as declared.
        caller: whom the request belongs to.
        at: the moment of the hold, with a time zone.
    """
    return Accounts(budgets).of(caller, at)


def works_of(caller: Caller) -> tuple[str, ...]:
    """Return the task and the run that a request belongs to, as the store knows them."""
    named = (("task", caller.task), ("run", caller.run))
    return tuple(f"{scope}:{plain_name(name)}" for scope, name in named if name)


def plain_name(name: str) -> str:
    """Return a name, or its digest where no database would take it: clients choose names."""
    if len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    return f"sha256-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def nusd_down(usd: Decimal) -> int:
    """Return an amount in whole nano-dollars, rounded down."""
    return int((usd * NUSD).to_integral_value(ROUND_FLOOR))


def _name_of(scope: Scope, caller: Caller) -> str | None:
    if scope == "organisation":
        return ""
    name: str = getattr(caller, scope)
    return name or None


def _account(budget: Budget, name: str, at: datetime) -> Account:
    limit = min(nusd_down(budget.usd), MOST_NUSD)
    return Account(
        f"{budget.scope}:{plain_name(name)}/{_period(budget.per, at)}",
        limit,
        tuple(sorted({_share(limit, share) for share in budget.warn_at})),
        None if budget.drain_at is None else _share(limit, budget.drain_at),
    )


def _share(limit: int, share: float) -> int:
    return int((limit * Decimal(repr(share))).to_integral_value(ROUND_CEILING))


def _period(per: Per, at: datetime) -> str:
    if per == "run":
        return "run"
    return f"{at:%Y-%m}" if per == "month" else f"{at:%Y-%m-%d}"
