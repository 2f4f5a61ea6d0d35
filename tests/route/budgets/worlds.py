"""Stores and workers for the tests of this room."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from clearbar.route.budgets.allowance import Allowance, Holding, Short
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from clearbar.route.budgets.account import Account


class Clock:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def store_in(folder: Path) -> BudgetStore:
    return BudgetStore(SqliteDatabase(folder / "budgets.db"))


@asynccontextmanager
async def workers(folder: Path, *names: str) -> AsyncIterator[list[Allowance]]:
    """Open a worker for each name on one store; close those that are left."""
    opened = [await Allowance.open(name, store_in(folder)) for name in names]
    try:
        yield opened
    finally:
        for each in opened:
            await each.close()


async def held(
    worker: Allowance, accounts: Sequence[Account], wanted: int, least: int | None = None
) -> Holding:
    """Hold what has to be there."""
    found = await asked(worker, accounts, wanted, least)
    assert isinstance(found, Holding), found
    return found


async def asked(
    worker: Allowance,
    accounts: Sequence[Account],
    wanted: int,
    least: int | None = None,
    *,
    begun: bool = True,
) -> Holding | Short:
    """Hold as a request does: at once, or by the store."""
    least = wanted if least is None else least
    found = worker.try_hold(accounts, wanted, least, begun=begun)
    return found or await worker.hold(accounts, wanted, least, begun=begun)


def spent(folder: Path, account: Account) -> int:
    return _one(folder, "SELECT spent_nusd FROM budget_accounts WHERE account = ?", account.id)


def leased(folder: Path, account: Account) -> int:
    return _one(
        folder,
        "SELECT COALESCE(SUM(leased_nusd), 0) FROM budget_leases WHERE account = ?",
        account.id,
    )


def state(folder: Path, worker: str) -> str:
    store = store_in(folder)
    with store.transaction() as session:
        rows = session.rows("SELECT state FROM budget_workers WHERE worker = ?", worker)
    store.close()
    return str(rows[0][0]) if rows else ""


def _one(folder: Path, sql: str, *values: object) -> int:
    store = store_in(folder)
    with store.transaction() as session:
        rows = session.rows(sql, *values)
    store.close()
    return int(rows[0][0]) if rows else 0
