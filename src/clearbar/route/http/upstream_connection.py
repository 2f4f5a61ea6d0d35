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
from clearbar.route.http.judging import (
    LARGE_BODY,
    LARGE_HEAD,
    ends_with_connection,
    fault_of_head,
)
from clearbar.route.http.repeated_stream import last_chunks, whole_chunks
from clearbar.route.http.reply_parsing import ReplyParsing

if TYPE_CHECKING:
    from clearbar.route.http.asking import Asking, BrokenKind, Passage
    from clearbar.route.http.pool import Pool
    from clearbar.route.http.repeated_reply import RepeatedReply
    from clearbar.route.http.repeated_stream import StreamHead

_COPIED_BYTES: Final = 16 * 2**10
_SUCCESS: Final = 200
_NOT_YET: Final = -1.0
_GARBAGE: Final = "the upstream's reply cannot be read as HTTP"
_EMPTY: Final = "the upstream sends chunks that hold nothing"


class UpstreamConnection(ReplyParsing, asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_asking",
        "_fed",
        "_flow",
        "_fresh",
        "_headless",
        "_loop",
        "_poll",
        "_pool",
        "_received",
        "_silent",
        "_transport",
        "_unparsed",
        "_until_closed",
        "_worn_at",
        "gone",
        "idle_since",
    )

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done once the connection is closed."""
        self.idle_since = _NOT_YET
        self._pool = pool
        self._loop = loop
        self._worn_at = loop.time() + pool.limits.max_age_s
        self._transport: asyncio.Transport
        self._poll: select.poll | None = None
        self._asking: Asking | None = None
        self._fed = 0
        """Bytes of the head so far, or a little more; then, those since the last of the body."""
        self._received = 0
        """Bytes of the body so far."""
        self._flow: Passage | None = None
        """Takes the next bytes, if they are a chunk that it knows."""
        self._headless = True
        """Whether the listener was not told of the head yet."""
        self._fresh = True
        """Whether no reply has been read since what is noted of one was forgotten."""
        self._unparsed = b""
        """A head that the parser was not given: it is first, if it has to read on."""
        self._silent = False
        """The answer to a HEAD has no body, whatever its head says."""
        self._until_closed = False

    # Called by the pool and by whoever asked.

    def ask(self, asking: Asking) -> None:
        """Send a request. The connection has to be idle."""
        self._asking = asking
        if not self._fresh:
            self._forget()
        head, body = asking.head, asking.body
        asking.head = asking.body = b""
        self._silent = head.startswith(b"HEAD ")
        asking.connection = self
        asking.stage, asking.since = WAITING, _NOT_YET
        if asking.paused:
            self._transport.pause_reading()
        if len(body) <= _COPIED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def _forget(self) -> None:
        """Forget what is noted of a reply."""
        self._headers = []
        self._status = self._fed = self._received = 0
        self._headless = self._fresh = True
        self._whole = self._between_chunks = False

    def is_alive(self, *, ask_system: bool) -> bool:
        """Return whether an idle connection can be used: neither closed nor spoken on unasked.

        Asking the system tells also of what the loop was not told yet.
        """
        if self._transport.is_closing():
            return False
        return not ask_system or self._poll is None or not self._poll.poll(0)

    def pause(self) -> None:
        """Read no more for now."""
        self._leave_flow()
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once, and tell nobody."""
        self._asking = self._flow = None
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
        if self._flow is not None:
            if self._flow.take(data):
                return
            self._leave_flow()
        asking = self._asking
        if asking is None:
            self.drop()
            return
        if self._fresh and not self._silent:
            known = self._pool.repeated.head
            if known is not None and (body := known.again(data)) is not None:
                self._tell_again(asking, known, body)
                return
            if (head := self._pool.streams.again(data)) is not None:
                self._tell_stream(asking, head, data)
                return
        elif self._between_chunks and self._take_chunks(asking, data):
            return
        self._parse(asking, data)

    def _take_chunks(self, asking: Asking, data: bytes) -> bool:
        """Take bytes that are whole chunks past the parser; return whether they are."""
        if (piece := whole_chunks(data)) is not None:
            self._tell_piece(asking, piece)
            return True
        if self._unparsed and (piece := last_chunks(data)) is not None:
            self._unparsed = b""
            self._between_chunks, self._whole = False, True
            self._pieces.append(piece)
            self._tell_body(asking, "")
            return True
        return False

    def _parse(self, asking: Asking, data: bytes) -> None:
        fault = ""
        begins, self._fresh = self._fresh, False
        try:
            if self._unparsed:
                self._parser.feed_data(self._unparsed)
                self._unparsed = b""
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
        if begins and not fault:
            self._remember(data)
        self._tell_body(asking, fault)

    def _remember(self, data: bytes) -> None:
        """Take note of a reply whose head came at once, with what is behind it."""
        pool = self._pool
        if self._whole and not self._spoiled:
            size = sum(map(len, self._pieces))
            pool.repeated.remember(data, self._status, self._headers, size)
        elif not self._whole and not self._interim:
            pool.streams.remember(data, self._headers)

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

    # What is told to whoever asked.

    def _wait_for_head(self, fault: str) -> None:
        limits = self._pool.limits
        if fault:
            self._break("protocol", fault)
        elif self._fed > limits.max_head_bytes:
            self._break("too_large", LARGE_HEAD)
        elif self._interim > limits.max_interim:
            self._break("protocol", "the upstream announces a reply again and again")

    def _tell_head(self, asking: Asking) -> bool:
        """Return whether somebody still listens."""
        broken = self._judge_head()
        if broken is not None:
            self._break(*broken)
            return False
        self._headless = False
        asking.stage, asking.bare = READING, not (self._pieces or self._whole)
        asking.listener.on_head(self._status, self._headers)
        return self._asking is asking

    def _judge_head(self) -> tuple[BrokenKind, str] | None:
        limits, version = self._pool.limits, self._parser.get_http_version()
        fault = fault_of_head(
            self._status, version, self._headers, self._fed, limits, silent=self._silent
        )
        if fault is None:
            self._until_closed = ends_with_connection(self._status, self._headers)
        if self._silent:
            self._whole = self._spoiled = True
            self._pieces.clear()
        return fault

    def _tell_stream(self, asking: Asking, head: StreamHead, data: bytes) -> None:
        """Tell of a stream whose head came before; the parser hears of it when it has to read."""
        self._fresh = self._headless = False
        self._status, self._unparsed, self._between_chunks = _SUCCESS, head.raw, True
        rest = data[len(head.raw) :]
        asking.stage, asking.since, asking.bare = READING, _NOT_YET, not rest
        asking.listener.on_head(_SUCCESS, head.headers)
        if rest and self._asking is asking:
            self.data_received(rest)

    def _tell_again(self, asking: Asking, head: RepeatedReply, body: bytes) -> None:
        """Tell of a whole reply whose head came before."""
        if len(body) > self._pool.limits.max_reply_bytes:
            self._break("too_large", LARGE_BODY)
            return
        if (on_whole := asking.on_whole) is not None and head.is_answer:
            self._let_go(asking, clean=True)
            on_whole(head, body)
            return
        self._fresh = self._headless = False
        self._whole, self._status = True, head.status
        asking.stage = READING
        asking.listener.on_head(head.status, head.headers)
        if self._asking is asking:
            asking.whole = True
            asking.listener.on_body(body)
            if self._asking is asking:
                self._finish(asking, clean=True)

    def _tell_piece(self, asking: Asking, piece: bytes) -> None:
        """Tell of chunks that came past the parser."""
        self._fed = 0
        self._received += len(piece)
        if self._received > self._pool.limits.max_reply_bytes:
            self._break("too_large", LARGE_BODY)
            return
        asking.since = _NOT_YET
        asking.listener.on_body(piece)
        if self._asking is asking:
            self._flow = asking.flow

    def _leave_flow(self) -> None:
        """Read the next bytes ourselves."""
        flow, self._flow = self._flow, None
        if flow is not None:
            self._received += flow.pour()
            self._fed = 0

    def _tell_body(self, asking: Asking, fault: str) -> None:
        pieces = self._pieces
        if pieces:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._received += len(piece)
            if self._received > self._pool.limits.max_reply_bytes:
                self._break("too_large", LARGE_BODY)
                return
            asking.whole = self._whole
            asking.listener.on_body(piece)
            if self._asking is not asking:
                return
            if self._between_chunks:
                self._flow = asking.flow
        if self._whole:
            self._finish(asking, clean=not fault)
        elif fault:
            self._break("protocol", fault)

    def _finish(self, asking: Asking, *, clean: bool) -> None:
        listener = asking.listener
        self._let_go(asking, clean=clean)
        listener.on_end()

    def _let_go(self, asking: Asking, *, clean: bool) -> None:
        """Be free for the next request, where the reply left nothing unclean."""
        pool, transport = self._pool, self._transport
        self._asking = asking.connection = None
        asking.listener, asking.flow, asking.on_whole = NOBODY, None, None
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

    def _break(self, kind: BrokenKind, what: str) -> None:
        asking, self._asking = self._asking, None
        self._flow = None
        if asking is not None:
            self._pool.broke(asking, Broken(kind, sent=True, what=what))
