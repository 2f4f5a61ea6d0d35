"""A stream as it flows: whole chunks of known events go from the upstream to the client untouched.

Most chunks of a stream hold one event that says nothing new but its text. Such a chunk is sound
HTTP for the client as it is for us, so it is not unpacked, only counted; whatever else comes goes
the ordinary way, through the parser and the meter. What is done for each chunk is little, and it
touches few objects: between two chunks of one stream many others pass, and memory that a processor
has to fetch anew costs more than the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.wire.likeness import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.message import Reply
    from clearbar.route.wire.likeness import Likeness
    from clearbar.route.wire.metering import Events

_LINE_END: Final = b"\r\n"
_MOST_BYTES: Final = 4096
"""A longer chunk is left to the parser."""
_POURED_BYTES: Final = 2**20
"""So often at least what was counted is handed over."""


def _chunk_heads() -> list[bytes]:
    """Return by the length of a whole chunk the line with its size.

    Where no chunk has that length, it is one that none begins with.
    """
    heads = [_LINE_END] * (_MOST_BYTES + 16)
    for size in range(1, _MOST_BYTES):
        head = b"%x\r\n" % size
        heads[len(head) + size + len(_LINE_END)] = head
    return heads


_HEADS: Final = _chunk_heads()


class Flow:
    """Between one reply of an upstream and the reply that it streams into."""

    __slots__ = (
        "_after",
        "_around",
        "_before",
        "_behind",
        "_bytes",
        "_looked",
        "_meter",
        "_text_bytes",
        "_write",
        "like",
    )

    def __init__(self, meter: Events, like: Likeness, write: Callable[[bytes], None]) -> None:
        self.like = like
        self._meter = meter
        self._before = like.before
        self._after = like.after + _LINE_END
        self._behind = len(self._after)
        self._around = len(like.before) + len(like.after)
        self._write = write
        self._bytes = self._text_bytes = 0
        """Of content, and of the texts in it, since they were last handed over."""
        self._looked = 0

    def take(self, chunk: bytes) -> bool:
        """Pass a chunk on, where these bytes are one and hold a known event; else do nothing."""
        size = len(chunk)
        if size >= _MOST_BYTES or self._bytes > _POURED_BYTES:
            return False
        opening = _HEADS[size] + self._before
        text = chunk.removeprefix(opening).removesuffix(self._after)
        text_bytes = len(text)
        if text_bytes != size - len(opening) - self._behind or not is_text(text):
            return False
        self._bytes += text_bytes + self._around
        self._text_bytes += text_bytes
        self._write(chunk)
        return True

    def has_moved(self) -> bool:
        """Return whether anything has come since this was last asked."""
        looked, self._looked = self._looked, self._bytes
        return looked != self._looked

    def pour(self) -> int:
        """Hand what was counted over to the meter; return the bytes of content among it."""
        size = self._bytes
        self._meter.count(size, self._text_bytes)
        self._bytes = self._text_bytes = 0
        return size


class _LooseFlow(Flow):
    """Where two texts vary, or the client is not to see all of an event."""

    __slots__ = ()

    def take(self, chunk: bytes) -> bool:
        """Pass on what the client is to see of a chunk; as `Flow.take`."""
        size, like = len(chunk), self.like
        if size >= _MOST_BYTES or self._bytes > _POURED_BYTES:
            return False
        head = _HEADS[size]
        begin, end = len(head), size - 2
        if not (chunk.startswith(head) and chunk.endswith(_LINE_END)):
            return False
        text_bytes = like.text_in(chunk, begin, end)
        if not text_bytes:
            return False
        self._bytes += end - begin
        self._text_bytes += text_bytes
        if like.cuts:
            passed = like.passed(chunk[begin:end], text_bytes)
            chunk = b"%x\r\n%b\r\n" % (len(passed), passed)
        self._write(chunk)
        return True


def flow_from(before: Flow | None, meter: Events, reply: Reply) -> Flow | None:
    """Return what lets a stream flow from here on: the flow before, where that still fits.

    None where no event begins here, where none is known, or where the client cannot be sent chunks.
    """
    like = meter.like
    if like is None:
        return None
    if before is not None and before.like is like:
        return before
    write = reply.passage()
    if write is None:
        return None
    return (Flow if like.is_simple else _LooseFlow)(meter, like, write)
