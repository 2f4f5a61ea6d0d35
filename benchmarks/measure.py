"""What a command costs: CPU seconds over all threads and children, and its peak memory.

    python benchmarks/measure.py COMMAND...

A child's peak memory is never below what its parent held when it started it. So a benchmark, which
may hold much itself, has each command started by a fresh interpreter that runs this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_PEAK_UNITS_PER_MB = 1e6 if sys.platform == "darwin" else 1e6 / 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command cost."""

    cpu_s: float
    peak_mb: float


def measured(command: list[str | Path], output: Path, **environment: str) -> Cost:
    """Run a command, its standard output into a file; return what it cost."""
    launcher = [sys.executable, "-I", "-S", __file__, *map(str, command)]
    with output.open("wb") as stdout:
        done = subprocess.run(
            launcher,
            env=os.environ | environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said, _, cost = done.stderr.rstrip().rpartition("\n")
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{said or cost}")
    return Cost(**json.loads(cost))


def _run(command: list[str]) -> tuple[int, dict[str, Any]]:
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / _PEAK_UNITS_PER_MB,
    }
    return process.returncode, cost


def main() -> None:
    """Run the command of the arguments; its cost becomes the last line of standard error."""
    if sys.argv[1:]:
        code, cost = _run(sys.argv[1:])
        print(json.dumps(cost), file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
