"""How much each worker may have: the rule that both stores apply inside one transaction. Pure.

For every account, what is spent plus what all workers have leased never exceeds the limit, unless
calls cost more than was held for them or the limit was lowered; then nothing new is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.route.budgets.account import Account


class Ask(NamedTuple):
    """What a worker tells of one of its leases, and wants. Absolute, so that it can be repeated."""

    account: Account
    spent_nusd: int
    """All that was ever spent from this lease; without meaning where `fresh`."""
    fresh: bool
    """The worker does not know of an earlier life of this lease; the store tells."""
    held_nusd: int
    keep_nusd: int
    """What the worker relies on meanwhile, at least `held_nusd`; it has that already."""
    extra_nusd: int
    """What it would like beyond, for calls to come."""
    warned: frozenset[int] = frozenset()
    """Thresholds that it knows to be passed."""
    missing_nusd: int = 0
    """What a call needed that waits, or was refused lately."""


class Need(NamedTuple):
    """One call that waits for money, from all of its accounts or none."""

    accounts: tuple[str, ...]
    wanted_nusd: int
    least_nusd: int
    begun: bool


@dataclass(frozen=True, slots=True)
class Position:
    """What the store knows of an account beside the lease of the worker that asks."""

    spent_nusd: int
    """By all, with what the worker has just reported."""
    leased_nusd: int
    """To others."""
    idle_nusd: int
    """The part of that which they did not hold for calls when they last reported."""
    leases: int
    """Others that have a part."""
    is_short: bool
    """Whether one of them misses something."""


class Grant(NamedTuple):
    """The store's answer for one account."""

    account_id: str
    leased_nusd: int
    """What the worker has now, with what it holds."""
    began_at_nusd: int
    """Spent before, where the lease was fresh."""
    position: Position
    left_nusd: int
    """What nobody has, after this."""
    cap_nusd: int
    """The share of what is left that one worker may have idle."""
    short_nusd: int
    """What a call misses and others have; 0: nothing."""
    crossed: tuple[int, ...]
    """Thresholds of warnings that were crossed, told to this worker alone."""
    passed: frozenset[int]
    """All thresholds that are behind."""


class Allotted(NamedTuple):
    """What one transaction gives."""

    leased: dict[str, int]
    left: dict[str, int]
    caps: dict[str, int]
    short: dict[str, int]
    """What is missing of accounts of which others have as much."""
    amounts: list[int | None]
    """For each need, in order: its amount; None: it has to wait."""


def allot(
    asks: Sequence[Ask], needs: Sequence[Need], positions: Mapping[str, Position]
) -> Allotted:
    """Share out what is left, first to calls that wait in their order, then to those to come.

    What lies idle with one worker is at most left / (2 leases + 2): it shrinks as money does.
    """
    room: dict[str, int] = {}
    for ask in asks:
        position = positions[ask.account.id]
        used = position.spent_nusd + position.leased_nusd + ask.keep_nusd
        room[ask.account.id] = ask.account.limit_nusd - used
    drained = {
        ask.account.id
        for ask in asks
        if ask.account.drain_nusd is not None
        and positions[ask.account.id].spent_nusd >= ask.account.drain_nusd
    }
    leased = {ask.account.id: ask.keep_nusd for ask in asks}
    missing = {ask.account.id: ask.missing_nusd - room[ask.account.id] for ask in asks}
    amounts = [_serve(need, room, drained, leased, missing) for need in needs]
    short = {
        each: nusd for each, nusd in missing.items() if 0 < nusd <= positions[each].leased_nusd
    }
    caps: dict[str, int] = {}
    for ask in asks:
        each = ask.account.id
        position = positions[each]
        scarce = each in short or position.is_short
        caps[each] = 0 if scarce else max(room[each] // (2 * position.leases + 2), 0)
        extra = min(ask.extra_nusd, caps[each]) if missing[each] <= 0 else 0
        leased[each] += extra
        room[each] -= extra
    return Allotted(leased, room, caps, short, amounts)


def _serve(
    need: Need,
    room: dict[str, int],
    drained: set[str],
    leased: dict[str, int],
    missing: dict[str, int],
) -> int | None:
    """Give one call its amount in all of its accounts, or note what is missing."""
    if not need.begun and not drained.isdisjoint(need.accounts):
        return None
    most = min(room[each] for each in need.accounts)
    if most < need.least_nusd or most < 0:
        for each in need.accounts:
            missing[each] = max(missing[each], need.least_nusd - room[each])
        return None
    amount = min(need.wanted_nusd, most)
    for each in need.accounts:
        room[each] -= amount
        leased[each] += amount
    return amount
