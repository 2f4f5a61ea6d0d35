"""What a journal costs while it is used: `python -m tests.route.journal.test_journal_cost 10000`.

Prints figures for so many lines a second, with every end of a call waited for.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvloop
from tests.route.journal.journals import ended, held

from clearbar.route.journal import commit
from clearbar.route.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_S: Final = 0.01
"""What a call takes."""


@dataclass
class Figures:
    """Measured over some seconds."""

    lines_per_s: float = 0.0
    append_us: list[float] = field(default_factory=list)
    """CPU time of this thread, of each `append` of a beginning."""
    durable_ms: list[float] = field(default_factory=list)
    commits_per_s: float = 0.0
    commit_thread_share: float = 0.0
    """Of one core."""

    def summary(self) -> dict[str, float]:
        """Return means and quantiles."""
        append, durable = sorted(self.append_us), sorted(self.durable_ms)
        return {
            "lines_per_s": round(self.lines_per_s),
            "append_us_mean": round(sum(append) / len(append), 2),
            "append_us_p50": round(append[len(append) // 2], 2),
            "append_us_p99": round(append[len(append) * 99 // 100], 2),
            "durable_ms_p50": round(durable[len(durable) // 2], 2),
            "durable_ms_p99": round(durable[len(durable) * 99 // 100], 2),
            "commits_per_s": round(self.commits_per_s),
            "commit_thread_share": round(self.commit_thread_share, 4),
        }


async def measure(folder: Path, lines_per_s: int, seconds: float) -> Figures:
    """Write at a steady rate; return what it cost."""
    figures, spent = Figures(), [0, 0.0]
    real = commit.commit

    def counted(batch: Any) -> None:
        real(batch)
        spent[0] += 1
        spent[1] = time.thread_time()

    def waiting(since: float) -> Callable[[], None]:
        return lambda: figures.durable_ms.append((time.perf_counter() - since) * 1e3)

    commit.commit = counted
    try:
        opened = Journal(folder, "w1", asyncio.get_running_loop())
        beginning, end, begun, done, began = held(), ended(), 0, 0, time.perf_counter()
        clock_us = _clock_us()
        while (elapsed := time.perf_counter() - began) < seconds:
            while begun < elapsed * lines_per_s / 2:
                before = time.thread_time_ns()
                opened.append(beginning)
                figures.append_us.append((time.thread_time_ns() - before) / 1e3 - clock_us)
                begun += 1
            while done < (elapsed - CALL_S) * lines_per_s / 2:
                opened.when_durable(opened.append(end), waiting(time.perf_counter()))
                done += 1
            await asyncio.sleep(0.0002)
        figures.lines_per_s = (begun + done) / elapsed
        figures.commits_per_s = spent[0] / elapsed
        figures.commit_thread_share = spent[1] / elapsed
        opened.close()
    finally:
        commit.commit = real
    return figures


def _clock_us() -> float:
    """Return what reading the clock twice takes by itself."""
    before = time.thread_time_ns()
    for _ in range(1000):
        time.thread_time_ns()
    return (time.thread_time_ns() - before) / 1e6


@pytest.mark.slow
def test_a_line_costs_microseconds_and_the_disk_a_small_share_of_a_core(tmp_path: Path) -> None:
    figures = uvloop.run(measure(tmp_path, 10_000, 2.0)).summary()
    assert figures["append_us_p50"] < 10
    assert figures["commit_thread_share"] < 0.3


@pytest.mark.slow
def test_many_lines_share_a_commit(tmp_path: Path) -> None:
    figures = uvloop.run(measure(tmp_path, 10_000, 2.0)).summary()
    assert figures["commits_per_s"] < figures["lines_per_s"] / 5


def main(arguments: list[str]) -> None:
    """Print the figures at the rates that are given."""
    for rate in map(int, arguments):
        with tempfile.TemporaryDirectory() as folder:
            figures = uvloop.run(measure(Path(folder), rate, 5.0)).summary()
        sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
