"""Kill -9 of a process that writes a journal, at any moment: what was acknowledged is there, once.

`python -m tests.route.journal.test_journal_crash 100` kills as often as it is told and prints what
it found.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import uvloop
from tests.route.journal.journals import ended, held

from clearbar.core.period import ALL
from clearbar.core.store import Store
from clearbar.route.journal.charges import charge_journal
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import Follower, calls, entries, is_alive
from clearbar.route.journal.writer import Journal
from clearbar.spend.prices.book import PriceBook
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of
from clearbar.spend.storage.ledger import Ledger

KILLS: Final = 12
SEGMENT_BYTES: Final = 64 * 1024
"""So small that processes also die while they go from one segment to the next."""
LONGEST_S: Final = 0.25


async def work(folder: Path, worker: str, seed: int) -> None:
    """Write calls without end; say of each line when it is acknowledged, and of ends when durable.

    A line on stdout: `H`, `E` or `D` and the number of the call. The pipe outlives the process.
    """
    rng = Random(seed)
    opened = Journal(folder, worker, asyncio.get_running_loop(), segment_bytes=SEGMENT_BYTES)
    number, in_flight = 0, list[int]()
    say("S", 0)
    while True:
        for _ in range(rng.randrange(1, 20)):
            opened.append(held(f"{worker}-{number}", labels="|x=" + "y" * rng.randrange(400) + "|"))
            say("H", number)
            in_flight.append(number)
            number += 1
        while len(in_flight) > 8:
            ending = in_flight.pop(rng.randrange(len(in_flight)))
            position = opened.append(ended(f"{worker}-{ending}", upstream_id=""))
            say("E", ending)
            opened.when_durable(position, lambda ending=ending: say("D", ending))  # type: ignore[misc]
        await asyncio.sleep(0)


def say(what: str, number: int) -> None:
    os.write(1, f"{what}{number}\n".encode())


@dataclass
class Figures:
    """What was found over all kills."""

    kills: int = 0
    lines: int = 0
    """Acknowledged."""
    durable: int = 0
    lost: int = 0
    """Acknowledged and not read back."""
    repeated: int = 0
    out_of_order: int = 0
    torn: int = 0
    """Damage that a reader of the journal was told of."""
    told_too_early: int = 0
    """Said to be durable before it was said to be written."""
    followed_wrongly: int = 0
    """Lines that a reader at the same time missed, repeated or made up."""
    killed_in_flight: int = 0
    wrong_charges: int = 0

    @property
    def faults(self) -> int:
        counted = (
            self.lost,
            self.repeated,
            self.out_of_order,
            self.torn,
            self.told_too_early,
            self.followed_wrongly,
            self.wrong_charges,
        )
        return sum(counted)


class Killing:
    """Processes that write a journal each, and are killed."""

    def __init__(self, home: Path, kills: int, rng: Random) -> None:
        self.figures = Figures()
        self._home, self._kills, self._rng = home, kills, rng
        self._folder = home / "journal"
        self._follower = Follower(self._folder)
        self._followed: dict[str, list[bytes]] = {}

    def run(self) -> Figures:
        for number in range(self._kills):
            self._kill_one(f"w{number}", number)
        self._charge()
        return self.figures

    def _kill_one(self, worker: str, seed: int) -> None:
        command = [sys.executable, "-m", "tests.route.journal.test_journal_crash"]
        command += ["work", str(self._folder), worker, str(seed)]
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(command, stdout=output) as process,
        ):
            while not os.fstat(output.fileno()).st_size:
                time.sleep(0.001)
            until = time.monotonic() + self._rng.uniform(0, LONGEST_S)
            while time.monotonic() < until:
                self._follow()
                time.sleep(0.001)
            process.kill()
            assert process.wait() == -9, "it failed by itself"
            assert not is_alive(self._folder, worker)
            output.seek(0)
            said = output.read().split(b"\n")[:-1]
        self.figures.kills += 1
        self._follow()
        self._compare(worker, [line.decode() for line in said])

    def _follow(self) -> None:
        for placed in self._follower.new_entries():
            self._followed.setdefault(placed.worker, []).append(placed.payload)

    def _compare(self, worker: str, said: list[str]) -> None:
        found, problems = self.figures, list[Any]()
        placed = list(entries(self._folder, worker, problems))
        read = [_name(each.entry) for each in placed]
        acknowledged = [line for line in said if line[0] in "HE"]
        found.lines += len(acknowledged)
        found.durable += sum(line[0] == "D" for line in said)
        found.lost += len(set(acknowledged) - set(read))
        found.repeated += len(read) - len(set(read))
        found.out_of_order += read[: len(acknowledged)] != acknowledged
        found.torn += len(problems) + len(self._follower.problems())
        found.killed_in_flight += any(end is None for _, end in calls(self._folder, worker))
        found.followed_wrongly += self._followed.get(worker) != [each.payload for each in placed]
        written: set[str] = set()
        for line in said:
            found.told_too_early += line[0] == "D" and f"E{line[1:]}" not in written
            written.add(line)

    def _charge(self) -> None:
        """Charge all in passes, each of them beside another; compare with the journals."""
        now, expected = datetime(2026, 9, 15, tzinfo=UTC), sum(1 for _ in calls(self._folder))
        with closing(Store(self._home / "facts.db")) as store:
            ledger, book = Ledger(self._home / "ledger"), PriceBook.open(self._home / "prices")
            charged = charge_journal(self._folder, ledger, book, store, now)
            charged += charge_journal(self._folder, ledger, book, store, now)
            usage = total_of(LedgerReading(ledger).by_origin(ALL).values())
            ledger.close()
        self.figures.wrong_charges += abs(charged - expected) + abs(usage.calls - expected)


def _name(entry: object) -> str:
    assert isinstance(entry, Held | Ended)
    number = entry.call_id.rpartition("-")[2]
    return f"H{number}" if isinstance(entry, Held) else f"E{number}"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return Killing(tmp_path_factory.mktemp("killed"), KILLS, Random(5)).run()


@pytest.mark.slow
def test_processes_really_die_while_they_write(figures: Figures) -> None:
    assert figures.kills == KILLS
    assert figures.lines > 100 * KILLS
    assert figures.durable > 0
    assert figures.killed_in_flight > KILLS / 2


@pytest.mark.slow
def test_every_line_that_was_acknowledged_is_read_back_once_and_in_order(figures: Figures) -> None:
    assert (figures.lost, figures.repeated, figures.out_of_order) == (0, 0, 0)


@pytest.mark.slow
def test_no_torn_line_is_read_or_told_of_as_damage(figures: Figures) -> None:
    assert figures.torn == 0


@pytest.mark.slow
def test_who_reads_while_it_is_written_sees_the_same_lines(figures: Figures) -> None:
    assert (figures.followed_wrongly, figures.told_too_early) == (0, 0)


@pytest.mark.slow
def test_every_call_is_one_charge_also_those_that_were_lost(figures: Figures) -> None:
    assert figures.wrong_charges == 0


def main(arguments: list[str]) -> int:
    """Write until killed, or kill as often as the first argument says and print the figures."""
    if arguments[0] == "work":
        _, folder, worker, seed = arguments
        uvloop.run(work(Path(folder), worker, int(seed)))
    with tempfile.TemporaryDirectory() as home:
        figures = Killing(Path(home), int(arguments[0]), Random(1)).run()
    sys.stdout.write(f"{figures}\n")
    return figures.faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
