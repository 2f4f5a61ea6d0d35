"""An entry of a file, such as a JSON value or a row, before it is a record."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict, TypeVar

from clearbar.core.errors import Problem
from clearbar.spend.charge import digest_of
from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from clearbar.spend.charge import Record
    from clearbar.spend.files.source_file import Line


class Entry(NamedTuple):
    """What a file holds, one of many: `number` is its line or row, or its place in a list."""

    value: Any
    number: int | None
    line: Line | None = None
    """Set where the entry is, or is on, a line of its own."""


class Note(NamedTuple):
    """What is told of a file that was read, and is no fault: nothing of it has to be mended."""

    what: str
    hint: str = ""


class Placed(Protocol):
    """Something that stands in a file."""

    @property
    def number(self) -> int | None:
        """Its line or row, or its place in a list; None where it is the whole file."""
        ...


Part = TypeVar("Part", bound=Placed)


def each_record(
    parts: Iterable[Part | Problem], record_of: Callable[[Part], Record | None]
) -> Iterator[Record | Problem]:
    """Yield the record of each part that has one; of what cannot be trusted the `Problem`."""
    for part in parts:
        if isinstance(part, Problem):
            yield part
            continue
        try:
            record = record_of(part)
        except QuarantineError as error:
            yield error.problem(part.number)
        else:
            if record is not None:
                yield record


class Counts(TypedDict, total=False):
    """The quantities of a `Record`."""

    input_tokens: int | None
    input_audio_tokens: int | None
    input_image_tokens: int | None
    input_video_tokens: int | None
    cache_read_tokens: int | None
    cache_read_audio_tokens: int | None
    cache_read_image_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    output_audio_tokens: int | None
    output_image_tokens: int | None
    reasoning_tokens: int | None
    web_searches: int | None
    file_searches: int | None
    code_sessions: int | None
    input_characters: int | None
    audio_seconds: int | None
    images: int | None


class Provenance(TypedDict, total=False):
    """The fields of a `Record` that say where it stands in its file."""

    line: int | None
    offset: int
    length: int
    digest: str


def provenance(entry: Entry) -> Provenance:
    """Return where an entry stands, as fields of a `Record`."""
    if entry.line is None:
        return {"line": entry.number}
    return {
        "line": entry.line.number,
        "offset": entry.line.offset,
        "length": len(entry.line.payload),
        "digest": digest_of(entry.line.payload),
    }


def text(value: object) -> str:
    """Return a plain value as text; empty for null, for false and for anything nested."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | Decimal) and value is not False else ""
