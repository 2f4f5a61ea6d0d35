"""The shared store of budgets: what every worker has leased, and what was spent.

Each method is one transaction; amounts are nano-dollars; nothing here reads a clock.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.route.budgets.database import schema
from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.leases import Grant, Position, allot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clearbar.route.budgets.database import Database, Session
    from clearbar.route.budgets.leases import Allotted, Ask, Need

_VERSION: Final = 2
"""2 has the owners of objects, which 1 has not."""
_SCHEMA_LOCK: Final = 7_231_185
MOST_ASKS: Final = 256
"""Accounts in one exchange."""
MOST_BEGUN: Final = 1_000_000
"""Tasks and runs that are remembered, the newest."""


class Incarnation(NamedTuple):
    """One life of a worker in the store; where the store has declared it over, another begins."""

    worker: str
    family: str
    """The worker's name in the journal."""
    nonce: str
    """Random: tells this process from another that took the same name."""


class Answer(NamedTuple):
    """What one exchange gave."""

    grants: tuple[Grant, ...]
    amounts: list[int | None]
    """For each need: what may be held for it; None: it has to wait."""


class _Row(NamedTuple):
    """A lease as it stands in the store."""

    leased: int = 0
    held: int = 0
    short: int = 0
    reported: int = 0
    counted: int = 0


