"""An upstream that keeps the bytes of each request, and answers with bytes of the test's own."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

BODY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-5-mini","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}'
)


class Came(NamedTuple):
    """A request as it came."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]


def whole(body: bytes = BODY, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    """Return an answer with a length; `more` are whole header lines."""
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
    return head % (status, len(body), more) + body


@dataclass
class RawUpstream:
    """Answers each request with what `answer` says, for as long as its client wants more."""

    answer: Callable[[Came], bytes] = lambda _came: whole()
    came: list[Came] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while (came := _read(connection)) is not None:
                self.came.append(came)
                connection.sendall(self.answer(came))


def _read(connection: socket.socket) -> Came | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    named: dict[Any, bytes] = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b": ")
        named[name.lower()] = value
    while len(body) < int(named.get(b"content-length", b"0")):
        if not (piece := connection.recv(65536)):
            return None
        body += piece
    return Came(head, body)
