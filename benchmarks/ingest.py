"""One gigabyte of agent logs into the ledger, beside ccusage, which only sums them.

    python benchmarks/ingest.py [--mb N]

Each case is another mix of lines; see agent_logs.py. `clearbar spend add` (a fresh workspace, the
whole process) and ccusage's native program (offline, JSON) take turns, three each, on the same
files. CPU seconds are user and system time over all threads; the ratio is of the best turns, and
behind it stands the one of the medians. ccusage comes from npm, once, into build/.

Fails when its totals are not the true ones, when it takes 300 MB of memory or more, or, from a
gigabyte on, more CPU time than ccusage. Of fewer logs, making the fresh workspace takes the most.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from agent_logs import Logs, bare, one_line_a_call, with_text, write_logs
from measure import Cost, measured

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = {"with text": with_text, "text removed": bare, "one line a call": one_line_a_call}
TURNS = 3
FULL_BYTES = 950_000_000
MAX_RATIO = 1.0
MAX_PEAK_MB = 300
CCUSAGE = "20.0.24"
_CACHE = Path(__file__).parents[1] / "build" / f"ccusage-{CCUSAGE}"
_CLEARBAR = Path(sys.executable).with_name("clearbar")

Read = tuple[Cost, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the turns of one case gave."""

    logs: Logs
    ours: list[Read]
    theirs: list[Read]

    @property
    def ratio(self) -> float:
        """Our best CPU time over theirs."""
        return min(_cpu_s(self.ours)) / min(_cpu_s(self.theirs))

    @property
    def problems(self) -> list[str]:
        """Which limits are broken."""
        peak = max(cost.peak_mb for cost, _ in self.ours)
        wrong = [tokens for _, tokens in self.ours if tokens != self.logs.tokens]
        slow = self.logs.size >= FULL_BYTES and self.ratio > MAX_RATIO
        said = [f"ratio {self.ratio:.2f} > {MAX_RATIO}"] if slow else []
        said += [f"{peak:.0f} MB >= {MAX_PEAK_MB} MB"] if peak >= MAX_PEAK_MB else []
        return said + [f"totals {tokens} are not {self.logs.tokens}" for tokens in wrong]


def installed_ccusage() -> Path:
    """Return ccusage's native program; it is installed first where it is not yet."""
    system = {"Linux": "linux", "Darwin": "darwin"}[platform.system()]
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x64"
    program = _CACHE / f"node_modules/@ccusage/ccusage-{system}-{machine}/bin/ccusage"
    if not program.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        package = f"ccusage@{CCUSAGE}"
        subprocess.run(["npm", "install", *options, "--prefix", _CACHE, package], check=True)
    program.chmod(0o755)
    return program


def clearbar_read(folder: Path) -> Read:
    """Read the logs into a fresh workspace; return its cost and the ledger's totals."""
    workspace, output = folder / "workspace", folder / "clearbar.json"
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir()
    (workspace / "clearbar.toml").touch()
    verb: list[str | Path] = [_CLEARBAR, "--workspace", workspace, "spend"]
    cost = measured([*verb, "add", folder / "projects", "--json"], output)
    measured([*verb, "all", "--json"], output)
    total = json.loads(output.read_bytes())["total"]
    names = ("input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
    return cost, tuple(total[name] for name in names)


def ccusage_read(program: Path, folder: Path) -> Read:
    """Let ccusage sum the logs; return its cost and its totals."""
    output = folder / "ccusage.json"
    command: list[str | Path] = [program, "claude", "daily", "--json", "--offline"]
    cost = measured(command, output, CLAUDE_CONFIG_DIR=str(folder))
    total = json.loads(output.read_bytes())["totals"]
    names = ("inputTokens", "cacheCreationTokens", "cacheReadTokens", "outputTokens")
    return cost, tuple(total[name] for name in names)


def run(program: Path, shape: Callable[[Any], Any], size: int) -> Outcome:
    """Write the logs of a case and let both read them in turn."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        logs = write_logs(folder / "projects", size, shape)
        turns = [(clearbar_read(folder), ccusage_read(program, folder)) for _ in range(TURNS)]
    return Outcome(logs, [ours for ours, _ in turns], [theirs for _, theirs in turns])


def show(name: str, outcome: Outcome) -> None:
    """Print one case."""
    logs = outcome.logs
    print(f"{name}: {logs.size / 1e6:,.0f} MB, {logs.lines:,} lines, {logs.calls:,} calls")
    for who, reads in (("clearbar", outcome.ours), ("ccusage", outcome.theirs)):
        right = all(tokens == logs.tokens for _, tokens in reads)
        peak = max(cost.peak_mb for cost, _ in reads)
        print(
            f"  {who:<9}{min(_cpu_s(reads)):>7.2f} CPU s best{median(_cpu_s(reads)):>8.2f} median"
            f"{peak:>7.0f} MB peak  totals {'right' if right else 'WRONG'}"
        )
    middle = median(_cpu_s(outcome.ours)) / median(_cpu_s(outcome.theirs))
    print(f"  ratio{outcome.ratio:>11.2f} (medians {middle:.2f})", flush=True)
    for problem in outcome.problems:
        print(f"  BROKEN: {problem}")


def _cpu_s(reads: list[Read]) -> list[float]:
    return [cost.cpu_s for cost, _ in reads]


def main() -> None:
    """Run all cases; exit 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mb", type=int, default=1000)
    size = parser.parse_args().mb * 1_000_000
    program = installed_ccusage()
    broken = False
    for name, shape in CASES.items():
        outcome = run(program, shape, size)
        show(name, outcome)
        broken |= bool(outcome.problems)
    sys.exit(broken)


if __name__ == "__main__":
    main()
