"""The scorecard's sums over 20 million charges, against hand-written SQL over the same files.

    python benchmarks/scorecard.py [--millions N]

Both sides answer the same four questions: usage by origin, and by workflow and day; this month's
cost by origin; each origin's first day. Ours is all that a scorecard takes, from the ledger's
files to the cards; theirs knows beforehand which columns are ever filled. The best CPU time, over
all threads, of three turns each counts. Values are compared one by one.

Fails when ours takes more than 1.25 of theirs at the larger size, when values differ, or when the
cost grows faster than the number of charges.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearbar.core.period import Period, last_days
from clearbar.core.store import Store
from clearbar.own.scored_spend import Question, ScoredSpend
from clearbar.spend.engine import connect, load_table
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.record_files import parquet_sql
from clearbar.spend.usage import USAGE_FIELDS, Usage
from made_ledger import DAYS, END, FIRST_DAY, make_ledger, workflows

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1.25
SMALL = 1_000_000
PERIOD = last_days(28, END)
BOTH = Period(PERIOD.previous().start, PERIOD.end)
MONTH = Period(date(END.year, END.month, 1) if END.day > 1 else date(2026, 8, 1), END)
SUMS = """sum(calls), sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
    sum(output_tokens), sum(cost_usd), 0, sum(calls) FILTER (basis = 'priced'),
    sum(calls) FILTER (basis = 'estimated'), sum(calls) FILTER (basis = 'unpriced')"""


def ours(folder: Path) -> None:
    """Make the scorecard."""
    ledger, store = Ledger(folder / "ledger"), Store(folder / "facts.db")
    spend = ScoredSpend(LedgerReading(ledger), store, workflows(), [])
    card = spend.scorecard(Question(PERIOD, END, MONTH, 0.95), {}, 0)
    assert len(card.cards) == 300
    store.close()
    ledger.close()


def theirs(folder: Path, workflow_of: dict[int, str]) -> list[dict[Any, Any]]:
    """Return the four results of the hand-written statements."""
    files = parquet_sql(sorted((folder / "ledger" / "records").glob("*.parquet")))
    with connect() as connection:
        columns = {"origin_id": "BIGINT", "workflow": "VARCHAR"}
        load_table(connection, "owned", columns, list(workflow_of.items()))
        rows = [
            connection.execute(statement).fetchall()
            for statement in (
                f"SELECT origin_id, {SUMS} FROM {files} WHERE {_in(PERIOD)} GROUP BY ALL",
                f"""SELECT workflow, day, {SUMS} FROM {files} JOIN owned USING (origin_id)
                    WHERE {_in(BOTH)} GROUP BY ALL""",
                f"SELECT origin_id, sum(cost_usd) FROM {files} WHERE {_in(MONTH)} GROUP BY ALL",
                f"SELECT origin_id, min(day) FROM {files} GROUP BY ALL",
            )
        ]
    return [
        {key: _usage(sums) for key, *sums in rows[0]},
        {(workflow, day): _usage(sums) for workflow, day, *sums in rows[1]},
        dict(rows[2]),
        dict(rows[3]),
    ]


def _in(period: Period) -> str:
    return f"day >= DATE '{period.start}' AND day < DATE '{period.end}'"


def _usage(sums: list[Any]) -> Usage:
    return Usage(**{name: value for name, value in zip(USAGE_FIELDS, sums, strict=True) if value})


def answers(folder: Path) -> tuple[dict[int, str], list[dict[Any, Any]]]:
    """Return which workflow each origin belongs to, and our four results."""
    ledger, store = Ledger(folder / "ledger"), Store(folder / "facts.db")
    reading = LedgerReading(ledger)
    workflow_of = ScoredSpend(reading, store, workflows(), []).workflow_of
    month = {key: usage.cost_usd for key, usage in reading.by_origin(MONTH).items()}
    found: list[dict[Any, Any]] = [
        dict(reading.by_origin(PERIOD)),
        dict(reading.by_workflow_and_day(BOTH, workflow_of)),
        month,
        reading.first_days(),
    ]
    store.close()
    ledger.close()
    return workflow_of, found


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds, over all threads, that it takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(folder: Path, count: int) -> tuple[float, float, bool]:
    """Return our best time, theirs, and whether all values are equal."""
    make_ledger(folder / "ledger", count)
    workflow_of, found = answers(folder)
    equal = found == theirs(folder, workflow_of)
    turns = [
        (cpu_s(lambda: ours(folder)), cpu_s(lambda: theirs(folder, workflow_of))) for _ in range(3)
    ]
    return min(mine for mine, _ in turns), min(other for _, other in turns), equal


def main() -> None:
    """Print both sizes; exit 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=20)
    count = int(parser.parse_args().millions * 1_000_000)
    sizes = sorted({min(SMALL, count // 2), count})
    print(f"{DAYS} days from {FIRST_DAY}, scorecard of {PERIOD}")
    print(f"{'charges':>12}{'ours CPU s':>12}{'SQL CPU s':>12}{'ratio':>8}  values")
    costs = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            mine, other, equal = measure(Path(folder), size)
        costs.append(mine)
        said = "equal" if equal else "DIFFERENT"
        print(f"{size:>12,}{mine:>12.2f}{other:>12.2f}{mine / other:>8.2f}  {said}", flush=True)
        if not equal:
            sys.exit(1)
    exponent = math.log(costs[1] / costs[0]) / math.log(sizes[1] / sizes[0])
    print(f"cost grows with the number of charges to the power of {exponent:.2f}")
    print(f"limits: ratio {LIMIT} at {sizes[1]:,} charges, power 1")
    sys.exit(mine / other > LIMIT or exponent > 1)


if __name__ == "__main__":
    main()
