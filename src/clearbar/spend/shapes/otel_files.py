"""Files of OTLP in protobuf: one request, or requests each behind its length in four bytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from clearbar.spend.files.entry import Entry
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import MAX_LINE_BYTES, Line, UnreadableFile
from clearbar.spend.shapes.otel_protobuf import decoded, signal_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

_LENGTH_BYTES: Final = 4
_OPENING: Final = 0x0A
"""The tag of the first field, where it is a message: a request begins with it."""
_SURE: Final = (
    b"service.name",
    b"telemetry.sdk",
    b"gen_ai.",
    b"llm.token_count",
    b"openinference.",
    b"ai.operationId",
    b"claude_code.",
)
"""Attributes of which one stands near the beginning of any request that matters here."""


def is_protobuf(head: bytes) -> bool:
    """Return whether the first bytes are those of an export request in protobuf."""
    return (_is_behind_length(head) or _is_request(head, len(head))) and any(
        name in head for name in _SURE
    )


def protobuf_entries(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield each request of a file as JSON would have it; `number` counts them.

    Raises:
        UnreadableFile: when the file is damaged, or a request is too large.
    """
    if not _is_behind_length(file.head):
        yield _entry(1, None, file.document())
        return
    number, offset = 0, 0
    try:
        with file.open() as stream:
            while head := stream.read(_LENGTH_BYTES):
                number += 1
                payload = _after(stream, head, number)
                offset += _LENGTH_BYTES
                yield _entry(number, Line(number, offset, payload), payload)
                offset += len(payload)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"cannot be read past request {number}") from error


def _after(stream: IO[bytes], head: bytes, number: int) -> bytes:
    size = int.from_bytes(head, "big")
    if size > MAX_LINE_BYTES:
        raise UnreadableFile(f"request {number} is longer than {MAX_LINE_BYTES:,} bytes")
    payload = stream.read(size)
    if len(head) < _LENGTH_BYTES or len(payload) < size:
        raise UnreadableFile(f"request {number} is cut short", "copy the file again")
    return payload


def _entry(number: int, line: Line | None, payload: bytes) -> Entry | Problem:
    try:
        return Entry(decoded(signal_of(payload), payload), number, line)
    except QuarantineError as error:
        return error.problem(number)


def _is_behind_length(head: bytes) -> bool:
    size = int.from_bytes(head[:_LENGTH_BYTES], "big")
    return 0 < size <= MAX_LINE_BYTES and _is_request(head[_LENGTH_BYTES:], size)


def _is_request(head: bytes, size: int) -> bool:
    """Return whether a message in a message begins here: a resource with its items."""
    first = _length(head, 0)
    if first is None:
        return False
    inner, place = first
    if place + inner > size and size < len(head):
        return False
    tag = head[place : place + 1]
    return tag in (b"\x0a", b"\x12", b"\x1a") and _length(head, place) is not None


def _length(head: bytes, place: int) -> tuple[int, int] | None:
    """Return the length that stands behind a tag of the first kinds, and where it ends."""
    if place == 0 and head[:1] != bytes((_OPENING,)):
        return None
    size = 0
    for step, byte in enumerate(head[place + 1 : place + 6]):
        size |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return (size, place + 2 + step) if 0 < size <= MAX_LINE_BYTES else None
    return None
