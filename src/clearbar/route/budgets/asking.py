"""Between a worker's lease and the store: what it asks for, and what an answer changes. Pure.

While an exchange is under way, the worker uses only what it told the store that it keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.leases import Ask

if TYPE_CHECKING:
    from clearbar.route.budgets.holding import Lease
    from clearbar.route.budgets.leases import Grant

CALLS_AHEAD: Final = 4
"""A first lease covers so many more calls of the kind that asked for it."""


def ask_for_call(lease: Lease, wanted: int) -> Ask:
    """Ask for calls that wait: all that is free goes into the pot, so that none overtakes them."""
    _note_drawn(lease)
    return _ask(lease, 0, max(lease.drawn, lease.pace, CALLS_AHEAD * wanted))


def ask_ahead(lease: Lease) -> Ask:
    """Ask for more before it is needed: as much again as has been in use."""
    _note_drawn(lease)
    lease.mark = -1
    return _ask(lease, max(lease.free, 0), max(lease.drawn, lease.pace))


def ask_in_turn(lease: Lease) -> Ask:
    """Report, and keep what one and a half times the use of the last second needs."""
    _note_drawn(lease)
    lease.pace = max(lease.drawn, lease.pace // 2) if lease.drawn else 0
    lease.drawn = 0
    wanted = min(lease.pace * 3 // 2, lease.cap)
    kept = min(max(lease.free, 0), wanted)
    return _ask(lease, kept, wanted - kept)


def ask_to_return(lease: Lease) -> Ask:
    """Report, and keep nothing but what is held."""
    return _ask(lease, 0, 0)


def apply(lease: Lease, ask: Ask, grant: Grant, now_s: float) -> None:
    """Take over the store's answer to an ask, while calls have gone on being held and settled."""
    if lease.fresh:
        lease.fresh = False
        lease.spent += grant.began_at_nusd
        lease.reported = grant.began_at_nusd
    else:
        lease.reported = ask.spent_nusd
    position = grant.position
    lease.free += grant.leased_nusd - ask.keep_nusd
    lease.elsewhere = position.spent_nusd - lease.reported
    lease.cap = grant.cap_nusd
    lease.scarce = position.is_short
    lease.flagged = bool(grant.short_nusd)
    lease.warned = grant.passed
    lease.told_at = now_s
    lease.began_with = lease.lowest = lease.free
    lease.mark = lease.free // 4 if grant.cap_nusd else -1


def _note_drawn(lease: Lease) -> None:
    lease.drawn += max(lease.began_with - lease.lowest, 0)


def _ask(lease: Lease, kept_free: int, extra: int) -> Ask:
    lease.free = lease.began_with = lease.lowest = kept_free
    return Ask(
        account=lease.account,
        spent_nusd=lease.spent,
        fresh=lease.fresh,
        held_nusd=lease.held,
        keep_nusd=lease.held + kept_free,
        extra_nusd=extra,
        warned=lease.warned,
        missing_nusd=lease.missing,
    )
