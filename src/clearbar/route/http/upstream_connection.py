"""One connection to an upstream: a request out, a reply in, again while both ends are clean.

The parser only gathers; whoever asked is told once a read is done, so that what they do (cancel,
ask again) never happens inside the parser.
"""

from __future__ import annotations

import asyncio
import select
import socket
from typing import TYPE_CHECKING, Final, cast

import httptools

from clearbar.route.http.asking import NOBODY, OVER, READING, WAITING, Broken
from clearbar.route.http.repeated_reply import sole_chunk

if TYPE_CHECKING:
    from clearbar.route.http.asking import Asking, BrokenKind
    from clearbar.route.http.pool import Pool

_COPIED_BYTES: Final = 16 * 2**10
_SUCCESS: Final = 200
_SWITCHING: Final = 101
_NO_BODY: Final = frozenset({204, 304})
_LARGEST_READ: Final = 2**20
"""More than a transport reads at once."""
_NOT_YET: Final = -1.0
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_CHUNKS: Final = [b"chunked"]
_GARBAGE: Final = "the upstream's reply cannot be read as HTTP"
_LARGE_HEAD: Final = "the head of the upstream's reply is too large"
_EMPTY: Final = "the upstream sends chunks that hold nothing"
_LARGE_BODY: Final = "the upstream's reply is too large"


