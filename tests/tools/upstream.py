"""A real endpoint on the loopback: both protocols, faults by script, a record of what was asked.

In a test: `with Upstream(answer=lambda body: "yes") as upstream: ... upstream.url`.
As a process of its own, which outlives whoever is killed:
`python -m tests.tools.upstream --port 0 --answers FILE --log FILE --fault 3=status:503`.
It prints its port; the log is append-only, a JSON object for each `asked` and each `answered`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.tools.upstream_bodies import (
    PROTOCOLS,
    Asked,
    Said,
    body_of,
    error_body,
    error_event,
    events_of,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable
    from typing import Self

    from tests.tools.upstream_bodies import Protocol

FaultKind = Literal[
    "delay",  # `seconds`, then the right answer
    "hang",  # no answer, ever
    "reset",  # the connection is reset before an answer; of a stream, in its middle
    "status",  # `status` with the protocol's error body, and `headers`
    "garbage",  # 200, said to be JSON, is not
    "truncated",  # the right head, half of the body or of the events, then closed
    "wrong_type",  # 200 with a page of HTML
    "huge",  # 200 with an answer of `size` bytes
    "error_body",  # 200 with the protocol's error body; in a stream, as an event
    "no_usage",  # the right answer without usage
    "drip",  # the right answer, a piece each `seconds`
    "body",  # 200 with `body` as it stands
    "late_reset",  # the work is done and logged as answered, but the answer is never sent
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request."""

    kind: FaultKind
    seconds: float = 0.05
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 20_000_000
    body: object = None


Faults = Mapping[int, Fault] | Callable[[Asked], Fault | None]
"""By request number from 1, or chosen by the request."""


