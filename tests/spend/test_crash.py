"""Kill -9 at any moment: nothing acknowledged is lost, nothing counts twice.

`python -m tests.spend.test_crash 200` kills as often as it is told and prints what it found.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.spend.written_usage import (
    add,
    charges_of,
    charges_told_by,
    make_workspace,
    started,
    write_usage,
)

from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

BATCH_RECORDS: Final = 20
KILLS: Final = 25


@dataclass
class Figures:
    """What was found over all kills."""

    kills: int = 0
    kills_mid_write: int = 0
    """The process had published a part of what it was to add, or was publishing it."""
    finished: int = 0
    """Processes that ended before they were to be killed."""
    charges_acknowledged: int = 0
    """Over all kills, the charges of files that stood as read when the process died."""
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    wrong_ends: int = 0
    """Final runs that did not give the charges of a clean run."""


class Lives:
    """Workspaces that are killed and started again until a process comes through."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.figures = Figures()
        self._folder = folder
        self._rng = rng
        self._paths = write_usage(folder / "usage")
        self._told = {str(path): charges_told_by(path) for path in self._paths}
        self._clean = make_workspace(folder / "clean")
        self._add_all(self._clean)
        self._truth = charges_of(self._clean)
        began = time.monotonic()
        self._add_all(make_workspace(folder / "timed", self._clean))
        self._seconds = time.monotonic() - began

    def kill(self, times: int) -> Figures:
        """Kill so many processes; return what was found."""
        life = 0
        while self.figures.kills < times:
            life += 1
            workspace = make_workspace(self._folder / f"life-{life}", self._clean)
            while self.figures.kills < times and self._one_death(workspace):
                self._check(workspace)
            self._add_all(workspace)
            self._check(workspace)
            self.figures.wrong_ends += charges_of(workspace) != self._truth
        return self.figures

    def _one_death(self, workspace: Path) -> bool:
        """Start one process, or two at once; kill each at a random moment; False if none died."""
        order = self._rng.sample(self._paths, len(self._paths))
        before = _record_files(workspace)
        running = [
            started(add, workspace, order[skip:], BATCH_RECORDS)
            for skip in range(self._rng.choice([1, 1, 2]))
        ]
        for process in running:
            process.join(self._rng.uniform(0, 0.8 * self._seconds))
            process.kill()
        died = [self._buried(process) for process in running]
        staging = workspace / ".clearbar" / "ledger" / "staging"
        left = any(any(staging.glob(f"{process.pid}-*")) for process in running)
        self.figures.kills_mid_write += left or (all(died) and _record_files(workspace) > before)
        return any(died)

    def _buried(self, process: ForkServerProcess) -> bool:
        process.join()
        if process.exitcode == 0:
            self.figures.finished += 1
            return False
        assert process.exitcode == -9, f"it failed by itself with {process.exitcode}"
        self.figures.kills += 1
        return True

    def _add_all(self, workspace: Path) -> None:
        process = started(add, workspace, self._paths, BATCH_RECORDS)
        process.join()
        assert process.exitcode == 0

    def _check(self, workspace: Path) -> None:
        with Workspace(workspace) as opened:
            self.figures.problems += [problem.what for problem in opened.check()]
            read = opened.store.rows("SELECT uri FROM file_read")
        acknowledged = set[str]().union(*(self._told[str(uri)] for [uri] in read))
        found = [row[0] for row in charges_of(workspace)]
        self.figures.charges_acknowledged += len(acknowledged)
        self.figures.lost |= acknowledged - set(found)
        self.figures.doubled |= {charge for charge in found if found.count(charge) > 1}


def _record_files(workspace: Path) -> set[Path]:
    return set((workspace / ".clearbar" / "ledger" / "records").glob("*.parquet"))


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return Lives(tmp_path_factory.mktemp("lives"), Random(7)).kill(KILLS)


@pytest.mark.slow
def test_processes_really_die_while_they_write(figures: Figures) -> None:
    assert figures.kills_mid_write > KILLS / 4


@pytest.mark.slow
def test_no_charge_of_a_file_that_stands_as_read_is_lost(figures: Figures) -> None:
    assert figures.charges_acknowledged > 0
    assert figures.lost == set()


@pytest.mark.slow
def test_no_charge_counts_twice_after_a_crash(figures: Figures) -> None:
    assert figures.doubled == set()


@pytest.mark.slow
def test_the_ledger_is_sound_after_every_crash(figures: Figures) -> None:
    assert figures.problems == []


@pytest.mark.slow
def test_a_run_that_comes_through_ends_as_if_nothing_had_happened(figures: Figures) -> None:
    assert figures.wrong_ends == 0


def main(arguments: list[str]) -> Any:
    """Kill as often as the first argument says; print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Lives(Path(folder), Random(1)).kill(int(arguments[0]))
    sys.stdout.write(f"{figures}\n")
    return len(figures.lost) + len(figures.doubled) + len(figures.problems) + figures.wrong_ends


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
