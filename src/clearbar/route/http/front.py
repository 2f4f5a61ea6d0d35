"""The server side: one protocol for each client connection.

One request at a time is handed to the handler. What the client sends meanwhile is kept unread up
to a bound, and beyond it left in the network.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from clearbar.route.http.heads import UnfitHeader, reply_head
from clearbar.route.http.reading import RequestReader
from clearbar.route.http.refused import Refused
from clearbar.route.http.replying import FrontReply
from clearbar.route.http.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from clearbar.route.http.limits import Limits
    from clearbar.route.http.message import Handler, Headers, Request

_READ_AT_ONCE: Final = 64 * 2**10
"""Bytes read between two looks at what is whole: bounds how many pipelined requests wait."""
_NEW, _IDLE, _HEAD, _BODY, _BUSY, _CLOSING = range(6)
_JSON: Final = ((b"content-type", b"application/json"),)
_CROWDED: Final = Refused(503, "too_many_connections", "too many connections; try again later")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOT_YET: Final = -1.0
"""Of a moment that the next sweep will note: the hot path asks no clock."""
_NEVER: Final = -2.0


class Front(asyncio.Protocol):
    """One connection of a client. It stands in `open_fronts` from its beginning to its end.

    `welcome` tells by the headers whether to take a body that does not come in one piece.
    """

    __slots__ = (
        "_handler",
        "_limits",
        "_loop",
        "_open_fronts",
        "_phase",
        "_pumping",
        "_reader",
        "_refused",
        "_reply",
        "_since",
        "_stuck_since",
        "_transport",
        "_unread",
        "_welcome",
        "call_soon",
        "is_draining",
        "is_full",
    )

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        open_fronts: set[Front],
        welcome: Callable[[Headers], bool] | None = None,
    ) -> None:
        self._handler = handler
        self._welcome = welcome
        self._limits = limits
        self._open_fronts = open_fronts
        self._loop: asyncio.AbstractEventLoop
        self._transport: asyncio.Transport
        self._reader: RequestReader
        self._reply: FrontReply | None = None
        self._refused: Refused | None = None
        self._unread = bytearray()
        self._phase = _NEW
        self._since = _NOT_YET
        """When the phase began."""
        self._stuck_since = _NEVER
        """When the client stopped reading."""
        self.is_full = False
        """Whether the client reads too slowly."""
        self.is_draining = False
        """Whether the connection ends with the reply in flight."""
        self.call_soon: Callable[[Callable[[], None]], object]
        self._pumping = False

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or turn it away where there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self.call_soon = self._loop.call_soon
        peer = transport.get_extra_info("peername")
        who = peer[0] if isinstance(peer, tuple) else ""
        self._reader = RequestReader(self._limits, who, self._welcome)
        high = self._limits.unsent_high_bytes
        self._transport.set_write_buffer_limits(high=high, low=high // 4)
        if len(self._open_fronts) < self._limits.max_connections:
            self._open_fronts.add(self)
        else:
            self._reply_with(_CROWDED)
            self._close()

    def data_received(self, data: bytes) -> None:
        """Read what came, as far as it is its turn."""
        if self._phase == _CLOSING:
            return
        if self._phase == _BUSY or self.is_full:
            self._unread += data
            if len(self._unread) > _READ_AT_ONCE:
                self._transport.pause_reading()
            return
        if self._phase == _IDLE:
            again = self._reader.again(data)
            if again is not None:
                self._serve(again)
                return
            if self._reader.begin_again(data):
                self._wait()
                return
        if len(data) > _READ_AT_ONCE:
            self._read_on(data)
        else:
            self._feed(data)
        self._pump()

    def eof_received(self) -> bool:
        """Take the end of what the client says for its going: it cannot be told from it."""
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why is all the same
        """Let go of everything."""
        self._open_fronts.discard(self)
        self._leave()
        self._enter(_CLOSING)
        self._unread.clear()
        self._reader.ready.clear()
        self._reader.close()

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        self.is_full = True
        self._stuck_since = _NOT_YET
        if self._reply is not None:
            self._reply.fill(full=True)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self.is_full = False
        self._stuck_since = _NEVER
        if self._reply is not None:
            self._reply.fill(full=False)
        else:
            self._pump()

    # Called by the reply.

    def finished(self) -> None:
        """Go on after a reply."""
        if self._reader.gathered:
            self._reader.let_go()
        reply, self._reply = self._reply, None
        if reply is None or self._phase == _CLOSING:
            return
        if reply.closes:
            self._close()
        elif not self._pumping and not self.is_full:
            reader = self._reader
            if reader.ready or self._unread or self._refused or reader.begun:
                self._pump()
            else:
                self._phase, self._since = _IDLE, _NOT_YET

    def is_flooded(self) -> bool:
        """Return whether more was written, in spite of `full`, than is borne."""
        return self._transport.get_write_buffer_size() > self._limits.max_unsent_bytes

    # Called by whoever serves.

    def drain(self) -> None:
        """Finish what is in flight, then close."""
        self.is_draining = True
        if self._reply is not None:
            self._reply.closes = True
        elif self._phase in {_NEW, _IDLE}:
            self._close()

    def abort(self) -> None:
        """Close at once; a reply in flight is broken."""
        self._leave()
        self._enter(_CLOSING)
        self._transport.abort()

    def look(self, now: float) -> None:
        """End what has taken too long."""
        if self._since == _NOT_YET:
            self._since = now
        if self._stuck_since == _NOT_YET:
            self._stuck_since = now
        took = now - self._since
        if 0 <= self._stuck_since < now - self._limits.send_timeout_s:
            self.abort()
        elif self._phase == _CLOSING:
            self._close_for_good(took)
        elif self._phase != _BUSY and took > self._most_s():
            self._be_late()

    def _most_s(self) -> float:
        limits = self._limits
        if self._phase == _IDLE:
            return limits.idle_timeout_s
        return limits.body_timeout_s if self._phase == _BODY else limits.header_timeout_s

    def _be_late(self) -> None:
        if self._reader.begun:
            part = "the body" if self._reader.in_body else "the head"
            self._refuse(Refused(408, "too_slow", f"{part} of the request took too long"))
        else:
            self._close()

    def _close_for_good(self, took: float) -> None:
        if took > self._limits.send_timeout_s:
            self._transport.abort()
        elif took > self._limits.linger_s:
            self._transport.close()

    # One request after the other.

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._reader.feed(data)
        except Refused as refused:
            self._refused = refused

    def _pump(self) -> None:
        """Serve what is whole, read what is unread, until there is neither or one is in flight."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._reply is None and self._phase != _CLOSING and not self.is_full:
                if self._reader.ready:
                    self._serve(self._reader.ready.popleft())
                elif self._refused is not None:
                    self._refuse(self._refused)
                elif self._unread:
                    unread, self._unread = self._unread, bytearray()
                    self._read_on(unread)
                else:
                    self._wait()
                    break
        finally:
            self._pumping = False

    def _read_on(self, data: bytes | bytearray) -> None:
        """Read in slices, until there is something to serve; keep the rest."""
        done = 0
        with memoryview(data) as whole:
            while done < len(data) and not self._reader.ready and self._refused is None:
                self._feed(whole[done : done + _READ_AT_ONCE])
                done += _READ_AT_ONCE
            self._unread += whole[done:]
        if self._transport.is_closing():
            return
        if len(self._unread) <= _READ_AT_ONCE:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _wait(self) -> None:
        reader = self._reader
        if reader.wants_continue:
            reader.wants_continue = False
            self._transport.write(_CONTINUE)
        if reader.in_body:
            self._enter(_BODY)
        elif reader.begun:
            self._enter(_HEAD)
        elif self._phase == _BUSY:
            self._enter(_IDLE)

    def _serve(self, request: Request) -> None:
        reply = FrontReply(self, self._transport, request)
        self._reply = reply
        self._phase, self._since = _BUSY, _NOT_YET
        try:
            self._handler(request, reply)
        except Exception as error:  # noqa: BLE001 - a handler's fault ends its request, no more
            self._fail(reply, error)

    def _fail(self, reply: FrontReply, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "a request's handler failed", "exception": error}
        )
        if reply.has_begun:
            reply.cut()
            return
        reply.closes = True
        refused = Refused(
            502 if isinstance(error, UnfitHeader) else 500,
            "gateway_failed",
            "the gateway failed to answer; its log says why",
        )
        reply.send(refused.status, _JSON, refused.body)

    # Ends.

    def _refuse(self, refused: Refused) -> None:
        """Say why, stop talking, and listen on for a while, so that the client can read it."""
        self._refused = None
        self._unread.clear()
        self._reader.drop()
        self._enter(_CLOSING)
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._reply_with(refused)
        if not self._transport.is_closing():  # what was written may have found it closed
            self._transport.write_eof()

    def _reply_with(self, refused: Refused) -> None:
        framing = b"content-length: %d\r\nconnection: close\r\n" % len(refused.body)
        self._transport.write(reply_head(refused.status, _JSON, framing) + refused.body)

    def _close(self) -> None:
        self._enter(_CLOSING)
        self._transport.close()

    def _leave(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.leave()

    def _enter(self, phase: int) -> None:
        if phase != self._phase:
            self._phase, self._since = phase, _NOT_YET


def keep_time(
    open_fronts: AbstractSet[Front], loop: asyncio.AbstractEventLoop, every_s: float = 1.0
) -> Sweep:
    """Return a running sweep that ends what takes too long on any of the connections."""

    def look(now: float) -> None:
        for front in list(open_fronts):
            front.look(now)

    return Sweep(loop, every_s, look)
