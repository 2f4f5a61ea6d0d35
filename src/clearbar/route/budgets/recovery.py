"""What a worker spent that cannot say so any more: from its journal, or, without one, in full."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.route.budgets.database import Session
    from clearbar.route.budgets.store import BudgetStore, Incarnation
    from clearbar.route.journal.entry import Ended, Held

State = Literal["live", "lost", "recovered", "closed"]
_UNCOUNTED: Final = ("live", "lost", "recovered")


def recover(store: BudgetStore, worker: str, calls: Iterable[tuple[Held, Ended | None]]) -> None:
    """Set what a dead worker spent to what its journal says, and end its leases.

    A call that never ended counts with all that was held for it. Nothing is added up twice,
    however often this runs: sums are computed anew. An incarnation never counts less than it
    reported itself, so a journal whose beginning is gone frees no money. Reports of the worker
    that arrive afterwards are refused.

    To be called once nothing writes the journal any more: its lock is free.

    Args:
        store: the shared store.
        worker: the name in the journal.
        calls: all calls of that journal.

    Raises:
        BudgetStoreError: the store cannot be reached.
    """
    spent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for held, ended in calls:
        whose = spent[held.worker or worker]
        cost = held.amount_nusd if ended is None else ended.cost_nusd
        for account in held.accounts:
            whose[account] += cost
    with store.transaction() as session:
        states = _states(session, store.locking, worker)
        for incarnation in sorted(spent.keys() - states.keys()):
            session.run(
                "INSERT INTO budget_workers (worker, family, nonce, beat, state) "
                "VALUES (?, ?, '', 0, 'lost') ON CONFLICT (worker) DO NOTHING",
                incarnation,
                worker,
            )
            states[incarnation] = "lost"
        for incarnation, state in sorted(states.items()):
            if state in _UNCOUNTED:
                _settle(session, incarnation, spent[incarnation], "recovered")


def is_closed(store: BudgetStore, worker: str) -> bool:
    """Return whether a worker said itself, at its end, all that it spent.

    Then its journal adds nothing. One that ever had to go on under another name may have spent
    what the store does not know of.
    """
    with store.reading() as session:
        states = session.rows("SELECT worker, state FROM budget_workers WHERE family = ?", worker)
    return states == [(worker, "closed")]


def write_off(store: BudgetStore, worker: str, beat: int) -> bool:
    """Declare an incarnation lost that gave no sign of life since `beat`.

    All that it reported and all that it still had leased counts as spent, until its journal is
    read, or it comes back itself and says what it really spent.

    Returns:
        False: it lives, or is over already.
    """
    with store.transaction() as session:
        rows = session.rows(
            f"SELECT beat FROM budget_workers WHERE worker = ? AND state = 'live'{store.locking}",  # noqa: S608
            worker,
        )
        if rows != [(beat,)]:
            return False
        had = session.rows(
            "SELECT account, reported_nusd + leased_nusd FROM budget_leases WHERE worker = ?",
            worker,
        )
        _settle(session, worker, dict(had), "lost")
        return True


def end(store: BudgetStore, incarnation: Incarnation, spent: Mapping[str, int]) -> bool:
    """Close an incarnation that holds nothing any more, with all that it spent of each account.

    One that was declared lost is put right by this.

    Args:
        store: the shared store.
        incarnation: whose leases end.
        spent: of accounts on which it reported less, or that were counted in full.

    Returns:
        False: its journal was read already, and says what it spent.
    """
    with store.transaction() as session:
        states = session.rows(
            f"SELECT state FROM budget_workers WHERE worker = ? AND nonce = ?{store.locking}",  # noqa: S608
            incarnation.worker,
            incarnation.nonce,
        )
        if states in ([("live",)], [("lost",)]):
            _settle(session, incarnation.worker, spent, "closed")
            session.run("DELETE FROM budget_leases WHERE worker = ?", incarnation.worker)
            return True
        return states == [("closed",)]


def living(store: BudgetStore) -> dict[str, tuple[str, int]]:
    """Return the incarnations that are not over: the name in the journal, and the beat."""
    with store.reading() as session:
        rows = session.rows("SELECT worker, family, beat FROM budget_workers WHERE state = 'live'")
    return {worker: (family, beat) for worker, family, beat in rows}


def unsettled(store: BudgetStore) -> set[str]:
    """Return the workers, as in the journal, that live, or were declared lost and not recovered."""
    with store.reading() as session:
        rows = session.rows(
            "SELECT DISTINCT family FROM budget_workers WHERE state IN ('live', 'lost')"
        )
    return {family for (family,) in rows}


def beats(store: BudgetStore) -> dict[str, int]:
    """Return the beats of the incarnations that have money: they have to show that they live."""
    with store.reading() as session:
        rows = session.rows(
            "SELECT worker, beat FROM budget_workers WHERE state = 'live' AND EXISTS "
            "(SELECT 1 FROM budget_leases WHERE budget_leases.worker = budget_workers.worker "
            "AND leased_nusd > 0)"
        )
    return dict(rows)


class LifeWatch:
    """Finds workers on other machines that give no sign of life. No clock is compared with another.

    It looks at the counter that each exchange raises. One that stays the same for `lost_after_s`
    of the observer's own monotonic time is lost.
    """

    def __init__(self, lost_after_s: float = 60.0) -> None:
        self._lost_after_s = lost_after_s
        self._seen: dict[str, tuple[int, float]] = {}

    def lost(self, beats: Mapping[str, int], now_s: float) -> list[tuple[str, int]]:
        """Return the incarnations to write off, with the beat that stood still.

        Args:
            beats: as `beats` returns them.
            now_s: monotonic, of this process.
        """
        self._seen = {
            worker: seen if (seen := self._seen.get(worker)) and seen[0] == beat else (beat, now_s)
            for worker, beat in beats.items()
        }
        return [
            (worker, beat)
            for worker, (beat, since) in self._seen.items()
            if now_s - since >= self._lost_after_s
        ]


def _states(session: Session, locking: str, family: str) -> dict[str, str]:
    rows = session.rows(
        f"SELECT worker, state FROM budget_workers WHERE family = ? ORDER BY worker{locking}",  # noqa: S608
        family,
    )
    return dict(rows)


def _settle(session: Session, worker: str, spent: Mapping[str, int], state: State) -> None:
    """Set what an incarnation spent in all of each account; its leases end."""
    rows = {
        account: (reported, counted)
        for account, reported, counted in session.rows(
            "SELECT account, reported_nusd, counted_nusd FROM budget_leases WHERE worker = ?",
            worker,
        )
    }
    for account in sorted(rows.keys() | spent.keys()):
        reported, counted = rows.get(account, (0, 0))
        due = max(reported, spent.get(account, 0))
        session.run(
            "INSERT INTO budget_accounts (account, limit_nusd, spent_nusd) VALUES (?, 0, ?) "
            "ON CONFLICT (account) DO UPDATE "
            "SET spent_nusd = budget_accounts.spent_nusd + excluded.spent_nusd",
            account,
            due - counted,
        )
        session.run(
            "INSERT INTO budget_leases (account, worker, leased_nusd, held_nusd, short_nusd, "
            "reported_nusd, counted_nusd) VALUES (?, ?, 0, 0, 0, 0, ?) "
            "ON CONFLICT (account, worker) DO UPDATE SET leased_nusd = 0, held_nusd = 0, "
            "short_nusd = 0, counted_nusd = excluded.counted_nusd",
            account,
            worker,
            due,
        )
    session.run("UPDATE budget_workers SET state = ? WHERE worker = ?", state, worker)
