"""Heads of streams that came before, told by their bytes; and whole chunks, as they came. Pure.

As in `repeated_reply`: what the parser once took is taken again without it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from clearbar.route.http.message import Memory
from clearbar.route.http.repeated_reply import ReplyHeaders, sole_chunk

_BEGINS: Final = b"HTTP/1.1 200 "
_HEAD_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"
_HEX: Final = frozenset(b"0123456789abcdef")
_MOST_HEX: Final = 9
_LAST_CHUNK: Final = b"0\r\n\r\n"
_CHUNKED: Final = (b"transfer-encoding", b"chunked")
_OTHER_FRAMING: Final = frozenset({b"connection", b"content-length"})
_EVENTS: Final = b"text/event-stream"
_MOST_HEADS: Final = 16
_ALWAYS: Final = 16
_SELDOM: Final = 64


class StreamHead(NamedTuple):
    """A head behind which a stream of events comes in chunks, and then another reply may."""

    raw: bytes
    headers: ReplyHeaders


class RepeatedStreams:
    """The heads that an upstream's streams begin with, as far as they come again."""

    __slots__ = ("_heads", "_missed")

    def __init__(self) -> None:
        self._heads: dict[bytes, StreamHead] = {}
        self._missed = 0
        """Heads since one came again: where each is another one, few are looked at."""

    def again(self, data: bytes) -> StreamHead | None:
        """Return the head that these bytes begin with, if it came before."""
        if not self._heads or not data.startswith(_BEGINS):
            return None
        found = self._heads.get(data[: data.find(_HEAD_END) + 4])
        if found is not None:
            self._missed = 0
        return found

    def remember(self, data: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Take note of a reply that was judged sound, and whose head came whole at once."""
        if not data.startswith(_BEGINS) or headers.count(_CHUNKED) != 1:
            return
        self._missed += 1
        if self._missed > _ALWAYS and self._missed % _SELDOM:
            return
        names = [name for name, _ in headers]
        if names.count(_CHUNKED[0]) != 1 or not _OTHER_FRAMING.isdisjoint(names):
            return
        if not any(name == b"content-type" and value == _EVENTS for name, value in headers):
            return
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        head, kept = data[: data.find(_HEAD_END) + 4], ReplyHeaders(headers)
        kept.memory = Memory()
        self._heads[head] = StreamHead(head, kept)


def whole_chunks(data: bytes) -> bytes | None:
    """Return what the chunks hold that these bytes are; None where they are anything else.

    As `sole_chunk` of several; the last, which is empty, is not among them.
    """
    if (alone := sole_chunk(data)) is not None:
        return alone
    found, at = [], 0
    while at < len(data):
        line = data.find(_LINE_END, at + 1, at + _MOST_HEX)
        digits = data[at:line]
        if line < 0 or not _HEX.issuperset(digits):
            return None
        size = int(digits, 16)
        at = line + size + 4
        if not size or digits != b"%x" % size or data[at - 2 : at] != _LINE_END:
            return None
        found.append(data[line + 2 : at - 2])
    return b"".join(found) if found else None


def last_chunks(data: bytes) -> bytes | None:
    """Return what the last chunks hold, where these bytes are whole chunks and the body's end.

    Empty where they are the end alone; None where they are anything else.
    """
    if not data.endswith(_LAST_CHUNK):
        return None
    return b"" if data == _LAST_CHUNK else whole_chunks(data[: -len(_LAST_CHUNK)])
