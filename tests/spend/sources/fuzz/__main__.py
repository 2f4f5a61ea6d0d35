"""Mutated, truncated and hostile files over all sources, by the hundred thousand.

    python -m tests.spend.sources.fuzz 500000 --seed 1 --workers 2
    python -m tests.spend.sources.fuzz --seed 1 --only 12345 [--keep FILE]

Each file is made of its number and the seed, so that one that fails can be made again, as long as
the samples are the same. A worker that dies, or that is silent for too long, is a failure of the
file that it was at; another one goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.spend.sources.fuzz.batches import Tally, check_ingest, made, path_of, run_batch
from tests.spend.sources.fuzz.checks import Checked, peak_mb

from clearbar.spend.prices.book import PriceBook

_BATCH: Final = 400
_SILENT_S: Final = 300
_SHOWN: Final = 25
_ROOT: Final = Path(__file__).parents[4]


def main() -> int:
    """Run as the arguments say; the exit status is 1 where a law is broken."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=5_000, help="files to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--ingest-every", type=int, default=1, help="ingest only the files of every N-th batch"
    )
    parser.add_argument("--first", type=int, default=0, help="go on with the batch of this file")
    parser.add_argument("--only", type=int, help="make this one again, and show what happens")
    parser.add_argument("--keep", type=Path, help="with --only: write the file here too")
    parser.add_argument("--batches", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only is not None:
        return _again(asked.seed, asked.only, asked.keep)
    if asked.batches:
        first, step = map(int, asked.batches.split(":"))
        return _work(asked.seed, asked.count, first, step, asked.ingest_every * step)
    return _Run(asked.seed, asked.count, asked.workers, asked.ingest_every).run(asked.first)


def _again(seed: int, number: int, keep: Path | None) -> int:
    file = made(seed, number)
    if keep:
        keep.write_bytes(file.content)
    print(f"{file.name}: {len(file.content):,} bytes, made of a sample of {file.source}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        path = path_of(Path(folder), file)
        path.parent.mkdir(parents=True)
        path.write_bytes(file.content)
        checked = Checked()
        outcome = checked.check(path, file.mapping, file.source)
        print(outcome, *checked.problems, sep="\n")  # noqa: T201
        book = PriceBook.open(Path(folder, "prices"))
        print(check_ingest(Path(folder), Path(folder), {path: (file, outcome)}, book))  # noqa: T201
    return 0


def _work(seed: int, count: int, first: int, step: int, every: int) -> int:
    """Check the batches from `first`, each `step`-th, and say one line of JSON after each."""
    checked = Checked()
    with tempfile.TemporaryDirectory() as folder:
        book = PriceBook.open(Path(folder))
        for start in range(first * _BATCH, count, step * _BATCH):
            tally = Tally()
            numbers = range(start, min(start + _BATCH, count))
            ingested = start // _BATCH % every < step or not start
            run_batch(seed, numbers, book, checked, tally, _say_number, ingested=ingested)
            said = {name: getattr(tally, name) for name in Tally.__slots__}
            more = {"peak_mb": peak_mb(), "kinds": list(checked.problems), "batch": start // _BATCH}
            _say(said | more)
    return 0


def _say_number(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


class _Watchdog(threading.Thread):
    """Ends a worker that was silent for too long."""

    def __init__(self, worker: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.heard = time.monotonic()
        self._worker = worker
        self.start()

    def run(self) -> None:
        while self._worker.poll() is None:
            if time.monotonic() - self.heard > _SILENT_S:
                self._worker.kill()
            time.sleep(5)


class _Run:
    """All workers, and what they have said so far."""

    def __init__(self, seed: int, count: int, workers: int, every: int) -> None:
        self._seed, self._count, self._workers, self._every = seed, count, workers, every
        self._sums: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._failures: list[tuple[int, str, str]] = []
        self._peak_mb = self._slowest_s = 0.0
        self._slowest = 0
        self._lock = threading.Lock()
        self._began = self._shown = time.monotonic()

    def run(self, number: int) -> int:
        start = number // _BATCH
        threads = [
            threading.Thread(target=self._watch, args=(start + worker,))
            for worker in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._show()
        self._report()
        return 1 if self._failures else 0

    def _watch(self, first: int) -> None:
        """Run one worker to its end; where it dies, note it and go on with the batch behind."""
        while first * _BATCH < self._count:
            command = [sys.executable, "-m", "tests.spend.sources.fuzz", str(self._count)]
            command += ["--seed", str(self._seed), "--batches", f"{first}:{self._workers}"]
            command += ["--ingest-every", str(self._every)]
            with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as worker:
                first = self._listen(worker, first)
                if worker.wait() == 0:
                    return

    def _listen(self, worker: subprocess.Popen[str], first: int) -> int:
        """Take what a worker says; return which batch would be the next one."""
        number, alive = first * _BATCH, _Watchdog(worker)
        for line in worker.stdout or ():
            alive.heard = time.monotonic()
            if line.startswith("{"):
                said = json.loads(line)
                first = said["batch"] + self._workers
                self._take(said)
            else:
                number = int(line)
        if worker.wait():
            with self._lock:
                self._fail(number, "", f"the worker ended with {worker.returncode}")
            first = number // _BATCH + self._workers
        return first

    def _take(self, said: dict[str, Any]) -> None:
        with self._lock:
            for name in ("files", "ingested", "bytes", "lines", "problems", "unknown", "cpu_s"):
                self._sums[name] += said[name]
            self._sources.update(said["by_source"])
            self._kinds.update(said["kinds"])
            for number, source, what in said["failures"]:
                self._fail(number, source, what)
            self._peak_mb = max(self._peak_mb, said["peak_mb"])
            if said["slowest_s"] > self._slowest_s:
                self._slowest_s, self._slowest = said["slowest_s"], said["slowest"]
            if time.monotonic() - self._shown > 15:
                self._shown = time.monotonic()
                self._show()

    def _fail(self, number: int, source: str, what: str) -> None:
        self._failures.append((number, source, what))
        if len(self._failures) <= _SHOWN:
            print(f"FAILED: --seed {self._seed} --only {number}  {source}: {what}", flush=True)  # noqa: T201

    def _show(self) -> None:
        sums, took = self._sums, time.monotonic() - self._began
        said = (
            f"{sums['files']:>9,} files ({sums['bytes'] / 1e6:,.0f} MB)",
            f"{sums['lines']:,} read + {sums['problems']:,} refused",
            f"{sums['unknown']:,} files known to none",
            f"{sums['ingested']:,} files ingested",
            f"{len(self._failures)} failures",
            f"peak {self._peak_mb:.0f} MB",
            f"slowest {self._slowest_s:.2f} s (file {self._slowest})",
            f"{took:.0f} s",
        )
        print("  ".join(said), flush=True)  # noqa: T201

    def _report(self) -> None:
        for source, count in sorted(self._sources.items()):
            print(f"  {source:<22}{count:>9,} files")  # noqa: T201
        print(f"{len(self._kinds)} kinds of problems; reading took {self._sums['cpu_s']:.0f} s")  # noqa: T201
        numbers = [number for number, _, _ in sorted(self._failures)]
        print(f"{len(numbers)} failures {numbers[:_SHOWN]}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
