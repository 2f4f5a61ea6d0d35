"""The reply to one request of a client, as it goes onto the wire."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from clearbar.route.http.heads import reply_head

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from clearbar.route.http.front import Front
    from clearbar.route.http.message import Headers, Request

_COPIED_BYTES: Final = 16 * 2**10
"""Up to here, joining costs less than handing over one more piece."""
_OK: Final = 200
_NO_BODY: Final = frozenset({204, 304})
_FRESH, _STARTED, _ENDED = 0, 1, 2


class FrontReply:
    """See `message.Reply`. Using one twice raises; using one that is gone does nothing."""

    __slots__ = (
        "_chunked",
        "_front",
        "_held",
        "_left",
        "_old",
        "_silent",
        "_stage",
        "_transport",
        "closes",
        "full",
        "gone",
        "on_drained",
        "on_full",
        "on_gone",
    )

    def __init__(self, front: Front, transport: asyncio.Transport, request: Request) -> None:
        self.gone = False
        self.full = front.is_full
        self.on_gone: Callable[[], None] | None = None
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None
        self.closes = front.is_draining or not request.keep_alive
        """Whether the connection ends with this reply; the head says so."""
        self._front = front
        self._transport = transport
        self._old = request.old
        self._silent = request.method == "HEAD"
        """The answer to a HEAD: a head alone."""
        self._stage = _FRESH
        self._chunked = False
        self._left: int | None = None
        """Bytes of the body that have to come still; None: until closed, or in chunks."""
        self._held = b""
        """The head, until the first piece or the loop's next turn: one packet, one call."""

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the whole reply in one write.

        Raises:
            UnfitHeader: when a header would break the head; nothing was sent.
            RuntimeError: when the reply has begun before.
        """
        if self._stage != _FRESH or self.gone:
            self._refuse()
            return
        head = reply_head(status, headers, self._framing(status, len(body)))
        self._send(head, b"" if status in _NO_BODY else body)

    def send_lines(self, lines: bytes, body: bytes) -> None:
        """Send the whole reply, as `message.Reply` has it.

        Raises:
            RuntimeError: when the reply has begun before.
        """
        if self._stage != _FRESH or self.gone:
            self._refuse()
            return
        size = len(body)
        if self.closes or self._old or self._silent or size > _COPIED_BYTES:
            self._send(b"%b\r\n%b\r\n" % (lines, self._framing(_OK, size)), body)
            return
        self._transport.write(b"%b\r\ncontent-length: %d\r\n\r\n%b" % (lines, size, body))
        self._finish()

    def _send(self, head: bytes, body: bytes) -> None:
        if self._silent:
            self._transport.write(head)
        elif len(body) <= _COPIED_BYTES:
            self._transport.write(head + body)
        else:
            self._write_each((head, body))
        self._finish()

    def start(self, status: int, headers: Headers, length: int | None) -> None:
        """Send the head.

        Args:
            status: HTTP.
            headers: Names in lower case; those about framing are dropped.
            length: Of the body; None goes in chunks, to HTTP/1.0 until closed.

        Raises:
            UnfitHeader: when a header would break the head; nothing was sent.
            RuntimeError: when the reply has begun before.
        """
        if self._stage != _FRESH or self.gone:
            self._refuse()
            return
        if length is None and self._old:
            self.closes = True
        self._silent = self._silent or status in _NO_BODY
        self._chunked = length is None and not self._old
        self._left = length
        self._stage = _STARTED
        self._held = reply_head(status, headers, self._framing(status, length))
        self._front.call_soon(self._flush)

    def start_lines(self, lines: bytes, piece: bytes) -> None:
        """Send the head of a reply in chunks, and a piece, as `message.Reply` has it.

        Raises:
            RuntimeError: when the reply has begun before.
        """
        if self._stage != _FRESH or self.gone:
            self._refuse()
            return
        self._chunked = not self._old
        self.closes = self.closes or self._old
        self._stage = _STARTED
        self._held = b"%b\r\n%b\r\n" % (lines, self._framing(_OK, None))
        self.write(piece)
        self._flush()

    def write(self, piece: bytes) -> None:
        """Send a piece of the body.

        One beyond the length cuts the reply, and so does one too many though the reply is full;
        then `on_gone` is called.

        Raises:
            RuntimeError: when the reply has not begun, or has ended.
        """
        if self._stage != _STARTED or self.gone:
            self._refuse()
            return
        if not piece or self._silent:
            return
        if self.full and self._front.is_flooded():
            self._give_up()
            return
        if self._chunked and not self._held and len(piece) <= _COPIED_BYTES:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            return
        if self._left is not None and not self._fits(len(piece)):
            return
        if self._chunked:
            self._put((b"%x\r\n" % len(piece), piece, b"\r\n"), len(piece))
        else:
            self._put((piece,), len(piece))

    def passage(self) -> Callable[[bytes], None] | None:
        """Return what sends whole chunks with their framing, as `message.Reply` has it."""
        if self._stage != _STARTED or self._held or not self._chunked or self._silent:
            return None
        return None if self.full or self.gone else self._transport.write

    def end(self, last: bytes = b"") -> None:
        """Send the last piece and what ends the body. One that is too short is cut.

        Raises:
            RuntimeError: when the reply has not begun, or has ended.
        """
        if self._stage != _STARTED or self.gone:
            self._refuse()
            return
        if self._silent:
            self._flush()
        elif self._left is not None and (not self._fits(len(last)) or self._left):
            self._give_up()
            return
        elif not self._chunked:
            self._put((last,), len(last))
        elif last:
            self._put((b"%x\r\n" % len(last), last, b"\r\n0\r\n\r\n"), len(last))
        else:
            self._put((b"0\r\n\r\n",), 0)
        self._finish()

    def cut(self) -> None:
        """Close, so that the client sees a broken reply and never a whole one."""
        if self.gone or self._stage == _ENDED:
            return
        self._stage = _ENDED
        self.gone = True
        self.closes = True
        if self._held or not self._is_framed():
            # Nothing was sent, or what was sent has no end of its own: only a reset tells.
            self._held = b""
            reset(self._transport)
        else:
            self._transport.close()
        self._front.finished()

    def leave(self) -> None:
        """Note that the client has gone; called by the connection."""
        if self.gone or self._stage == _ENDED:
            return
        self.gone = True
        self._held = b""
        on_gone, self.on_gone, self.on_full, self.on_drained = self.on_gone, None, None, None
        if on_gone is not None:
            on_gone()

    def fill(self, *, full: bool) -> None:
        """Note that the client reads too slowly, or again; called by the connection."""
        self.full = full
        heard = self.on_full if full else self.on_drained
        if heard is not None and self._stage != _ENDED:
            heard()

    @property
    def has_begun(self) -> bool:
        """Whether the head was given."""
        return self._stage != _FRESH

    def _is_framed(self) -> bool:
        return self._stage == _FRESH or self._chunked or self._left is not None

    def _refuse(self) -> None:
        if not self.gone:
            raise RuntimeError("a reply is started once, and written to until it ends")

    def _give_up(self) -> None:
        """Cut, and tell the handler that nobody hears the rest."""
        self._held = b""
        reset(self._transport)
        self.leave()
        self._front.abort()

    def _fits(self, size: int) -> bool:
        """Count the piece in; one that goes beyond the length cuts the reply."""
        self._left = (self._left or 0) - size
        if self._left < 0:
            self._give_up()
            return False
        return True

    def _put(self, parts: tuple[bytes, ...], size: int) -> None:
        if self._held:
            parts = (self._held, *parts)
            self._held = b""
        if size <= _COPIED_BYTES:
            self._transport.write(b"".join(parts))
        else:
            self._write_each(parts)

    def _write_each(self, parts: tuple[bytes, ...]) -> None:
        """Write large parts without copying them.

        Not by `writelines`: that of asyncio in 3.13.0 never says that the client reads too slowly.
        """
        for part in parts:
            self._transport.write(part)

    def _flush(self) -> None:
        if self._held and not self.gone:
            self._transport.write(self._held)
            self._held = b""

    def _finish(self) -> None:
        self._stage = _ENDED
        self.on_gone = self.on_full = self.on_drained = None
        self._front.finished()

    def _framing(self, status: int, length: int | None) -> bytes:
        if status in _NO_BODY:
            framing = b""
        elif length is not None:
            framing = b"content-length: %d\r\n" % length
        else:
            framing = b"" if self._old else b"transfer-encoding: chunked\r\n"
        if self.closes:
            return framing + b"connection: close\r\n"
        return framing + b"connection: keep-alive\r\n" if self._old else framing


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, so that nobody takes the end of the bytes for the end of a body."""
    found = None if transport.is_closing() else transport.get_extra_info("socket")
    if found is not None and found.family in {socket.AF_INET, socket.AF_INET6}:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
