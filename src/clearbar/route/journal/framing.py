"""One line of a journal: how many bytes, their CRC-32, the bytes, a newline. All of it is text.

    0000018d 5f0e22c7 ["H","01K9...",1790000000000000,...]

Two numbers of eight hexadecimal digits, lower case, each with a space behind it; then the entry as
one JSON array, as UTF-8, in which no raw newline can stand; then a newline. The length counts the
JSON alone, and so does the checksum. There is one way to write a line, and what is not written that
way is no line: a reader checks all of it.

A segment begins with a line of its own that names the format, and is then filled from front to
back. What was never written is zero bytes, which begin no line. So the end of a segment is

    zeros                     nothing is missing
    a beginning, then zeros   the writer died in the middle of it; it had not been acknowledged
    zeros, then lines         the machine lost power before a page was on the disk: those lines had
                              not been acknowledged as durable, and those behind them still count

and a damaged line costs that line alone: its successor is found by its own length and checksum.

Pure: bytes in, lines out.
"""

from __future__ import annotations

import re
from itertools import accumulate, chain
from struct import pack
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = b"clearbar-journal "
HEADER: Final = FORMAT + b"1\n"
"""The first bytes of every segment."""

_PREFIX_BYTES: Final = 18
_BEGINNING: Final = re.compile(rb"[0-9a-f]{8} [0-9a-f]{8} ")


class Line(NamedTuple):
    """A sound line. Both places count from the same byte as the place that was given."""

    offset: int
    """Of the first byte of the JSON, not of the line."""
    payload: bytes
    """The JSON."""

    @property
    def end(self) -> int:
        """Where the next line begins."""
        return self.offset + len(self.payload) + 1


def framed(payload: bytes) -> bytes:
    """Return the line that holds some JSON."""
    return b"%08x %08x %b\n" % (len(payload), crc32(payload), payload)


def line_at(data: bytes, at: int) -> Line | None:
    """Return the line that begins at a place; None where none does, or not all of it is there."""
    start = at + _PREFIX_BYTES
    try:
        length = int(data[at : at + 8], 16)
    except ValueError:
        return None
    if not 0 < length <= len(data) - start:
        return None
    payload = data[start : start + length]
    whole = data[at : start + length + 1]
    return Line(start, payload) if whole == framed(payload) else None


def sound_lines(data: bytes) -> tuple[list[bytes], int]:
    """Return the JSON of the lines at the front, up to the first that is not sound or not whole.

    Also how many bytes they take. Usually all are sound, which is found out for all at once.
    """
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")
    lines.pop()
    payloads = [line[_PREFIX_BYTES:] for line in lines]
    prefixes = b"".join([line[:_PREFIX_BYTES] for line in lines])
    if all(payloads) and prefixes == _prefixes_of(payloads):
        return payloads, whole
    payloads, at = [], 0
    while (line := line_at(data, at)) is not None:
        payloads.append(line.payload)
        at = line.end
    return payloads, at


def _prefixes_of(payloads: Sequence[bytes]) -> bytes:
    """Return what stands before the JSON of some lines, one behind the other."""
    numbers = chain.from_iterable(zip(map(len, payloads), map(crc32, payloads), strict=True))
    digits = pack(f">{2 * len(payloads)}I", *numbers).hex(" ", 4)
    return f"{digits} ".encode() if payloads else b""


def offsets_of(payloads: Sequence[bytes], at: int) -> list[int]:
    """Return where the JSON of each line stands, of lines that follow each other from a place."""
    beyond = (_PREFIX_BYTES + 1).__add__
    found = list(accumulate(map(beyond, map(len, payloads)), initial=at + _PREFIX_BYTES))
    found.pop()
    return found


def next_line(data: bytes, at: int) -> int | None:
    """Return where the first sound line at or behind a place begins; None where there is none."""
    found = _BEGINNING.search(data, at)
    while found is not None:
        if line_at(data, found.start()) is not None:
            return found.start()
        found = _BEGINNING.search(data, found.start() + 1)
    return None
