"""Server-sent events cut out of a stream as bytes, wherever its pieces were cut.

Lines end in LF, CR or CRLF, an event with an empty line. Joined, the events and the rest are the
stream, byte for byte. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EVENT_BYTES: Final = 32 * 2**20
"""Of an event that has not ended; a longer one is no longer looked at."""
DONE: Final = b"[DONE]"
_END: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE: Final = re.compile(rb"\r\n|\n|\r")
_PLAIN: Final = b"data: "
_NAMED: Final = b"event: "


class Splitter:
    """Cuts events, each with the empty line that ends it; what has not ended is kept."""

    __slots__ = ("_edge", "_held", "_size")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._edge = b""
        """The last bytes held, behind which an end may have begun."""

    def feed(self, piece: bytes) -> Sequence[bytes]:
        """Return the events that these bytes end."""
        if self._held or piece[-2:] != b"\n\n" or b"\r" in piece or piece[-3:] == b"\n\n\n":
            return self._mixed(piece)
        if piece.find(b"\n\n") == len(piece) - 2:
            return (piece,)
        return [event + b"\n\n" for event in piece[:-2].split(b"\n\n")]

    def rest(self) -> bytes:
        """Return what has not ended, and forget it."""
        rest = b"".join(self._held)
        self._held.clear()
        self._size, self._edge = 0, b""
        return rest

    @property
    def held_bytes(self) -> int:
        """How many bytes are kept."""
        return self._size

    def _mixed(self, piece: bytes) -> list[bytes]:
        events: list[bytes] = []
        probe = self._edge + piece
        if _END.search(probe) is None:
            self._hold(piece)
            return events
        text, start = self.rest() + piece, 0
        for end in _END.finditer(text, max(0, len(text) - len(probe))):
            # Behind a carriage return at the very end its line feed may follow.
            if end.end() == len(text) and text.endswith(b"\r"):
                break
            events.append(text[start : end.end()])
            start = end.end()
        self._hold(text[start:])
        return events

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._held.append(piece)
            self._size += len(piece)
            self._edge = (self._edge + piece[-3:])[-3:]


def data_of(event: bytes) -> bytes:
    """Return the data of an event; empty for none, as of a comment."""
    line = event.find(b"\n")
    if b"\r" not in event:
        if line == len(event) - 2 and event.startswith(_PLAIN):
            return event[6:-2]
        two_lines = event.startswith(_NAMED) and event.find(b"\n", line + 1) == len(event) - 2
        if two_lines and event.startswith(_PLAIN, line + 1):
            return event[line + 7 : -2]
    said = []
    for each in _LINE.split(event.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = each.partition(b":")
        if name == b"data":
            said.append(value.removeprefix(b" "))
    return b"\n".join(said)
