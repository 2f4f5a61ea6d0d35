"""What a budget costs a request: leases beside a transaction for each request, on the same SQLite.

    python benchmarks/budgets.py [--calls 2000]

Each call is paid from three accounts that have plenty: held, then settled for less. `naive` does
both in the database, as a budget that cannot be exceeded has to without leases: a transaction that
checks and reserves, and one that settles, durable. `ours` is `Allowance`, with the exchanges that
it makes meanwhile. Both are CPU and wall time of one process; the files lie in the same folder.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.allowance import Allowance, Holding
from clearbar.route.budgets.store import Answer, BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from clearbar.route.budgets.leases import Ask, Need
    from clearbar.route.budgets.store import Incarnation

HOLD: Final = 20_000_000
COST: Final = 3_000_000
ACCOUNTS: Final = tuple(
    Account(name, 10**15)
    for name in ("key:k1/2026-11", "organisation:/2026-11", "workflow:support/2026-11")
)
OURS_CALLS: Final = 100


class CountedStore(BudgetStore):
    """The store, with a count of its exchanges."""

    exchanges = 0

    def exchange(
        self,
        incarnation: Incarnation,
        asks: list[Ask],  # type: ignore[override]
        needs: list[Need] = (),  # type: ignore[assignment,override]
        begun: tuple[str, ...] = (),  # type: ignore[override]
    ) -> Answer | None:
        CountedStore.exchanges += 1
        return super().exchange(incarnation, asks, needs, begun)


def naive_us(folder: Path, calls: int) -> tuple[float, float]:
    """Return microseconds of wall and CPU time for each call."""
    connection = sqlite3.connect(folder / "naive.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE accounts (account TEXT PRIMARY KEY, cap INT, held INT, spent INT)"
    )
    connection.executemany(
        "INSERT INTO accounts VALUES (?, ?, 0, 0)", [(it.id, it.limit_nusd) for it in ACCOUNTS]
    )
    ids = [it.id for it in ACCOUNTS]
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        connection.execute("BEGIN IMMEDIATE")
        for each in ids:
            done = connection.execute(
                "UPDATE accounts SET held = held + ? WHERE account = ? AND spent + held + ? <= cap",
                (HOLD, each, HOLD),
            )
            assert done.rowcount == 1
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        for each in ids:
            connection.execute(
                "UPDATE accounts SET held = held - ?, spent = spent + ? WHERE account = ?",
                (HOLD, COST, each),
            )
        connection.execute("COMMIT")
    spent = time.perf_counter() - wall, time.process_time() - cpu
    connection.close()
    return spent[0] / calls * 1e6, spent[1] / calls * 1e6


async def ours_us(folder: Path, calls: int) -> tuple[float, float, float]:
    """Return microseconds of wall and CPU time for each call, and exchanges for a thousand."""
    allowance = await Allowance.open("bench", CountedStore(SqliteDatabase(folder / "ours.db")))
    await _calls(allowance, 1000)
    await allowance.sync()
    CountedStore.exchanges = 0
    wall, cpu = time.perf_counter(), time.process_time()
    await _calls(allowance, calls)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    exchanges = CountedStore.exchanges
    await allowance.close()
    return spent[0] / calls * 1e6, spent[1] / calls * 1e6, exchanges / calls * 1000


async def _calls(allowance: Allowance, calls: int) -> None:
    for number in range(calls):
        found = allowance.try_hold(ACCOUNTS, HOLD, HOLD, begun=True)
        if found is None:
            found = await allowance.hold(ACCOUNTS, HOLD, HOLD, begun=True)
        assert isinstance(found, Holding)
        allowance.settle(found, COST)
        if number % 50 == 0:
            await asyncio.sleep(0)


def main() -> int:
    """Print the table; 1 where a call of ours takes more than 5 us of CPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=2000, help="of the naive way")
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        naive_wall, naive_cpu = naive_us(folder, calls)
        ours_wall, ours_cpu, exchanges = asyncio.run(ours_us(folder, calls * OURS_CALLS))
    print(f"{'':6} {'wall us':>10} {'CPU us':>10} {'transactions for 1,000 calls':>30}")
    print(f"{'naive':6} {naive_wall:10.1f} {naive_cpu:10.1f} {2000:30,}")
    print(f"{'ours':6} {ours_wall:10.2f} {ours_cpu:10.2f} {exchanges:30.2f}")
    print(f"{'ratio':6} {naive_wall / ours_wall:10.0f} {naive_cpu / ours_cpu:10.0f}")
    return int(ours_cpu > 5)


if __name__ == "__main__":
    sys.exit(main())
