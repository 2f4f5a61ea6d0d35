"""What a system spends on its accounts, most of it long after the reply.

Clearbar's supervisor moves what the journals say into the ledger now and then, and always before it
ends. So two gateways are started and ended: one serves a single request in between, the other many.
What the end of the second costs more, and what its supervisor spent meanwhile, is divided by its
requests. Against one that serves nothing, each request of a short run would be charged with what
is done once: a gateway that has something to charge loads its price book and opens its ledger.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from gateway_bench.accounts import spent
from gateway_bench.drive import Cell
from gateway_bench.processes import Absent

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from gateway_bench.drive import Driver
    from gateway_bench.systems import System

_LOAD: Final = Cell("accounts", 64)


def later_us(begin: Callable[[], System], driver: Driver, seconds: int) -> float:
    """Return the CPU time of the first process for each request, with what it does at its end."""
    alone = begin()
    driver.ask_once(alone, _LOAD)
    end_alone_s = _end(_process_of(alone))
    system = begin()
    process = _process_of(system)
    warm = driver.measure(system, _LOAD, 1)
    before = spent(process.pid).by_process[process.pid]
    sample = driver.measure(system, _LOAD, seconds)
    meanwhile_s = spent(process.pid).by_process[process.pid] - before
    end_s = _end(process)
    if not sample.requests:
        raise Absent(f"{system.name} answers nothing: {sample.what}")
    at_end_s = (end_s - end_alone_s) / (warm.requests + sample.requests)
    return (meanwhile_s / sample.requests + at_end_s) * 1e6


def _process_of(system: System) -> subprocess.Popen[bytes]:
    if system.process is None:
        raise ValueError(f"{system.name} has no process")
    return system.process


def _end(process: subprocess.Popen[bytes]) -> float:
    """End a gateway; return the CPU seconds that its end took, over all of its processes."""
    before = sum(spent(process.pid).by_process.values())
    process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdin is not None:
        process.stdin.close()
    return usage.ru_utime + usage.ru_stime - before
