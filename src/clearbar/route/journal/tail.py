"""One worker's journal, read from a place on.

A journal may be read while it is written, by any number of processes. Of the segment that a living
worker writes, lines are read up to the first that is not whole yet. A segment that is left, or
whose worker is dead, is read to its end: what is damaged in it is a `Problem`, and the next sound
line goes on. The bytes behind the last line of a dead worker are no problem: it died writing
them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.route.journal.entry import Entry
from clearbar.route.journal.framing import FORMAT, HEADER, next_line, offsets_of, sound_lines
from clearbar.route.journal.lock import is_alive
from clearbar.route.journal.segment import segment_name, segment_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PIECE_BYTES: Final = 64 * 1024
"""So much is read and decoded at once: little enough to be in the processor's cache still."""
_ZERO: Final = b"\0"
_ZEROS: Final = _ZERO * _PIECE_BYTES


class Place(NamedTuple):
    """How far a worker's journal has been read."""

    segment: int = 0
    """The number of the segment to read on in; smaller than any: from the beginning."""
    offset: int = 0


class Placed(NamedTuple):
    """An entry and where it stands."""

    worker: str
    number: int
    """Of the segment."""
    offset: int
    """First byte of the entry's JSON in it."""
    payload: bytes
    """The JSON."""
    entry: Entry

    @property
    def segment(self) -> str:
        """Return the segment's file, relative to the folder of all journals."""
        return f"{self.worker}/{segment_name(self.number)}"

    @property
    def length(self) -> int:
        """Return how many bytes the JSON has."""
        return len(self.payload)


class Lines(NamedTuple):
    """Sound lines of one segment that follow each other, as they stand there."""

    number: int
    """Of the segment."""
    start: int
    """Where the first line begins."""
    payloads: list[bytes]
    """The JSON of each."""

    @property
    def offsets(self) -> Sequence[int]:
        """Return where the JSON of each stands."""
        return offsets_of(self.payloads, self.start)


class Block(NamedTuple):
    """Entries of one segment that follow each other, and where they stand."""

    worker: str
    number: int
    """Of the segment."""
    offsets: Sequence[int]
    """First byte of each entry's JSON."""
    payloads: Sequence[bytes]
    entries: Sequence[Entry]

    @property
    def segment(self) -> str:
        """Return the segment's file, relative to the folder of all journals."""
        return f"{self.worker}/{segment_name(self.number)}"