class BudgetStore:
    """The store over one connection, for one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready = False

    @property
    def locking(self) -> str:
        """Ends a SELECT whose rows stay locked until the transaction ends."""
        return self._database.locking

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Begin a transaction; the tables are there.

        Raises:
            BudgetStoreError: the store cannot be reached, or a newer Clearbar made its tables.
        """
        self._prepare()
        with self._database.transaction() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read without locking anything; the tables are there.

        Raises:
            BudgetStoreError: as `transaction`.
        """
        self._prepare()
        with self._database.reading() as session:
            yield session

    def taken(self, accounts: Sequence[str]) -> dict[str, int]:
        """Return what is spent and leased of accounts, by all, without locking them."""
        sql = (
            "SELECT account, spent_nusd + COALESCE((SELECT SUM(leased_nusd) FROM budget_leases "  # noqa: S608
            "WHERE budget_leases.account = budget_accounts.account), 0) FROM budget_accounts "
            f"WHERE account IN ({_marks(accounts)})"
        )
        with self.reading() as session:
            return {account: int(taken) for account, taken in session.rows(sql, *accounts)}

    def begin(self, incarnation: Incarnation) -> bool:
        """Note a worker. False: its name is taken, by another process or by one that ended."""
        with self.transaction() as session:
            session.run(
                "INSERT INTO budget_workers (worker, family, nonce, beat, state) "
                "VALUES (?, ?, ?, 0, 'live') ON CONFLICT (worker) DO NOTHING",
                *incarnation,
            )
            return _beat(session, incarnation)

    def exchange(
        self,
        incarnation: Incarnation,
        asks: Sequence[Ask],
        needs: Sequence[Need] = (),
        begun: Iterable[str] = (),
    ) -> Answer | None:
        """Take in what a worker spent, take back what it does not keep, give what there is.

        All of it is absolute: where an answer got lost, the next exchange makes it good.

        Args:
            incarnation: who asks.
            asks: one for each account, sorted by id; with all the accounts of `needs`.
            needs: calls that wait.
            begun: tasks and runs that were paid for.

        Returns:
            None: the incarnation is over; nothing was taken in or given.
        """
        with self.transaction() as session:
            if not _beat(session, incarnation):
                return None
            answer = _exchanged(session, self.locking, incarnation.worker, asks, needs)
            _note_begun(session, self.locking, sorted(begun))
            return answer

    def begun_since(self, place: int, most: int) -> list[tuple[int, str]]:
        """Return tasks and runs that were noted after a place, with theirs; the newest `most`."""
        with self.reading() as session:
            rows = session.rows(
                "SELECT place, work FROM budget_begun WHERE place > ? ORDER BY place DESC LIMIT ?",
                place,
                most,
            )
        return [(place, work) for place, work in reversed(rows)]

    def _prepare(self) -> None:
        if not self._ready:
            with self._database.transaction() as session:
                self._make_tables(session)
            self._ready = True

    def _make_tables(self, session: Session) -> None:
        if self.locking and not session.rows(self._database.finding):
            session.rows("SELECT pg_advisory_xact_lock(?)", _SCHEMA_LOCK)
        if not session.rows(self._database.finding):
            for statement in schema():
                session.run(statement)
        version = session.rows("SELECT version FROM budget_format")
        if not version:
            session.run("INSERT INTO budget_format (version) VALUES (?)", _VERSION)
        elif version[0][0] == 1:
            self._renew(session)
        elif version[0][0] != _VERSION:
            raise BudgetStoreError(
                "the budgets were written by a newer Clearbar",
                "upgrade: pip install -U clearbar",
            )

    def _renew(self, session: Session) -> None:
        """Add the tables that an older Clearbar did not make; several may come to it at once."""
        if self.locking:
            session.rows("SELECT pg_advisory_xact_lock(?)", _SCHEMA_LOCK)
        for statement in schema():
            session.run(statement)
        session.run("UPDATE budget_format SET version = ?", _VERSION)


def _beat(session: Session, incarnation: Incarnation) -> bool:
    """Show that the worker lives; whether it may. Its row stays locked until the end."""
    changed = session.run(
        "UPDATE budget_workers SET beat = beat + 1 "
        "WHERE worker = ? AND nonce = ? AND state = 'live'",
        incarnation.worker,
        incarnation.nonce,
    )
    return changed == 1


def _note_begun(session: Session, locking: str, works: Sequence[str]) -> None:
    """Note tasks and runs; places are given in the order in which others come to see them."""
    if not works:
        return
    session.rows(f"SELECT version FROM budget_format{locking}")  # noqa: S608 - no value
    (last,) = session.rows("SELECT COALESCE(MAX(place), 0) FROM budget_begun")[0]
    session.many(
        "INSERT INTO budget_begun (work, place) VALUES (?, ?) ON CONFLICT (work) DO NOTHING",
        [(work, place) for place, work in enumerate(works, last + 1)],
    )
    session.run("DELETE FROM budget_begun WHERE place <= ?", last - MOST_BEGUN)


def _exchanged(
    session: Session, locking: str, worker: str, asks: Sequence[Ask], needs: Sequence[Need]
) -> Answer:
    if not asks:
        return Answer((), [])
    spent = _locked_accounts(session, locking, asks)
    mine, others = _leases(session, worker, asks)
    asks = [_continued(ask, mine) for ask in asks]
    positions = {
        ask.account.id: _position(
            spent[ask.account.id] + ask.spent_nusd - mine[ask.account.id].reported,
            others[ask.account.id],
        )
        for ask in asks
    }
    given = allot(asks, needs, positions)
    _write(session, worker, asks, mine, given, _held(asks, needs, given))
    grants = tuple(
        _grant(ask, mine[ask.account.id], positions[ask.account.id], given, _warn(session, ask, it))
        for ask in asks
        for it in (positions[ask.account.id].spent_nusd,)
    )
    return Answer(grants, given.amounts)


def _locked_accounts(session: Session, locking: str, asks: Sequence[Ask]) -> dict[str, int]:
    """Lock the accounts, always in the order of their ids, and return what was spent of each."""
    if new := [(it.account.id, it.account.limit_nusd) for it in asks if it.fresh]:
        session.many(
            "INSERT INTO budget_accounts (account, limit_nusd, spent_nusd) VALUES (?, ?, 0) "
            "ON CONFLICT (account) DO NOTHING",
            new,
        )
    ids = [it.account.id for it in asks]
    rows = session.rows(
        "SELECT account, spent_nusd FROM budget_accounts "  # noqa: S608 - only marks
        f"WHERE account IN ({_marks(ids)}) ORDER BY account{locking}",
        *ids,
    )
    return dict(rows)


def _leases(
    session: Session, worker: str, asks: Sequence[Ask]
) -> tuple[dict[str, _Row], dict[str, list[_Row]]]:
    """Return the worker's own leases and those of others that matter, by account."""
    ids = [it.account.id for it in asks]
    rows = session.rows(
        "SELECT account, worker, leased_nusd, held_nusd, short_nusd, reported_nusd, counted_nusd "  # noqa: S608
        f"FROM budget_leases WHERE account IN ({_marks(ids)}) "
        "AND (leased_nusd > 0 OR short_nusd > 0 OR worker = ?)",
        *ids,
        worker,
    )
    mine = dict.fromkeys(ids, _Row())
    others: dict[str, list[_Row]] = {each: [] for each in ids}
    for account, whose, *amounts in rows:
        if whose == worker:
            mine[account] = _Row(*amounts)
        else:
            others[account].append(_Row(*amounts))
    return mine, others


