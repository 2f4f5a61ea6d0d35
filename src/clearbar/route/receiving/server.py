"""Serves `/v1/traces`, `/v1/logs` and `/v1/metrics`, as exporters of OpenTelemetry ask for them."""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, refused
from clearbar.route.http.front import Front, keep_time
from clearbar.route.http.limits import Limits
from clearbar.route.receiving.answers import JSON, PROTOBUF, Answer, refusal
from clearbar.route.receiving.writer import Job, Room, Writer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clearbar.route.http.message import Headers, Reply, Request
    from clearbar.spend.shapes.otel_protobuf import Signal

PATHS: Final[dict[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
}
_MOST_BODY_BYTES: Final = 16 * 2**20
_MOST_CONNECTIONS: Final = 1000
_DRAIN_S: Final = 10.0
_RETRY_S: Final = 5
_TEXT: Final = ((b"content-type", b"text/plain"),)


@dataclass(frozen=True, slots=True)
class ReceivingPlan:
    """What a receiver is started with."""

    folder: Path
    """`.clearbar/received`."""
    listening: socket.socket
    token: str = field(repr=False)
    """What exporters send as `authorization: Bearer ...`; empty for none."""
    ingest: Callable[[Sequence[Path]], None]
    """Reads closed files into the ledger; called in a thread of its own."""
    say: Callable[[str], None]
    room: Room = field(default_factory=Room)


async def run(plan: ReceivingPlan) -> None:
    """Receive until SIGTERM or SIGINT; then answer what is in flight, and read what came.

    Raises:
        ClearbarError: when the folder cannot be written.
    """
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    reading = _Reading(plan)
    try:
        writer = Writer(plan.folder, loop, plan.room, reading.add)
    except OSError as error:
        raise ClearbarError(*refused(plan.folder, error)) from error
    reading.add(*sorted(plan.folder.glob("received-*.jsonl")))
    receiver = Receiver(writer, plan.token)
    server = await loop.create_server(receiver.front, sock=plan.listening)
    sweep = keep_time(receiver.fronts, loop)
    plan.say(f"for OpenTelemetry exporters: http://{_shown(plan.listening)}")
    try:
        await ending.wait()
    finally:
        server.close()
        await _drain(receiver)
        sweep.close()
        closed = await loop.run_in_executor(None, writer.close)
        reading.add(*closed)
        await reading.end()


async def _drain(receiver: Receiver) -> None:
    for front in list(receiver.fronts):
        front.drain()
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _DRAIN_S
    while receiver.fronts and loop.time() < give_up:  # noqa: ASYNC110 - they leave one by one
        await asyncio.sleep(0.02)
    for front in list(receiver.fronts):
        front.abort()


class Receiver:
    """Looks at each request's head, and hands its body to the writer."""

    def __init__(self, writer: Writer, token: str) -> None:
        self.fronts: set[Front] = set()
        self._writer = writer
        self._token = token.encode()
        self._limits = Limits(
            max_body_bytes=_MOST_BODY_BYTES,
            max_connections=_MOST_CONNECTIONS,
            max_gathered_bytes=4 * _MOST_BODY_BYTES,
        )

    def front(self) -> Front:
        """Return the protocol of a new connection."""
        return Front(self.handle, self._limits, self.fronts, self._is_welcome)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer a request, now or when it is on the disk."""
        if request.path == "/healthz":
            reply.send(200, _TEXT, b"ok\n")
            return
        answer = self._refused(request) or self._taken(request, reply)
        if answer is not None:
            reply.send(answer.status, answer.headers, answer.body)

    def _is_welcome(self, headers: Headers) -> bool:
        return self._is_known(dict(headers).get(b"authorization", b""))

    def _is_known(self, header: bytes) -> bool:
        scheme, _, token = header.partition(b" ")
        wanted = hmac.compare_digest(token.strip(), self._token)
        return not self._token or (scheme.lower() == b"bearer" and wanted)

    def _refused(self, request: Request) -> Answer | None:
        """Return why a request is not even looked into; None where it is."""
        is_json = _kind(request) != PROTOBUF
        status, why = self._fault(request)
        if status:
            return refusal(status, why, is_json=is_json)
        if self._writer.lacks_disk:
            why = "the disk has too little room"
            return refusal(503, why, is_json=is_json, retry_after_s=_RETRY_S)
        return None

    def _fault(self, request: Request) -> tuple[int, str]:
        if request.path not in PATHS:
            return 404, "there is no such path; send to /v1/traces or /v1/logs"
        if request.method != "POST":
            return 405, "send it with POST"
        if not self._is_known(request.header(b"authorization") or b""):
            return 401, "send `authorization: Bearer ...` with the token of this receiver"
        if _kind(request) not in (JSON, PROTOBUF):
            return 415, "send application/x-protobuf or application/json"
        if _coding(request) not in (b"", b"identity", b"gzip"):
            return 415, "pack it with gzip, or not at all"
        return 0, ""

    def _taken(self, request: Request, reply: Reply) -> Answer | None:
        is_json = _kind(request) == JSON
        packed = _coding(request) == b"gzip"
        job = Job(reply, PATHS[request.path], request.body, is_json, packed)
        if self._writer.take(job):
            return None
        why = "too much waits for the disk"
        return refusal(429, why, is_json=is_json, retry_after_s=_RETRY_S)


class _Reading:
    """Has closed files read into the ledger, a batch at a time, in a thread of its own."""

    def __init__(self, plan: ReceivingPlan) -> None:
        self._plan = plan
        self._waiting: list[Path] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")

    def add(self, *paths: Path) -> None:
        """Have files read soon."""
        self._waiting += paths
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._read())

    async def end(self) -> None:
        """Read what is left."""
        while self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    await loop.run_in_executor(self._thread, self._plan.ingest, batch)
                except (ClearbarError, OSError) as error:
                    told = error.message if isinstance(error, ClearbarError) else str(error)
                    self._plan.say(f"not read into the ledger, but kept: {told}")
        finally:
            self._task = None


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _kind(request: Request) -> bytes:
    return (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()


def _coding(request: Request) -> bytes:
    return (request.header(b"content-encoding") or b"").strip().lower()


def private(folder: Path) -> Path:
    """Return the folder, made if need be, for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)  # noqa: PTH101
    return folder
