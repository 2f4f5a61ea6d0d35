"""What passes between the server side and whoever answers: a whole request, and the reply to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, values as they are on the wire."""


class Memory:
    """Of a head: a connection on which it comes again gives the same one along."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: object = None
        """What whoever answers has worked out from the head."""


class Request:
    """One whole client request. Its target, headers and body never show in its repr."""

    __slots__ = (
        "body",
        "headers",
        "keep_alive",
        "known",
        "memory",
        "method",
        "old",
        "path",
        "peer",
        "query",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        peer: str = "",
        known: dict[bytes, bytes] | None = None,
        keep_alive: bool = True,  # noqa: FBT001, FBT002 - by position: made for each request
        old: bool = False,  # noqa: FBT001, FBT002
        memory: Memory | None = None,
    ) -> None:
        self.method = method
        self.path = path
        """Without the query; percent-encoding as received."""
        self.query = query
        """Without the question mark; empty for none."""
        self.headers = headers
        """Names in lower case, in the order received; hop-by-hop ones included."""
        self.body = body
        self.peer = peer
        """The client's address, empty where it has none."""
        self.keep_alive = keep_alive
        """Whether the connection may go on after the reply."""
        self.old = old
        """HTTP/1.0: it knows no chunks."""
        self.memory = memory
        """None where the connection does not remember the head."""
        self.known = dict(reversed(headers)) if known is None else known
        """The first value of each header."""

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, by its name in lower case; None where absent."""
        return self.known.get(name)

    def __repr__(self) -> str:
        return f"Request({self.method}, {len(self.headers)} headers, {len(self.body)} bytes)"


class Reply(Protocol):
    """The answer to one request. Once the client has gone, its calls do nothing."""

    gone: bool
    """The client left before `end`, or was cut off: nobody hears more."""
    full: bool
    """The client reads too slowly: feed nothing more until `on_drained`."""
    on_gone: Callable[[], None] | None
    on_full: Callable[[], None] | None
    """Called when it becomes `full`: maybe inside of what was written."""
    on_drained: Callable[[], None] | None

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the whole reply in one write."""

    def send_lines(self, lines: bytes, body: bytes) -> None:
        """Send the whole reply, whose status has a body.

        `lines` are those of the status and of the headers, without the last line end and without
        framing, as `heads.status_line` and `heads.header_lines` made them, checked before.
        """

    def start(self, status: int, headers: Headers, length: int | None) -> None:
        """Send the head; `length` of the body where it is known, else it goes in chunks."""

    def start_lines(self, lines: bytes, piece: bytes) -> None:
        """Send the head of a reply in chunks, and the first piece, if any, in one write.

        Its status has a body; `lines` are as above.
        """

    def write(self, piece: bytes) -> None:
        """Send a piece of the body."""

    def passage(self) -> Callable[[bytes], None] | None:
        """Return what sends whole chunks with their framing, until the reply is full or ends.

        None where that cannot be: in a reply that is not in chunks, has not quite begun, is full.
        """

    def end(self, last: bytes = b"") -> None:
        """Send the last piece and what ends the body, in one write."""

    def cut(self) -> None:
        """Close, so that the client sees a broken reply and never a whole one."""


Handler = Callable[[Request, Reply], None]