def _continued(ask: Ask, mine: dict[str, _Row]) -> Ask:
    return ask._replace(spent_nusd=mine[ask.account.id].reported) if ask.fresh else ask


def _position(spent: int, others: Sequence[_Row]) -> Position:
    return Position(
        spent_nusd=spent,
        leased_nusd=sum(it.leased for it in others),
        idle_nusd=sum(max(it.leased - it.held, 0) for it in others),
        leases=sum(it.leased > 0 for it in others),
        is_short=any(it.short for it in others),
    )


def _held(asks: Sequence[Ask], needs: Sequence[Need], given: Allotted) -> dict[str, int]:
    """Return what the worker holds after this, with what it was just given for calls."""
    held = {ask.account.id: ask.held_nusd for ask in asks}
    for need, amount in zip(needs, given.amounts, strict=True):
        for each in need.accounts if amount else ():
            held[each] += amount or 0
    return held


def _write(
    session: Session,
    worker: str,
    asks: Sequence[Ask],
    mine: dict[str, _Row],
    given: Allotted,
    held: dict[str, int],
) -> None:
    accounts: list[tuple[object, ...]] = []
    leases: list[tuple[object, ...]] = []
    for ask in asks:
        (each, limit, _, drain), row = ask.account, mine[ask.account.id]
        more = ask.spent_nusd - row.reported
        accounts.append((more, limit, drain, each))
        now = _Row(
            given.leased[each],
            held[each],
            given.short.get(each, 0),
            ask.spent_nusd,
            row.counted + more,
        )
        leases.append((each, worker, *now))
    session.many(
        "UPDATE budget_accounts SET spent_nusd = spent_nusd + ?, limit_nusd = ?, drain_nusd = ? "
        "WHERE account = ?",
        accounts,
    )
    session.many(
        "INSERT INTO budget_leases (account, worker, leased_nusd, held_nusd, short_nusd, "
        "reported_nusd, counted_nusd) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (account, worker) DO UPDATE SET leased_nusd = excluded.leased_nusd, "
        "held_nusd = excluded.held_nusd, short_nusd = excluded.short_nusd, "
        "reported_nusd = excluded.reported_nusd, counted_nusd = excluded.counted_nusd",
        leases,
    )


def _warn(session: Session, ask: Ask, spent: int) -> tuple[int, ...]:
    """Return the thresholds that were crossed and that no worker was told of."""
    return tuple(
        threshold
        for threshold in ask.account.warn_nusd
        if threshold <= spent
        and threshold not in ask.warned
        and session.run(
            "INSERT INTO budget_warnings (account, threshold_nusd) VALUES (?, ?) "
            "ON CONFLICT (account, threshold_nusd) DO NOTHING",
            ask.account.id,
            threshold,
        )
    )


def _grant(
    ask: Ask, row: _Row, position: Position, given: Allotted, crossed: tuple[int, ...]
) -> Grant:
    each = ask.account.id
    return Grant(
        account_id=each,
        leased_nusd=given.leased[each],
        began_at_nusd=row.reported,
        position=position,
        left_nusd=given.left[each],
        cap_nusd=given.caps[each],
        short_nusd=given.short.get(each, 0),
        crossed=crossed,
        passed=frozenset(it for it in ask.account.warn_nusd if it <= position.spent_nusd),
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
