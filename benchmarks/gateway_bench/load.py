"""Clients in one process: replies and streams one after another on each connection, or silence.

    python load.py PLAN.json

What is in PLAN is `Plan`. It prints one line of JSON, `Found`. A connection sends its next request
when the last reply is whole, or, with a rate, when its turn has come. At the end no request is
broken off, so that what the gateway spent is of whole requests. With `hold_s` each connection sends
one request and then waits: `open` is printed when every reply has begun, and an end of standard
input ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAIN_S: Final = 60.0
"""Longest wait for what is in flight at the end."""


@dataclass(slots=True)
class Plan:
    """What to ask, of whom, how often."""

    host: str
    port: int
    requests: list[str]
    """Head and body of each, as Latin-1; they take turns."""
    connections: int
    seconds: float
    streamed: bool
    last: str
    """What the end of a whole stream holds."""
    rate: float = 0.0
    """Requests a second over all connections; 0: as fast as replies come."""
    spread_s: float = 0.0
    """Over which the first requests are spread, so that streams do not begin all at once."""
    hold: bool = False
    """Open streams that say nothing, and keep them."""


@dataclass(slots=True)
class Found:
    """What came back."""

    requests: int = 0
    failed: int = 0
    seconds: float = 0.0
    what: str = ""
    """The first failure."""
    first_us: list[int] = field(default_factory=list)
    """From the request to the first byte of the body, of each request."""
    whole_us: list[int] = field(default_factory=list)
    """To its last."""


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, plan: Plan, requests: Iterator[bytes], found: Found, pace_s: float) -> None:
        self._plan = plan
        self._requests = requests
        self._found = found
        self._pace_s = pace_s
        self._last = plan.last.encode()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._total = 0
        self._begun_s = 0.0
        self._first_s = 0.0
        self._due_s = 0.0
        self.busy = False
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def start(self, due_s: float) -> None:
        """Send the first request when it is due."""
        self._due_s = due_s
        self._loop.call_later(max(0.0, due_s - perf_counter()), self.send)

    def send(self) -> None:
        """Send a request."""
        if self.stopping or self.busy:
            return
        if self._transport is None or self._transport.is_closing():
            self._loop.create_task(self._again())
            return
        self._data, self._total, self._first_s = b"", 0, 0.0
        self.busy = True
        self._begun_s = perf_counter()
        self._transport.write(next(self._requests))

    async def _again(self) -> None:
        try:
            await self._loop.create_connection(lambda: self, self._plan.host, self._plan.port)
        except OSError as error:
            self._fail(str(error))
            return
        self.send()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a reply; note the first byte of its body and its end."""
        if not self.busy:
            return
        now = perf_counter()
        self._data = data if not self._data else self._data + data
        if not self._first_s:
            end = self._data.find(b"\r\n\r\n")
            if end < 0 or len(self._data) == end + 4:
                return
            self._first_s = now
            self._read_head(end)
        if self._whole(data):
            self._note(now)

    def _read_head(self, end: int) -> None:
        at = self._data[:end].lower().find(b"\r\ncontent-length:")
        if at >= 0:
            self._total = end + 4 + int(self._data[at + 17 : end].split(b"\r\n", 1)[0])

    def _whole(self, piece: bytes) -> bool:
        if self._total:
            return len(self._data) >= self._total
        return piece.endswith(b"0\r\n\r\n") or self._data.endswith(b"0\r\n\r\n")

    def _note(self, now: float) -> None:
        found = self._found
        self.busy = False
        if b" 200" not in self._data[:13] or (self._last not in self._data[-600:]):
            self._fail(self._data[:300].decode("latin-1"))
            return
        found.requests += 1
        found.first_us.append(round((self._first_s - self._begun_s) * 1e6))
        found.whole_us.append(round((now - self._begun_s) * 1e6))
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        if not self._pace_s:
            self.send()
            return
        self._due_s = max(self._due_s + self._pace_s, now)
        self._loop.call_later(self._due_s - now, self.send)

    def _fail(self, what: str) -> None:
        self.busy = False
        self._found.failed += 1
        self._found.what = self._found.what or what
        self._loop.call_later(0.05, self.send)

    def connection_lost(self, exc: Exception | None) -> None:
        """Send the next request on another connection; one in flight has failed."""
        self._transport = None
        if self.busy and not self.stopping:
            self._fail(f"the connection was closed: {exc}")

    @property
    def begun(self) -> bool:
        """Whether the reply in turn has begun."""
        return bool(self._data)

    def close(self) -> None:
        """Hang up."""
        self.stopping = True
        if self._transport is not None:
            self._transport.close()


async def run(plan: Plan) -> Found:
    """Carry out the plan."""
    loop, found = asyncio.get_running_loop(), Found()
    requests = cycle([each.encode("latin-1") for each in plan.requests])
    pace_s = plan.connections / plan.rate if plan.rate else 0.0
    clients = [Client(plan, requests, found, pace_s) for _ in range(plan.connections)]
    begin = perf_counter()
    for at, client in enumerate(clients):
        client.start(begin + (pace_s or plan.spread_s) * at / len(clients))
    if plan.hold:
        await _hold(clients)
    else:
        await asyncio.sleep(plan.seconds)
        for client in clients:
            client.stopping = True
        give_up = loop.time() + DRAIN_S
        while any(client.busy for client in clients) and loop.time() < give_up:  # noqa: ASYNC110 - rare
            await asyncio.sleep(0.005)
        found.failed += sum(client.busy for client in clients)
    found.seconds = perf_counter() - begin
    for client in clients:
        client.close()
    await asyncio.sleep(0.05)
    return found


async def _hold(clients: list[Client]) -> None:
    give_up = perf_counter() + DRAIN_S
    while not all(client.begun for client in clients) and perf_counter() < give_up:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    print(json.dumps({"open": sum(client.begun for client in clients)}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    chosen = Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    print(json.dumps(asdict(uvloop.run(run(chosen)))), flush=True)
