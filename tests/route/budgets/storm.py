"""A storm on a budget: real processes, one store, calls that abort and retry, and kill -9.

    python -m tests.route.budgets.storm ROUNDS [SEED]

Each round: a thousand calls of $0.10 at once on a budget of $5, and on two more of the same calls,
over 1, 2 or 4 processes, on SQLite and on PostgreSQL. It fails unless, by the journals of the
processes themselves,

- what was spent or held never exceeds the budget, at any moment;
- the balance equals the sum of the charges, with all that was held for calls that never ended;
- nothing stays leased or held once the dead are recovered, also when that is done twice;
- no call is refused while more than one lease's worth has been lying there for a second;
- what is left can be spent to the last cent afterwards.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.route.budgets.clusters import NoClusterError, cluster
from tests.route.budgets.storm_round import Storm

from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_postgres import PostgresDatabase
from clearbar.route.budgets.store_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def rage(rounds: int, seed: int) -> list[str]:
    """Run the rounds on both stores, with 1, 2 and 4 processes; return what was wrong."""
    faults: list[str] = []
    with ExitStack() as stack:
        stores: dict[str, Callable[[Path], BudgetStore]] = {
            "SQLite": lambda folder: BudgetStore(SqliteDatabase(folder / "budgets.db"))
        }
        try:
            address = stack.enter_context(cluster())
        except NoClusterError as error:
            _say(f"without PostgreSQL: {error}")
        else:
            stores["PostgreSQL"] = lambda _: BudgetStore(PostgresDatabase(address))
        for kind, made in stores.items():
            for workers in (1, 2, 4):
                faults += rounds_on(kind, made, workers, range(seed, seed + rounds))
                seed += rounds
    return faults


def rounds_on(
    kind: str, made: Callable[[Path], BudgetStore], workers: int, seeds: Sequence[int]
) -> list[str]:
    """Run rounds on one store with one number of processes; return what was wrong."""
    faults: list[str] = []
    findings = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in seeds:
            place = folder / str(seed)
            place.mkdir()
            finding = Storm(lambda: made(folder), place, seed, workers).run()
            findings.append(finding)
            wrong = [f"{kind}, {workers} processes, seed {seed}: {it}" for it in finding.faults]
            for each in wrong:
                _say(each)
            faults += wrong
    _say(
        f"{kind:10} {workers} processes: {len(findings)} rounds, "
        f"{sum(it.served for it in findings)} calls made, "
        f"{sum(it.refused for it in findings)} refused, {sum(it.kills for it in findings)} killed; "
        f"at a refusal had been lying at most ${max(it.lying_nusd for it in findings) / 1e9:.2f} "
        f"for a second, ${max(it.just_now_nusd for it in findings) / 1e9:.2f} for a tenth; "
        f"{sum(it.wall_s for it in findings) / len(findings):.2f} s a round, {len(faults)} faults"
    )
    return faults


def _say(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    found = rage(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    _say(f"{len(found)} faults" if found else "nothing was wrong")
    sys.exit(bool(found))
