"""What a tree of processes has spent of CPU time, and holds of memory. Linux only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds by process, since each began."""

    by_process: dict[int, float]

    def since(self, before: Spent, *, but: int | None = None) -> float:
        """Return the CPU seconds between two looks at a tree, but for one of its processes."""
        return sum(
            cpu_s - before.by_process.get(process, 0.0)
            for process, cpu_s in self.by_process.items()
            if process != but
        )


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (parent := _parent(folder)) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found, ahead = [], [root]
    while ahead:
        process = ahead.pop()
        found.append(process)
        ahead += children.get(process, [])
    return found


def _parent(folder: Path) -> int | None:
    try:
        stat = (folder / "stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def spent(root: int) -> Spent:
    """Look at the CPU clocks of a tree: user and system time of all threads, in nanoseconds."""
    found = {}
    for process in tree(root):
        try:
            found[process] = time.clock_gettime(_clock_of(process))
        except OSError:
            continue
    return Spent(found)


def _clock_of(process: int) -> int:
    """Return the clock of a process, as clock_getcpuclockid(3) makes it on Linux."""
    return (~process << 3) | 2


def memory_mb(root: int) -> float:
    """Return the memory of a tree that is no file's, in megabytes; only differences mean much."""
    return sum(_anonymous_kb(process) for process in tree(root)) / 1024


def _anonymous_kb(process: int) -> int:
    try:
        lines = (_PROC / str(process) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)
