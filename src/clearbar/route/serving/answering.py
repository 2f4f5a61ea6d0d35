"""Passes the answer of a call on to the client; its end only when the journal holds the charge.

Small whole answers are gathered and leave in one write; streams and large ones pass as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.serving.headers import header, reply_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.message import Reply
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.means import Means

GATHERED_BYTES: Final = 2**20
"""A whole answer up to this size is gathered."""
_HIDDEN: Final = b"[hidden]"
_COPIED_BYTES: Final = 2**20
"""Of a larger answer, no copy is kept for the shadow and the capture."""


class Answering:
    """One answer on its way to the client."""

    __slots__ = (
        "_copied",
        "_copy",
        "_headers",
        "_means",
        "_pieces",
        "_reply",
        "_size",
        "content_type",
        "flows",
        "hidden",
        "started",
        "status",
    )

    def __init__(
        self,
        means: Means,
        reply: Reply,
        status: int,
        headers: Headers,
        ours: Headers,
        *,
        copied: bool = False,
        started: bool = False,
    ) -> None:
        """Begin to answer; where it has `started`, the head is out, and all that comes flows."""
        self.status = status
        self.content_type = header(headers, b"content-type")
        self.started = started
        """Whether the client has been sent anything."""
        self.hidden = b""
        """What a gathered answer may not tell: the tool's key, which an error may repeat."""
        self._means = means
        self._reply = reply
        self._headers = reply_headers(headers, ours, status)
        self._pieces: list[bytes] = []
        self._size = 0
        self._copied = 0
        self._copy: list[bytes] | None = [] if copied else None
        self.flows = started
        """Whether all that comes goes to the client, and nowhere else."""
        if self.is_stream and not started:
            self._start()

    @property
    def is_stream(self) -> bool:
        """Whether the answer comes in events."""
        return self.content_type.startswith(b"text/event-stream")

    def take(self, piece: bytes) -> None:
        """Pass a piece on, or keep it until the answer is whole."""
        if self._copy is not None:
            self._keep_copy(piece)
        if self.started:
            self._reply.write(piece)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > GATHERED_BYTES:
            self._start()

    def finish(self, rest: bytes, position: int, lost: Callable[[], None]) -> None:
        """End the reply as soon as the journal is durable up to `position`.

        `lost` is called where it never will be: before anything was sent, or after `started`.
        """
        if rest and self._copy is not None:
            self._keep_copy(rest)
        if self.started:
            reply = self._reply
            self._means.journal.when_durable(position, lambda: reply.end(rest), lost)
            return
        if rest:
            self._pieces.append(rest)
        self._means.journal.when_durable(position, self._send, lost)

    def cut(self, event: bytes) -> None:
        """Break the reply off so that the client sees that it is not whole; with a last word."""
        if self.is_stream and event:
            self._reply.write(event)
        self._reply.cut()

    def gathered(self) -> bytes:
        """Return what has been kept of an answer that has not started."""
        return b"".join(self._pieces)

    def copy(self) -> bytes | None:
        """Return the whole answer, where a copy was wanted and it was not too large."""
        return None if self._copy is None else b"".join(self._copy)

    def _start(self) -> None:
        self.started = True
        self.flows = self._copy is None
        self._reply.start(self.status, self._headers, None)
        for piece in self._pieces:
            self._reply.write(piece)
        self._pieces.clear()

    def _send(self) -> None:
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self.hidden:
            body = body.replace(self.hidden, _HIDDEN)
        self._reply.send(self.status, self._headers, body)

    def _keep_copy(self, piece: bytes) -> None:
        self._copied += len(piece)
        if self._copied > _COPIED_BYTES:
            self._copy = None
        elif self._copy is not None:
            self._copy.append(piece)