class Upstream:
    """A server in a thread of its own. `answer` takes the request's JSON and returns text.

    `cached_tokens` are reported as read from a cache with each answer. With `key`, a request
    without it is refused. `usage` stands in the protocol's own words instead of counted words.
    `others` answers other routes, by method and path: a JSON value, or a list of events.
    """

    def __init__(
        self,
        answer: Callable[[Mapping[str, Any]], str] = lambda _: "ok",
        *,
        faults: Faults | None = None,
        cached_tokens: int = 0,
        usage: Callable[[Asked, str], Mapping[str, Any]] | None = None,
        seconds: float = 0.0,
        key: str | None = None,
        others: Mapping[tuple[str, str], Callable[[Any], object]] | None = None,
        log: Path | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        """Every request in the order of arrival."""
        self.answered = 0
        """Requests for which the right answer was made."""
        self.in_flight = 0
        self.most_at_once = 0
        self._answer = answer
        self._faults: Faults = faults or {}
        self._cached_tokens = cached_tokens
        self._usage = usage
        self._seconds = seconds
        self._key = key
        self._others = others or {}
        self.asked_otherwise: list[tuple[str, str, bytes]] = []
        """Method, target and body of the requests for other routes."""
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log else None
        self._run = secrets.token_hex(4)
        self._listening = socket.create_server(("127.0.0.1", port))
        # asyncio sets this only for sockets that name their protocol; else answers wait 40 ms.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/v1"
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        if self._log is not None:
            os.close(self._log)

    @property
    def prompts(self) -> Counter[tuple[str, str]]:
        """(model, input) -> how often it was asked."""
        return Counter((each.model, each.prompt) for each in self.asked)

    @property
    def models(self) -> Counter[str]:
        """Model -> how often it was asked."""
        return Counter(each.model for each in self.asked)

    def wait(self) -> None:
        """Block until the server ends."""
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        server = await asyncio.start_server(
            self._connected, sock=self._listening, limit=2**26, ssl=self._tls
        )
        await self._stopped.wait()
        server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except asyncio.CancelledError:
            writer.transport.abort()  # what is not yet sent would keep the server from closing
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        payload = await reader.readexactly(int(headers.get("content-length", 0)))
        protocol = PROTOCOLS.get(path.partition("?")[0])
        other = self._others.get((method, path.partition("?")[0]))
        if other is not None:
            self.asked_otherwise.append((method, path, payload))
            _send_other(writer, other(json.loads(payload or b"null")))
            return True
        if method != "POST" or protocol is None:
            _send(writer, 404, json.dumps(error_body("openai", 404)).encode())
            return True
        number = len(self.asked) + 1
        asked = Asked(number, protocol, json.loads(payload), headers, time.monotonic())
        self.asked.append(asked)
        self._note("asked", asked)
        self.in_flight += 1
        self.most_at_once = max(self.most_at_once, self.in_flight)
        try:
            return await self._reply(_Exchange(asked, writer))
        finally:
            self.in_flight -= 1

    async def _reply(self, exchange: _Exchange) -> bool:
        asked = exchange.asked
        await asyncio.sleep(self._seconds)
        shown = asked.headers.get("x-api-key") or asked.headers.get("authorization", "")
        if self._key is not None and shown.removeprefix("Bearer ") != self._key:
            exchange.send(401, error_body(asked.protocol, 401))
            return True
        chosen = self._faults
        fault = chosen.get(asked.number) if isinstance(chosen, Mapping) else chosen(asked)
        in_its_middle = asked.body.get("stream") and fault and fault.kind in _IN_A_STREAM
        if fault is not None and fault.kind in _REFUSALS and not in_its_middle:
            return await _REFUSALS[fault.kind](exchange, fault)
        return await self._answer_with(exchange, fault)

    async def _answer_with(self, exchange: _Exchange, fault: Fault | None) -> bool:
        asked, kind = exchange.asked, fault.kind if fault else ""
        if fault is not None and kind == "delay":
            await asyncio.sleep(fault.seconds)
        text = "x" * fault.size if fault and kind == "huge" else self._answer(asked.body)
        usage = self._usage(asked, text) if self._usage else None
        said = Said(
            asked,
            text,
            f"{'msg_' if asked.protocol == 'anthropic' else 'chatcmpl-'}{self._run}{asked.number}",
            self._cached_tokens,
            usage={} if kind == "no_usage" else usage,
        )
        self.answered += 1
        self._note("answered", asked)
        pause = fault.seconds if fault and kind == "drip" else 0.0
        if kind == "late_reset":
            return await _reset(exchange)
        if asked.body.get("stream"):
            return await _stream(exchange, said, kind, pause)
        return await _whole(exchange, said, kind, pause)

    def _note(self, event: str, asked: Asked) -> None:
        if self._log is not None:
            noted = {"event": event, "number": asked.number, "model": asked.model}
            line = json.dumps({**noted, "prompt": asked.prompt, "pid": os.getpid()})
            os.write(self._log, f"{line}\n".encode())


@dataclass(frozen=True, slots=True)
class _Exchange:
    asked: Asked
    writer: asyncio.StreamWriter

    @property
    def protocol(self) -> Protocol:
        return self.asked.protocol

    def send(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        _send(self.writer, status, json.dumps(body).encode(), headers or {})


def _send(
    writer: asyncio.StreamWriter,
    status: int,
    payload: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    fields = {"content-type": "application/json", "content-length": len(payload)}
    writer.write(_head(status, fields | dict(headers or {})) + payload)


def _send_other(writer: asyncio.StreamWriter, said: object) -> None:
    if isinstance(said, list):
        _send(writer, 200, b"".join(said), {"content-type": "text/event-stream"})
    else:
        _send(writer, 200, json.dumps(said).encode())


def _head(status: int, headers: Mapping[str, object]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode()


async def _whole(exchange: _Exchange, said: Said, kind: str, pause: float) -> bool:
    payload, writer = json.dumps(body_of(said)).encode(), exchange.writer
    head = _head(200, {"content-type": "application/json", "content-length": len(payload)})
    writer.write(head)
    if kind == "truncated":
        writer.write(payload[: len(payload) // 2])
        await writer.drain()
        return False
    step = max(1, len(payload) // 10) if pause else len(payload)
    for start in range(0, len(payload), step):
        writer.write(payload[start : start + step])
        await writer.drain()
        await asyncio.sleep(pause)
    return True


async def _stream(exchange: _Exchange, said: Said, kind: str, pause: float) -> bool:
    """Send the events in pieces that do not care for their borders; the end is the closing."""
    writer, events = exchange.writer, events_of(said)
    writer.write(_head(200, {"content-type": "text/event-stream", "connection": "close"}))
    if kind == "truncated" or kind in _IN_A_STREAM:
        events = events[: len(events) // 2]
    if kind == "error_body":
        events.append(error_event(exchange.protocol))
    payload = b"".join(events)
    for start in range(0, len(payload), 37):
        writer.write(payload[start : start + 37])
        await writer.drain()
        await asyncio.sleep(pause)
    return await _reset(exchange) if kind == "reset" else False


async def _reset(exchange: _Exchange, _: Fault | None = None) -> bool:
    raw = exchange.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()
    return False


async def _hang(_: _Exchange, __: Fault) -> bool:
    await asyncio.Event().wait()
    return False


async def _status(exchange: _Exchange, fault: Fault) -> bool:
    body = fault.body or error_body(exchange.protocol, fault.status)
    exchange.send(fault.status, body, fault.headers)
    return True


async def _garbage(exchange: _Exchange, _: Fault) -> bool:
    _send(exchange.writer, 200, b'{"choices": [{"mess\xff\xfe not json')
    return True


async def _wrong_type(exchange: _Exchange, _: Fault) -> bool:
    page = b"<html><body>Please sign in</body></html>"
    _send(exchange.writer, 200, page, {"content-type": "text/html; charset=utf-8"})
    return True


async def _error_body(exchange: _Exchange, fault: Fault) -> bool:
    exchange.send(200, error_body(exchange.protocol, fault.status))
    return True


async def _body(exchange: _Exchange, fault: Fault) -> bool:
    exchange.send(200, fault.body, fault.headers)
    return True


_IN_A_STREAM = ("reset", "error_body")
"""Faults that come after the first half of a stream."""
_REFUSALS: dict[str, Callable[[_Exchange, Fault], Awaitable[bool]]] = {
    "hang": _hang,
    "reset": _reset,
    "status": _status,
    "garbage": _garbage,
    "wrong_type": _wrong_type,
    "error_body": _error_body,
    "body": _body,
}


def read_fault(text: str) -> tuple[int, Fault]:
    """Read `3=status:503`, `4=delay:0.5`, `5=reset`."""
    number, _, said = text.partition("=")
    kind, _, value = said.partition(":")
    known: Any = kind
    if kind == "status":
        return int(number), Fault(known, status=int(value or 500))
    return int(number), Fault(known, seconds=float(value or 0.05))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--answers", type=Path, help="JSON: input -> answer, or model -> such")
    parser.add_argument("--default", default="ok", help="the answer to any other input")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--fault", action="append", default=[], type=read_fault)
    given = parser.parse_args()
    answers: dict[str, Any] = json.loads(given.answers.read_text()) if given.answers else {}

    def answer(body: Mapping[str, Any]) -> str:
        of_model = answers.get(str(body.get("model")), answers)
        known = of_model if isinstance(of_model, dict) else answers
        return str(known.get(str(body["messages"][-1]["content"]), given.default))

    options: dict[str, Any] = {"faults": dict(given.fault), "seconds": given.seconds}
    with Upstream(answer, **options, log=given.log, port=given.port) as upstream:
        print(upstream.port, flush=True)  # noqa: T201 - whoever started it waits for that
        upstream.wait()


if __name__ == "__main__":
    main()
