"""A server that gives one reply to whatever it is asked, and keeps what it was sent."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Got(NamedTuple):
    method: str
    path: str
    body: bytes


class Sent(NamedTuple):
    content_type: bytes
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Loopback(NamedTuple):
    url: str
    got: list[Got]


@contextmanager
def serving(reply: Callable[[Got], Sent]) -> Iterator[Loopback]:
    got: list[Got] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            asked = Got(self.command, self.path, self.rfile.read(length))
            got.append(asked)
            sent = reply(asked)
            self.send_response(sent.status)
            for name, value in sent.headers:
                self.send_header(name, value)
            self.send_header("content-type", sent.content_type.decode())
            self.send_header("content-length", str(len(sent.body)))
            self.end_headers()
            self.wfile.write(sent.body)

        do_GET = do_POST  # noqa: N815 - the server calls it so

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_address[1]}", got)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