class UpstreamConnection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_asking",
        "_between_chunks",
        "_fed",
        "_flow_end",
        "_headers",
        "_headless",
        "_interim",
        "_loop",
        "_parser",
        "_pieces",
        "_poll",
        "_pool",
        "_received",
        "_silent",
        "_spoiled",
        "_status",
        "_transport",
        "_until_closed",
        "_whole",
        "_worn_at",
        "gone",
        "idle_since",
    )

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done once the connection is closed."""
        self.idle_since = _NOT_YET
        self._pool = pool
        self._loop = loop
        self._worn_at = loop.time() + pool.limits.max_age_s
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._poll: select.poll | None = None
        self._asking: Asking | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._status = 0
        self._interim = 0
        self._fed = 0
        """Bytes of the head so far, or a little more; then, those since the last of the body."""
        self._received = 0
        """Bytes of the body so far."""
        self._flow_end = pool.limits.max_reply_bytes - _LARGEST_READ
        self._headless = True
        """Whether the listener was not told of the head yet."""
        self._between_chunks = False
        """Whether the parser is between two chunks, so that one may pass it by."""
        self._whole = False
        self._silent = False
        """The answer to a HEAD has no body, whatever its head says."""
        self._until_closed = False
        self._spoiled = False
        """Whether more came than the reply."""

    # Called by the pool and by whoever asked.

    def ask(self, asking: Asking) -> None:
        """Send a request. The connection has to be idle."""
        self._asking = asking
        self._headers = []
        self._status = self._fed = self._received = 0
        self._headless = True
        self._whole = self._between_chunks = False
        head, body = asking.head, asking.body
        asking.head = asking.body = b""
        self._silent = head[:5] == b"HEAD "
        asking.connection = self
        asking.stage, asking.since = WAITING, _NOT_YET
        if asking.paused:
            self._transport.pause_reading()
        if len(body) <= _COPIED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def is_alive(self, *, ask_system: bool) -> bool:
        """Return whether an idle connection can be used: neither closed nor spoken on unasked.

        Asking the system tells also of what the loop was not told yet.
        """
        if self._transport.is_closing():
            return False
        return not ask_system or self._poll is None or not self._poll.poll(0)

    def pause(self) -> None:
        """Read no more for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once, and tell nobody."""
        self._asking = None
        self._transport.abort()

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)
        found = transport.get_extra_info("socket")
        if found is not None:
            # Routers on the way forget a connection that waits long for its answer.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._poll = select.poll()
            self._poll.register(found.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then tell whoever asked."""
        asking = self._asking
        if asking is None:
            self.drop()
            return
        if self._between_chunks:
            flow = asking.flow
            if flow is not None and self._received < self._flow_end and (size := flow(data)):
                self._fed = 0
                self._received += size
                asking.since = _NOT_YET
                return
            if (piece := sole_chunk(data)) is not None:
                self._tell_piece(asking, piece)
                return
        elif self._headless and not self._fed and not self._silent:
            body = self._pool.repeated.again(data)
            if body is not None:
                self._tell_again(asking, body)
                return
        self._parse(asking, data)

    def _parse(self, asking: Asking, data: bytes) -> None:
        fault = ""
        begins = self._headless and not self._fed
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            fault = _GARBAGE
        if self._between_chunks and not data.endswith(b"\r\n"):
            self._between_chunks = False
        if self._headless:
            self._fed += len(data)
            if not self._status:
                self._wait_for_head(fault)
                return
            if not self._tell_head(asking):
                return
            self._fed = 0
        elif not self._pieces and not self._whole:
            self._fed += len(data)
            if self._fed > self._pool.limits.max_head_bytes:
                self._break("protocol", _EMPTY)
                return
        else:
            self._fed = 0
        asking.since = _NOT_YET
        if begins and self._whole and not self._spoiled and not fault:
            size = sum(map(len, self._pieces))
            self._pool.repeated.remember(data, self._status, self._headers, size)
        self._tell_body(asking, fault)

    def eof_received(self) -> bool:
        """Take the end of what the upstream says, which may be the end of a body."""
        if self._asking is not None and self._until_closed:
            self._whole = self._spoiled = True
            self._tell_body(self._asking, "")
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why is all the same
        """Break what was in flight."""
        if not self.gone.done():
            self.gone.set_result(None)
        self._break("reset", "the upstream closed the connection before its reply was whole")
        self._pool.lost(self)
        del self._parser

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin a head; after a whole reply there should be none."""
        if self._whole:
            self._spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that follow a body are not passed on."""
        if not self._status:
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take the end of a head: of the one that counts, or of one before it."""
        if not self._whole:
            status = self._parser.get_status_code()
            if status >= _SUCCESS or status == _SWITCHING:
                self._status = status

    def on_chunk_header(self) -> None:
        """Take the size of a chunk."""
        self._between_chunks = False

    def on_chunk_complete(self) -> None:
        """Take the end of a chunk; if nothing came behind it, the next piece begins another."""
        self._between_chunks = not self._whole

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if not self._whole:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Take the end of a reply: of the one that counts, or of one before it."""
        if self._whole:
            return
        if self._status:
            self._whole = True
            self._between_chunks = False
            self._interim = 0
            self._spoiled = not self._parser.should_keep_alive()
        else:
            self._interim += 1
            self._headers = []

    # What is told to whoever asked.

    def _wait_for_head(self, fault: str) -> None:
        limits = self._pool.limits
        if fault:
            self._break("protocol", fault)
        elif self._fed > limits.max_head_bytes:
            self._break("too_large", _LARGE_HEAD)
        elif self._interim > limits.max_interim:
            self._break("protocol", "the upstream announces a reply again and again")

    def _tell_head(self, asking: Asking) -> bool:
        """Return whether somebody still listens."""
        broken = self._judge_head()
        if broken is not None:
            self._break(*broken)
            return False
        self._headless = False
        asking.stage = READING
        asking.listener.on_head(self._status, self._headers)
        return self._asking is asking

    def _judge_head(self) -> tuple[BrokenKind, str] | None:
        limits, headers = self._pool.limits, self._headers
        if len(headers) > limits.max_headers or (
            self._fed > limits.max_head_bytes
            and sum([len(name) + len(value) + 4 for name, value in headers]) > limits.max_head_bytes
        ):
            return "too_large", _LARGE_HEAD
        if self._status == _SWITCHING or self._parser.get_http_version() not in _VERSIONS:
            return "protocol", "the upstream speaks another protocol than HTTP/1.1"
        known = dict(headers)
        length = known.get(b"content-length")
        if length is not None:
            if int(length) > limits.max_reply_bytes and not self._silent:
                return "too_large", _LARGE_BODY
        elif b"transfer-encoding" in known:
            codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
            if codings != _CHUNKS:
                return "protocol", "the upstream codes its reply otherwise than in chunks"
        elif self._status not in _NO_BODY:
            self._until_closed = True
        if self._silent:
            self._whole = self._spoiled = True
            self._pieces.clear()
        return None

    def _tell_again(self, asking: Asking, body: bytes) -> None:
        """Tell of a whole reply whose head came before."""
        head = self._pool.repeated.head
        if head is None or len(body) > self._pool.limits.max_reply_bytes:
            self._break("too_large", _LARGE_BODY)
            return
        self._headless = False
        self._whole, self._status = True, head.status
        asking.stage = READING
        asking.listener.on_head(head.status, head.headers)
        if self._asking is asking:
            asking.whole = True
            asking.listener.on_body(body)
            if self._asking is asking:
                self._finish(asking, clean=True)

    def _tell_piece(self, asking: Asking, piece: bytes) -> None:
        """Tell of a chunk that came alone."""
        self._fed = 0
        self._received += len(piece)
        if self._received > self._pool.limits.max_reply_bytes:
            self._break("too_large", _LARGE_BODY)
            return
        asking.since = _NOT_YET
        asking.listener.on_body(piece)

    def _tell_body(self, asking: Asking, fault: str) -> None:
        pieces = self._pieces
        if pieces:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._received += len(piece)
            if self._received > self._pool.limits.max_reply_bytes:
                self._break("too_large", _LARGE_BODY)
                return
            asking.whole = self._whole
            asking.listener.on_body(piece)
            if self._asking is not asking:
                return
        if self._whole:
            self._finish(asking, clean=not fault)
        elif fault:
            self._break("protocol", fault)

    def _finish(self, asking: Asking, *, clean: bool) -> None:
        pool, transport, listener = self._pool, self._transport, asking.listener
        self._asking = asking.connection = None
        asking.listener, asking.flow = NOBODY, None
        asking.stage, asking.whole = OVER, True
        pool.asked.discard(asking)
        if (
            self._spoiled
            or not clean
            or transport.get_write_buffer_size() > 0
            or self._loop.time() > self._worn_at
        ):
            self.drop()
        else:
            if asking.paused:
                transport.resume_reading()
            pool.free(self)
        listener.on_end()

    def _break(self, kind: BrokenKind, what: str) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            self._pool.broke(asking, Broken(kind, sent=True, what=what))
