"""What a call costs after its reply: its lines read for the metrics, and moved into the ledger.

    python benchmarks/journal.py [--calls 200000] [--rounds 3]

Two workers write journals, as a gateway's do. Then the lines are counted for a scrape of the
metrics, and all calls are charged into an empty ledger. CPU microseconds for each call, of this
process and its threads; the best round.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import deque
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from clearbar.core.store import Store
from clearbar.route.journal.charges import charge_journal
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import Follower
from clearbar.route.journal.writer import Journal
from clearbar.route.operating.feed import Feed, InFlight
from clearbar.route.operating.metrics import Metrics
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.storage.ledger import Ledger

NOON_US: Final = 1_789_387_200_000_000
NOW: Final = datetime(2026, 9, 14, 13, tzinfo=UTC)
IN_FLIGHT: Final = 32
WORKERS: Final = ("bench-0123456789", "bench-abcdef0123")


def held(name: str, number: int, worker: str) -> Held:
    """Return the beginning of a call; its trace and its span are random, as a gateway's are."""
    digits = f"{Random(name).getrandbits(192):048x}"
    return Held(
        f"01{name}",
        NOON_US + 100 * number,
        f"req_{name}",
        1,
        "passed",
        "chat",
        False,
        "support-replies",
        "small",
        "openai",
        "gpt-4o-mini",
        "k1",
        *("",) * 6,
        digits[:32],
        digits[32:],
        "",
        ("workflow:support-replies/2026-09", "organisation:/2026-09"),
        100_000 + number % 1000,
        100 + number % 300,
        256,
        worker,
    )


def ended(begun: Held, number: int) -> Ended:
    """Return the end of a call."""
    return Ended(
        begun.call_id,
        begun.at_us + 5000,
        "ok",
        200,
        {"input_tokens": 100 + number % 300, "output_tokens": 20 + number % 200},
        "reported",
        20_000 + number % 1000,
        priced=True,
        model="gpt-4o-mini-2024-07-18",
        upstream_id=f"chatcmpl-{begun.trace_id}",
        service_tier="default",
        stop_reason="stop",
        first_byte_ms=number % 40,
        latency_ms=number % 50,
        bytes_in=900,
        bytes_out=700,
    )


def write(folder: Path, calls: int) -> None:
    """Write the journals of workers with some calls in flight at any time."""
    loop = asyncio.new_event_loop()
    for worker in WORKERS:
        journal = Journal(folder, worker, loop)
        flying: deque[tuple[Held, int]] = deque()
        for number in range(calls // len(WORKERS)):
            begun = held(f"{worker[-6:]}{number * 7919 % 2**32:016x}", number, worker)
            journal.append(begun)
            flying.append((begun, number))
            if len(flying) >= IN_FLIGHT:
                journal.append(ended(*flying.popleft()))
        for each in flying:
            journal.append(ended(*each))
        journal.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def counted_us(journals: Path, calls: int) -> float:
    """Return what counting takes of each call."""
    feed = Feed([InFlight(), Metrics(None)])  # type: ignore[arg-type] # no scrape asks for facts
    before = time.process_time()
    for block in Follower(journals).new_blocks():
        feed.take(block.entries)
    return (time.process_time() - before) / calls * 1e6


def charged_us(journals: Path, book: PriceBook, folder: Path, calls: int) -> float:
    """Return what charging takes of each call."""
    with closing(Ledger(folder / "ledger")) as ledger, closing(Store(folder / "facts.db")) as store:
        before = time.process_time()
        charged = charge_journal(journals, ledger, book, store, NOW)
        spent = time.process_time() - before
    if charged != calls:
        raise SystemExit(f"{charged:,} of {calls:,} calls were charged")
    return spent / calls * 1e6


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        journals = folder / "journal"
        write(journals, asked.calls)
        book = PriceBook.open(folder / "prices")
        counted = min(counted_us(journals, asked.calls) for _ in range(asked.rounds))
        charged = min(
            charged_us(journals, book, folder / str(each), asked.calls)
            for each in range(asked.rounds)
        )
    print(f"{'counted for the metrics':28} {counted:6.1f} us a call")
    print(f"{'charged into the ledger':28} {charged:6.1f} us a call")
    return 0


if __name__ == "__main__":
    sys.exit(main())
