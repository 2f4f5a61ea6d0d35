"""A file as sources see it: its name, its first bytes, its lines; here are gzip and limits."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader, BytesIO, FileIO
from typing import IO, TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clearbar.spend.files.table_mapping import TableMapping

Part = TypeVar("Part")
HEAD_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 32 * 1024 * 1024
MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
MAX_VALUES: Final = 5_000_000
"""Of one JSON document: a value may take fifty times the memory of its text."""
TOO_MUCH: Final = (f"one document of more than {MAX_VALUES:,} values", "write one record a line")
_LARGE_BYTES: Final = 8 * 1024 * 1024
_BLOCK_BYTES: Final = 64 * 1024
_MARK: Final = b"\xef\xbb\xbf"
"""Before texts that some programs write; it belongs to none of their lines."""


class UnreadableFile(ClearbarError):  # noqa: N818 - it names the file's state
    """A file that cannot be read to its end: cut short, damaged or too large."""


class Damage:
    """Where a file turns out to be damaged: told only when what stands before it is told."""

    def __init__(self) -> None:
        self._error: UnreadableFile | None = None

    def noted(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield parts of a file as far as it can be read."""
        try:
            yield from parts
        except UnreadableFile as error:
            self._error = error

    def tell(self) -> None:
        """Say so, where there is any.

        Raises:
            UnreadableFile: when the file could not be read to its end.
        """
        if self._error:
            raise self._error


class Line(NamedTuple):
    """One line: its 1-based number, the offset of its first byte, its bytes without the newline."""

    number: int
    offset: int
    payload: bytes


class Block(NamedTuple):
    """Consecutive lines: number and offset of the first, then all of them as they stand."""

    number: int
    offset: int
    lines: list[bytes]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to be read. `mapping` is set for the `table` source only."""

    path: Path
    head: bytes
    """The first bytes, decompressed, without a byte order mark."""
    mapping: TableMapping | None = None

    @property
    def name(self) -> str:
        """The file name in lower case, without `.gz`."""
        return self.path.name.lower().removesuffix(".gz")

    def open(self) -> IO[bytes]:
        """Open for reading bytes, decompressed."""
        return cast("IO[bytes]", _open(self.path))

    def lines(self) -> Iterator[Line]:
        """Yield the lines that are not blank.

        Raises:
            UnreadableFile: when the file is damaged or a line is too long.
        """
        for number, offset, lines in self.blocks():
            for index, raw in enumerate(lines):
                if payload := raw.rstrip(b"\r\n"):
                    yield Line(number + index, offset, payload)
                offset += len(raw)  # noqa: PLW2901 - it runs along with the lines

    def blocks(self) -> Iterator[Block]:
        """Yield all lines, blank ones too, many at a time: for formats of which much is read.

        Raises:
            UnreadableFile: when the file is damaged or a line is too long.
        """
        number, offset, rest = 1, 0, [b""]  # in pieces: joining them each time would take long
        try:
            with _open(self.path) as stream:
                while data := stream.read1(_BLOCK_BYTES):  # read would lose what a cut leaves
                    if offset == 0 and rest == [b""] and data.startswith(_MARK):
                        offset, data = len(_MARK), data.removeprefix(_MARK)
                    if not data:
                        break
                    lines = BytesIO(data).readlines()  # searches faster than split does
                    is_open = not data.endswith(b"\n")
                    if is_open and len(lines) == 1:
                        rest.append(data)
                        _check_length(number, sum(map(len, rest)))
                        continue
                    lines[0] = b"".join([*rest, lines[0]])
                    _check_lengths(number, lines)
                    rest = [lines.pop() if is_open else b""]
                    if lines:
                        yield Block(number, offset, lines)
                        number += len(lines)
                        offset += sum(map(len, lines))
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"cannot be read past line {number - 1}: {_say(error)}") from error
        if last := b"".join(rest):
            yield Block(number, offset, [last])

    def document(self) -> bytes:
        """Return the whole content.

        Raises:
            UnreadableFile: when the file is damaged or too large.
        """
        try:
            with self.open() as stream:
                content = stream.read(MAX_DOCUMENT_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"cannot be read: {_say(error)}") from error
        if len(content) > MAX_DOCUMENT_BYTES:
            raise UnreadableFile(f"one document of more than {MAX_DOCUMENT_BYTES:,} bytes")
        if holds_too_much(content):
            raise UnreadableFile(*TOO_MUCH)
        return content.removeprefix(_MARK)


def open_source_file(path: Path, mapping: TableMapping | None = None) -> SourceFile:
    """Return the file with its first bytes read.

    Raises:
        UnreadableFile: when not even those can be read.
    """
    try:
        with _open(path) as stream:
            head = _head(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"cannot be read: {_say(error)}") from error
    return SourceFile(path, head.removeprefix(_MARK), mapping)


def _head(stream: BufferedIOBase) -> bytes:
    """Return the first bytes; of a file that is cut before, those in front of the cut.

    Raises:
        OSError, EOFError, zlib.error: when there are none.
    """
    head = b""
    try:
        while len(head) < HEAD_BYTES and (more := stream.read1(HEAD_BYTES - len(head))):
            head += more
    except (OSError, EOFError, zlib.error):
        if not head:
            raise
    return head


def holds_too_much(payload: bytes) -> bool:
    """Return whether decoding a payload as JSON would take far more memory than it does."""
    return len(payload) > _LARGE_BYTES and sum(map(payload.count, (b",", b"[", b"{"))) > MAX_VALUES


def _check_lengths(number: int, lines: list[bytes]) -> None:
    if max(map(len, lines)) > MAX_LINE_BYTES:
        for index, line in enumerate(lines):
            _check_length(number + index, len(line))


def _check_length(number: int, length: int) -> None:
    if length > MAX_LINE_BYTES:
        raise UnreadableFile(
            f"line {number} is longer than {MAX_LINE_BYTES:,} bytes",
            "split the file into one record a line",
        )


def state_of(path: Path) -> str:
    """Return what is equal as long as nobody has written to the file; writing changes its ctime."""
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def _open(path: Path) -> BufferedIOBase:
    stream = BufferedReader(FileIO(path), HEAD_BYTES)
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    stream.close()
    return gzip.open(path, "rb")


def _say(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
