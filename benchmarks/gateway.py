"""The gateway beside others: CPU time, added time, first streamed bytes, memory of idle streams.

    python benchmarks/gateway.py [--quick] [--only NAME,...] [--json]

All systems run at once, each on the first core; the upstream and the load are on the second. Cells
take turns over the systems, several rounds, and the medians of the rounds count. CPU time is user
and system time of all processes of a system, by their clocks, with what is done after the reply.
Linux only. nginx and wrk come from the machine; LiteLLM, TensorZero and Portkey from their
registries, as pinned, once, into build/peers. What is missing is named with the reason.

"clearbar-process" has written its lines when a reply ends, so that they outlive a kill of all its
processes; the limits are its own. "clearbar" waits for the disk besides, as it does by default:
what it acknowledged outlives a crash of the machine too. It is held against the limits for
comparison.

Run it with a Python as distributions build it (make PYTHON=/usr/bin/python3): one that was built
without --enable-optimizations takes nearly twice the time.

Ratios mean something; the microseconds in brackets are of this machine and this hour. Exit 1 when a
limit is broken, or cannot be judged because Clearbar or nginx is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway_bench import peers, systems
from gateway_bench.afterwards import later_us
from gateway_bench.drive import Cell, Driver
from gateway_bench.processes import LOAD_CORE, Absent, free_port, start, stop, wait_for_port
from gateway_bench.report import Result, as_json, lines, verdicts
from gateway_bench.systems import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway_bench.systems import System

SYSTEMS: Final[dict[str, Callable[[Site], System]]] = {
    "direct": systems.direct,
    "nginx": systems.nginx,
    "clearbar": systems.clearbar,
    "clearbar-process": partial(systems.clearbar, name="clearbar-process", durability="process"),
    "tensorzero": peers.tensorzero,
    "portkey": peers.portkey,
    "litellm": peers.litellm,
}


@dataclass(frozen=True, slots=True)
class Course:
    """How much is measured."""

    cells: tuple[Cell, ...]
    rounds: int
    seconds: int
    idle: int
    """Silent streams."""


_PACED: Final = Cell("paced", 16, rate=100.0)
QUICK: Final = Course(
    (
        Cell("replies", 1),
        Cell("replies", 64),
        Cell("replies", 16, size=100 * 1024),
        Cell("streams", 64, streamed=True, pace="gaps"),
        _PACED,
    ),
    rounds=2,
    seconds=1,
    idle=200,
)
FULL: Final = Course(
    (
        *(Cell("replies", at) for at in (1, 16, 64, 256)),
        *(Cell("replies", at, size=100 * 1024) for at in (1, 16, 64, 256)),
        *(Cell("streams", at, streamed=True, pace="gaps") for at in (1, 16, 64, 256)),
        Cell("streams", 16, size=100 * 1024, streamed=True, pace="gaps"),
        Cell("streams at once", 64, streamed=True),
        Cell("messages", 64, api="messages"),
        Cell("message streams", 64, api="messages", streamed=True, pace="gaps"),
        _PACED,
    ),
    rounds=3,
    seconds=2,
    idle=1000,
)


def main() -> None:
    """Run the course and print what it found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="in less than two minutes")
    parser.add_argument("--only", default="", help="these, beside direct and nginx")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
        sys.exit("this needs Linux and two cores")
    os.sched_setaffinity(0, {LOAD_CORE})
    names = {"direct", "nginx", *chosen.only.split(",")} if chosen.only else {*SYSTEMS}
    course = QUICK if chosen.quick else FULL
    result = run(course, chosen.rounds or course.rounds, [n for n in SYSTEMS if n in names])
    print(as_json(result) if chosen.json else "\n".join(lines(result)))
    sys.exit(not all(each.holds for each in verdicts(result)))


def run(course: Course, rounds: int, names: list[str]) -> Result:
    """Start all, take the turns, end all."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        result, driver = Result(course.seconds, rounds), Driver(folder)
        site = _upstream(folder, ends)
        found = _started(names, site, result, ends)
        for system in found:
            _prepare(driver, system, site, course, result)
        for turn in range(rounds):
            at = turn % len(found)
            order = [each for each in found[at:] + found[:at] if turn % each.every == 0]
            for cell in course.cells:
                _turn(driver, cell, order, result)
            print(f"round {turn + 1} of {rounds} is done", file=sys.stderr)
        return result


def _upstream(folder: Path, ends: ExitStack) -> Site:
    log, port = folder / "upstream.log", free_port()
    mock = Path(systems.__file__).with_name("mock.py")
    upstream = start([sys.executable, mock, str(port)], LOAD_CORE, log)
    ends.callback(stop, upstream)
    wait_for_port(port, upstream, log, 10)
    return Site(folder, port)


def _started(names: list[str], site: Site, result: Result, ends: ExitStack) -> list[System]:
    """Start all systems at once."""
    found = []
    with ThreadPoolExecutor(len(names)) as starting:
        begun = {name: starting.submit(SYSTEMS[name], site) for name in names}
    for name, each in begun.items():
        try:
            system = each.result()
        except (Absent, OSError, subprocess.SubprocessError) as why:
            result.absent[name] = str(why)
            continue
        if system.process is not None:
            ends.callback(stop, system.process)
        result.systems[name] = (system.version, system.note)
        found.append(system)
    return found


def _prepare(driver: Driver, system: System, site: Site, course: Course, result: Result) -> None:
    """Warm a system up, and measure what is measured once."""
    for streamed in (False, True):
        driver.measure(system, Cell("warm-up", 16, streamed=streamed), course.seconds)
    if (idle := driver.idle_mb(system, course.idle)) is not None:
        result.idle[system.name] = idle
    if system.accounts_later:
        begin = partial(SYSTEMS[system.name], site)
        system.later_us = later_us(begin, driver, 4 * course.seconds)
        result.later_us[system.name] = system.later_us


def _turn(driver: Driver, cell: Cell, order: list[System], result: Result) -> None:
    for system in order:
        if (cell.api, cell.streamed) in system.ways:
            result.add(cell, system.name, driver.measure(system, cell, result.seconds))


if __name__ == "__main__":
    main()
