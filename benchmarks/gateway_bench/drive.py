"""One cell: a load on a system, with what the system spent meanwhile.

wrk makes the load where speed counts; the generator of load.py, which breaks no request off and
sees first bytes, for streams with gaps, for paced requests and for systems that are slow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final

from gateway_bench.accounts import memory_mb, spent
from gateway_bench.bodies import EVENTS, GAP_S, asked
from gateway_bench.load import Plan
from gateway_bench.processes import LOAD_CORE

if TYPE_CHECKING:
    from gateway_bench.bodies import Api, Pace
    from gateway_bench.systems import System

_LOAD: Final = Path(__file__).with_name("load.py")
_ENDS: Final[dict[tuple[Api, bool], str]] = {
    ("chat", False): "usage",
    ("chat", True): "[DONE]",
    ("messages", False): "usage",
    ("messages", True): "message_stop",
}
_STEADY_MB: Final = 0.5
_WRK: Final = """\
wrk.method = "POST"
%(headers)s
local requests, last = {}, 0
init = function()
  for at, path in ipairs({%(bodies)s}) do
    local file = io.open(path, "rb")
    requests[at] = wrk.format(nil, nil, nil, file:read("*a"))
    file:close()
  end
end
request = function()
  last = last %% #requests + 1
  return requests[last]
end
done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\\n{"requests": %%d, "failed": %%d, "p50": %%d, "p99": %%d}\\n',
    summary.requests, failed, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is asked, and by how many at once."""

    name: str
    connections: int
    size: int = 1024
    api: Api = "chat"
    streamed: bool = False
    pace: Pace = "now"
    rate: float = 0.0
    """Requests a second; 0: each connection as fast as it can."""

    @property
    def label(self) -> str:
        """Its name and size, for people."""
        rate = f", {self.rate:.0f} a second" if self.rate else ""
        return f"{self.name}, {self.size // 1024} KB, {self.connections} connections{rate}"


@dataclass(slots=True)
class Sample:
    """What one run of a cell gave."""

    requests: int
    failed: int
    cpu_us: float | None
    """Of all processes of the system, for each request; None where there is no system."""
    p50_us: float
    p99_us: float
    first_us: list[int] = field(default_factory=list)
    """From the request to the first byte of the reply's body; of load.py only."""
    whole_us: list[int] = field(default_factory=list)
    what: str = ""
    """The first failure."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Makes loads."""

    folder: Path
    wrk: str | None = field(default_factory=lambda: shutil.which("wrk"))

    def measure(self, system: System, cell: Cell, seconds: int) -> Sample:
        """Run one cell on one system."""
        exact = cell.pace != "now" or cell.rate or system.slow or self.wrk is None
        load = self._load if exact else self._wrk
        if system.process is None:
            return load(system, cell, seconds)
        root = system.process.pid
        before = spent(root)
        sample = load(system, cell, seconds)
        used = spent(root).since(before, but=root if system.accounts_later else None)
        if sample.requests:
            sample.cpu_us = used / sample.requests * 1e6 + system.later_us
        return sample

    def ask_once(self, system: System, cell: Cell) -> None:
        """Send a single request, and wait for its whole reply."""
        way = system.ways[cell.api, cell.streamed]
        bodies, headers = self._requests(system, cell)
        with closing(HTTPConnection("127.0.0.1", way.port, timeout=30)) as connection:
            connection.request("POST", way.path, bodies[0], headers)
            connection.getresponse().read()

    def _requests(self, system: System, cell: Cell) -> tuple[list[bytes], dict[str, str]]:
        way = system.ways[cell.api, cell.streamed]
        bodies = asked(cell.api, way.model, cell.size, stream=cell.streamed, pace=cell.pace)
        return bodies, {"content-type": "application/json", **way.headers}

    def _wrk(self, system: System, cell: Cell, seconds: int) -> Sample:
        way = system.ways[cell.api, cell.streamed]
        bodies, headers = self._requests(system, cell)
        script = self.folder / "wrk.lua"
        kept = [self.folder / f"wrk-body-{at}" for at in range(len(bodies))]
        for path, body in zip(kept, bodies, strict=True):
            path.write_bytes(body)
        lines = (f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in headers.items())
        paths = ", ".join(json.dumps(str(path)) for path in kept)
        values = {"bodies": paths, "headers": "\n".join(lines)}
        script.write_text(_WRK % values)
        said = subprocess.run(
            [
                *("taskset", "-c", str(LOAD_CORE), str(self.wrk), "-t1", f"-c{cell.connections}"),
                *(f"-d{seconds}s", "--timeout=30s", "-s", str(script)),
                f"http://127.0.0.1:{way.port}{way.path}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(said.stdout.strip().splitlines()[-1])
        what = "wrk counts failures" if found["failed"] else ""
        requests = found["requests"] - found["failed"]
        return Sample(requests, found["failed"], None, found["p50"], found["p99"], what=what)

    def _load(self, system: System, cell: Cell, seconds: int) -> Sample:
        said = subprocess.run(
            self._command(self._plan(system, cell, seconds)),
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(said.stdout.strip().splitlines()[-1])
        p50, p99 = percentiles(found["whole_us"])
        return Sample(
            found["requests"],
            found["failed"],
            None,
            p50,
            p99,
            found["first_us"],
            found["whole_us"],
            found["what"],
        )

    def _plan(self, system: System, cell: Cell, seconds: int) -> Plan:
        way = system.ways[cell.api, cell.streamed]
        bodies, headers = self._requests(system, cell)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {way.path} HTTP/1.1\r\nhost: 127.0.0.1:{way.port}\r\n{lines}"
        whole = [
            f"{head}content-length: {len(body)}\r\n\r\n{body.decode('latin-1')}" for body in bodies
        ]
        end = _ENDS[cell.api, cell.streamed]
        return Plan(
            "127.0.0.1",
            way.port,
            whole,
            cell.connections,
            seconds,
            cell.streamed,
            end,
            min(cell.rate, system.most_rate),
            EVENTS * GAP_S if cell.pace == "gaps" else 0.0,
        )

    def _command(self, plan: Plan) -> list[str]:
        kept = self.folder / "plan.json"
        kept.write_text(json.dumps(asdict(plan)))
        return ["taskset", "-c", str(LOAD_CORE), sys.executable, str(_LOAD), str(kept)]

    def idle_mb(self, system: System, streams: int) -> tuple[int, float] | None:
        """Return how many silent streams could be opened, and the megabytes that they take."""
        if system.process is None:
            return None
        cell = Cell("idle", streams, streamed=True, pace="idle")
        plan = replace(self._plan(system, cell, 0), hold=True)
        before = _settled_mb(system.process.pid)
        holding = subprocess.Popen(
            self._command(plan), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with holding:
            said = "" if holding.stdout is None else holding.stdout.readline()
            opened: dict[str, Any] = json.loads(said or '{"open": 0}')
            taken = _settled_mb(system.process.pid) - before
            holding.communicate()
        return int(opened["open"]), taken


def _settled_mb(root: int) -> float:
    """Return the memory of a tree once it hardly changes."""
    found = memory_mb(root)
    for _ in range(20):
        time.sleep(0.5)
        before, found = found, memory_mb(root)
        if abs(found - before) < _STEADY_MB:
            break
    return found


def percentiles(values: list[int]) -> tuple[float, float]:
    """Return the median and the 99th percentile; of fewer than two values, that value."""
    if len(values) < 2:
        return (float(values[0]),) * 2 if values else (0.0, 0.0)
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]
