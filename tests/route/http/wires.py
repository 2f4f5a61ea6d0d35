"""Both ends for tests of the transports: raw clients, raw upstreams, on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from clearbar.route.http.front import Front, keep_time
from clearbar.route.http.limits import Limits, UpstreamLimits
from clearbar.route.http.upstream import Broken, Origin, Patience, Upstreams

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from typing import Any, TypeVar

    from clearbar.route.http.message import Handler, Reply, Request
    from clearbar.route.http.upstream import Asking

    T = TypeVar("T")
    Run = Callable[[Coroutine[Any, Any, None]], None]

SWEEP_S = 0.02
PATIENT = Patience(5.0, 5.0, 5.0, 9.0)


def greet(request: Request, reply: Reply) -> None:
    """Answer with the method, the target and the length of the body."""
    said = f"{request.method} {request.path} {len(request.body)}"
    reply.send(200, [(b"content-type", b"text/plain")], said.encode())


@dataclass
class Door:
    """A running server side."""

    port: int
    fronts: set[Front]
    requests: list[Request] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def tell(self, data: bytes) -> bytes:
        """Return all that is answered to `data` until the connection ends."""
        client = await self.connect()
        client.send(data)
        return await client.rest()


@dataclass
class Client:
    """A raw client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def reply(self) -> tuple[bytes, bytes]:
        """Return the head and the body of a reply with a length."""
        head = await self.head()
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        pieces = []
        with suppress(ConnectionError):
            while piece := await self.reader.read(2**16):
                pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self.writer.close()

    def pause(self) -> None:
        """Read nothing more from the network."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    def read_on(self) -> None:
        cast("asyncio.Transport", self.writer.transport).resume_reading()


@asynccontextmanager
async def door(
    handler: Handler = greet, limits: Limits | None = None, *, sweep_s: float = SWEEP_S
) -> AsyncIterator[Door]:
    loop = asyncio.get_running_loop()
    fronts: set[Front] = set()
    opened = Door(0, fronts)

    def handle(request: Request, reply: Reply) -> None:
        opened.requests.append(request)
        opened.replies.append(reply)
        handler(request, reply)

    limits = limits or Limits()
    server = await loop.create_server(lambda: Front(handle, limits, fronts), "127.0.0.1", 0)
    sweep = keep_time(fronts, loop, sweep_s)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        sweep.close()
        server.close()
        for client in opened.clients:
            client.writer.transport.abort()
        for front in list(fronts):
            front.abort()
        await until(lambda: not fronts)
        await server.wait_closed()


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.broken: Broken | None = None
        self.ended = False
        self.began = asyncio.Event()
        self.over = asyncio.Event()
        self.calls: list[str] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.calls.append("head")
        self.status, self.headers = status, headers
        self.began.set()

    def on_body(self, piece: bytes) -> None:
        self.calls.append("body")
        self.pieces.append(piece)

    def on_end(self) -> None:
        self.calls.append("end")
        self.ended = True
        self.over.set()

    def on_broken(self, broken: Broken) -> None:
        self.calls.append("broken")
        self.broken = broken
        self.over.set()


@dataclass
class Lab:
    """The upstream side, and a scripted upstream."""

    upstreams: Upstreams
    origin: Origin
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    def ask(
        self,
        body: bytes = b"{}",
        patience: Patience = PATIENT,
        *,
        method: str = "POST",
        origin: Origin | None = None,
        heard: Heard | None = None,
    ) -> tuple[Heard, Asking]:
        heard = heard or Heard()
        origin = origin or self.origin
        head = f"{method} /v1/chat HTTP/1.1\r\nhost: {origin.host}:{origin.port}\r\n"
        head += f"content-length: {len(body)}\r\n\r\n"
        return heard, self.upstreams.ask(origin, head.encode(), body, heard, patience)

    async def hear(self, body: bytes = b"{}", patience: Patience = PATIENT) -> Heard:
        """Ask, and return what was heard once it is over."""
        heard, _ = self.ask(body, patience)
        await heard.over.wait()
        return heard


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return the body of one request; its head is dropped."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


def always(answer: bytes, *, close: bool = False) -> Any:
    """Return a script that gives the same bytes to each request."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
            if close:
                return

    return script


@asynccontextmanager
async def lab(
    script: Any,
    limits: UpstreamLimits | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Lab]:
    """Run a script for each connection to a scripted upstream; it ends with the connection."""
    connections: list[asyncio.StreamWriter] = []
    scripts: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        task = asyncio.current_task()
        assert task is not None
        scripts.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            scripts.discard(task)
            writer.close()

    server = await asyncio.start_server(play, "127.0.0.1", 0, limit=2**24, ssl=tls)
    loop = asyncio.get_running_loop()
    limits = limits or UpstreamLimits(sweep_s=SWEEP_S)
    upstreams = Upstreams(loop, environment or {}, limits)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Lab(upstreams, Origin(tls is not None, host, port), connections)
    finally:
        await upstreams.close()
        server.close()
        for task in list(scripts):
            task.cancel()
        await asyncio.gather(*scripts, return_exceptions=True)
        await server.wait_closed()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something holds; the test's own time limit ends the wait."""
    while not true():  # noqa: ASYNC110 - of anything, also of what no event tells
        await asyncio.sleep(0.002)


def reply_of(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)
