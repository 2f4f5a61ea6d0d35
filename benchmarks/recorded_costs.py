"""Real messages of a coding assistant: the cost it recorded against ours, by model and month.

The assistant computed its costs itself, from a price list of its own; so each gap says something of
one of the two lists, or of what the record leaves out. Prints a table in Markdown.

    .venv/bin/python benchmarks/recorded_costs.py
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from clearbar.core.period import ALL
from clearbar.core.store import Store
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.ingest import ingest
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.repricing.price_logs import recorded_against_book
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from clearbar.spend.repricing.price_logs import ModelMonth

DATA = Path(os.environ.get("CLEARBAR_DATA", Path(__file__).parents[2] / "shared" / "data"))
COLUMNS = {
    "started_at": "time_unix",
    "principal": "user_id",
    "model": "main_model",
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "cost_usd": "cost_usd",
}


def compared(folder: Path) -> list[ModelMonth]:
    """Return all models and months, largest gap first."""
    mapping = TableMapping(name="messages", files=str(DATA / "aider" / "*.csv"), columns=COLUMNS)
    book, ledger = PriceBook.open(folder / "prices"), Ledger(folder / "ledger")
    store, now = Store(folder / "facts.db"), datetime.now(UTC)
    try:
        files = candidates(["aider/message_send.csv"], DATA)
        ingest(files, ledger, book, store, [mapping], folder, now)
        return recorded_against_book(ledger, book, ALL)
    finally:
        ledger.close()
        store.close()


def main() -> None:
    """Print the table and what it sums to."""
    if not (DATA / "aider").is_dir():
        sys.exit(f"{DATA / 'aider'} is not there: set CLEARBAR_DATA")
    with TemporaryDirectory() as folder:
        months = compared(Path(folder))
    print("| model | month | calls | recorded | book | gap | why |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    for month in sorted(months, key=lambda each: (each.model, each.month)):
        gap = "" if month.gap_share is None else f"{month.gap_share:+.1%}"
        why = "; ".join(f"{each.calls} calls {each.text}" for each in month.reasons)
        costs = f"${month.recorded_usd:.5f} | ${month.book_usd:.5f}"
        print(f"| {month.model} | {month.month} | {month.calls} | {costs} | {gap} | {why} |")
    near = [each for each in months if each.gap_share is not None and abs(each.gap_share) <= 0.01]
    recorded, close = (sum(each.recorded_usd for each in some) for some in (months, near))
    print(f"\n{len(near)} of {len(months)} months within 1%: ${close:.2f} of ${recorded:.2f}")


if __name__ == "__main__":
    main()
