"""What the parser of an upstream's replies calls: it gathers, and tells nobody."""

from __future__ import annotations

from typing import Final

import httptools

_SUCCESS: Final = 200
_SWITCHING: Final = 101


class ReplyParsing:
    """A parser with what it has read of the reply in turn."""

    __slots__ = (
        "_between_chunks",
        "_headers",
        "_interim",
        "_parser",
        "_pieces",
        "_spoiled",
        "_status",
        "_whole",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._status = 0
        self._interim = 0
        """Replies before the one that counts."""
        self._between_chunks = False
        """Whether the parser is between two chunks, so that one may pass it by."""
        self._whole = False
        self._spoiled = False
        """Whether more came than the reply."""

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