class Tail:
    """One worker's journal, read from a place on, as often as asked."""

    def __init__(self, folder: Path, worker: str, place: Place = Place()) -> None:  # noqa: B008 - frozen
        self.worker = worker
        self.place = place
        """Behind the last entry, or block, that was yielded."""
        self.finished = False
        """Whether the worker is dead and all that it wrote has been read."""
        self.problems: list[tuple[str, Problem]] = []
        """What was damaged, with the segment's file, relative to the folder."""
        self._folder = folder
        self._decode = msgspec.json.Decoder(Entry).decode

    def new_entries(self) -> Iterator[Placed]:
        """Yield what has come since; `place` moves on with each entry."""
        for block in self.new_blocks():
            behind = self.place
            worker, number, *columns = block
            for offset, payload, entry in zip(*columns, strict=True):
                self.place = Place(number, offset + len(payload) + 1)
                yield Placed(worker, number, offset, payload, entry)
            self.place = behind

    def skip_to_end(self) -> None:
        """Pass over all that is there now."""
        own = self._folder / self.worker
        self.finished = bool(segment_numbers(own)) and not is_alive(self._folder, self.worker)
        for _ in self.new_lines():
            pass

    def segments_behind(self) -> int:
        """Return how many segments there are behind the one that is being read; cheap."""
        if self.finished:
            return 0
        newest = max(segment_numbers(self._folder / self.worker), default=0)
        return max(0, newest - max(self.place.segment, 1))

    def new_blocks(self) -> Iterator[Block]:
        """Yield what has come since, many entries at a time; `place` moves on with each block."""
        for lines in self.new_lines():
            yield self.block_of(lines)

    def new_lines(self) -> Iterator[Lines]:
        """Yield what has come since as it stands there; `place` moves on as with blocks."""
        if self.finished:
            return
        own = self._folder / self.worker
        if not segment_numbers(own):  # it has not begun: its lock may not be there either
            return
        alive = is_alive(self._folder, self.worker)
        numbers = [n for n in segment_numbers(own) if n >= self.place.segment]
        for number, following in zip(numbers, [*numbers[1:], None], strict=True):
            last = following is None or not _has_begun(own, following)
            left = not (alive and last)
            if number != self.place.segment:
                self.place = Place(number)
            yield from self._segment(number, left=left, last=last)
            if not left:
                return
            self.place = Place(number + 1)
        self.finished = True

    def block_of(self, lines: Lines) -> Block:
        """Return the entries of some lines; lines that are none are noted and left out."""
        number, _, payloads = lines
        offsets = lines.offsets
        try:
            entries: list[Entry] = list(map(self._decode, payloads))
        except msgspec.MsgspecError:
            found = [
                (offset, payload, entry)
                for offset, payload in zip(offsets, payloads, strict=True)
                if (entry := self._decoded(payload, offset, number)) is not None
            ]
            columns = zip(*found, strict=True) if found else ((), (), ())
            return Block(self.worker, number, *columns)
        return Block(self.worker, number, offsets, payloads, entries)

    def _segment(self, number: int, *, left: bool, last: bool) -> Iterator[Lines]:
        try:
            descriptor = os.open(self._folder / self.worker / segment_name(number), os.O_RDONLY)
        except FileNotFoundError:
            return
        with _closed(descriptor):
            at = self._start(descriptor, number)
            while at is not None:
                for start, payloads, end in _sound_pieces(descriptor, at):
                    at = end
                    self.place = Place(number, at)
                    yield Lines(number, start, payloads)
                at = self._behind_damage(descriptor, number, at, last=last) if left else None

    def _start(self, descriptor: int, number: int) -> int | None:
        """Return where to read on; None in a segment that is not ours to read."""
        if self.place.offset:
            return self.place.offset
        head = os.pread(descriptor, len(HEADER), 0)
        if head.startswith(FORMAT) and head != HEADER:
            self._note(number, "a segment of another format", "read it with the newest Clearbar")
            return None
        return len(HEADER) if head == HEADER else 0

    def _behind_damage(self, descriptor: int, number: int, at: int, *, last: bool) -> int | None:
        """Return where the next sound line begins behind what is none; None where nothing does."""
        if _is_empty(descriptor, at):
            return None
        rest = _rest(descriptor, at)
        found = next_line(rest, 0)
        if found is None and last:
            return None  # it died there
        size = len(rest.rstrip(_ZERO)) if found is None else found
        self._note(number, f"{size:,} bytes at byte {at:,} are no line of a journal", _DAMAGED)
        return None if found is None else at + found

    def _decoded(self, payload: bytes, offset: int, number: int) -> Entry | None:
        try:
            entry: Entry = self._decode(payload)
        except msgspec.MsgspecError:
            what = f"the line at byte {offset:,} is no entry"
            self._note(number, what, "was it written by a newer Clearbar?")
            return None
        return entry

    def _note(self, number: int, what: str, hint: str) -> None:
        self.problems.append((f"{self.worker}/{segment_name(number)}", Problem(what, hint)))


def _sound_pieces(descriptor: int, at: int) -> Iterator[tuple[int, list[bytes], int]]:
    """Yield the lines from a place on, up to the first that is not sound, many at a time.

    Each with where the first begins, and where the one behind the last would.
    """
    size = _PIECE_BYTES
    while data := os.pread(descriptor, size, at):
        payloads, done = sound_lines(data)
        if payloads:
            yield at, payloads, at + done
        elif len(data) < size or data.startswith(_ZERO):
            return
        at += done
        size = _PIECE_BYTES if done else 4 * size


def _is_empty(descriptor: int, at: int) -> bool:
    """Return whether nothing was written from a place on: usually there are many zeros."""
    while piece := os.pread(descriptor, len(_ZEROS), at):
        if piece != _ZEROS[: len(piece)]:
            return False
        at += len(piece)
    return True


def _rest(descriptor: int, at: int) -> bytes:
    return os.pread(descriptor, max(0, os.fstat(descriptor).st_size - at), at)


def _has_begun(folder: Path, number: int) -> bool:
    """Return whether a segment holds a line, so that the one before it is left."""
    try:
        descriptor = os.open(folder / segment_name(number), os.O_RDONLY)
    except FileNotFoundError:
        return False
    with _closed(descriptor):
        return os.pread(descriptor, 1, len(HEADER)) not in (b"", _ZERO)


@contextmanager
def _closed(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


_DAMAGED: Final = "the lines behind it were read; restore the file from a backup to have these too"
