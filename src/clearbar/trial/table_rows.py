"""The rows of a table in a file: JSON Lines, JSON, CSV or Parquet, by content; any may be gzipped.

Never here: what the columns mean.
"""

from __future__ import annotations

import codecs
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Entry
from clearbar.spend.files.json_records import Document, documents
from clearbar.spend.files.parquet_rows import parquet_rows
from clearbar.spend.files.source_file import MAX_DOCUMENT_BYTES, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_BLOCK_BYTES: Final = 1024 * 1024
_MAX_UNPACKED: Final = 16 * MAX_DOCUMENT_BYTES
NOT_A_CHARACTER: Final = "\N{REPLACEMENT CHARACTER}"


def table_rows(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the rows; each `Entry.value` is a dict, of texts only where the file is CSV.

    Raises:
        UnreadableFile: when the file is damaged or too large.
        ClearbarError: when a column stands in a CSV header twice.
    """
    if file.head.startswith(_PARQUET):
        yield from _parquet(file)
    elif file.head.lstrip()[:1] in {b"{", b"["}:
        yield from _json(file)
    else:
        yield from _csv(file)


def column_names(file: SourceFile) -> list[str] | None:
    """Return the header of a CSV file; None of other files, whose rows name their columns."""
    is_csv = not file.head.startswith(_PARQUET) and file.head.lstrip()[:1] not in {b"{", b"["}
    return csv_header(file.head) if is_csv else None


def _json(file: SourceFile) -> Iterator[Entry | Problem]:
    for found in documents(file):
        if not isinstance(found, Document):
            yield found
            continue
        whole = isinstance(found.value, list)
        for place, value in enumerate(found.value if whole else [found.value], 1):
            number = found.line.number if found.line else place if whole else None
            if isinstance(value, dict):
                yield Entry(value, number)
            else:
                yield Problem("not a JSON object", "write one object for each row", number)


def _csv(file: SourceFile) -> Iterator[Entry | Problem]:
    header = csv_header(file.head)
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise ClearbarError(f'the column "{twice}" stands in the header twice', "rename one")
    damaged = not _is_utf8(file)
    for row in csv_rows(file):
        if damaged and isinstance(row, Entry) and _has_lost_characters(row):
            yield Problem("not UTF-8 text", "save the file as UTF-8", row.number)
        else:
            yield row


def _has_lost_characters(row: Entry) -> bool:
    return any(NOT_A_CHARACTER in value for value in row.value.values())


def _is_utf8(file: SourceFile) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open() as stream:
            while data := stream.read(_BLOCK_BYTES):
                decoder.decode(data)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (OSError, EOFError, zlib.error):
        return True  # reading the rows will say where
    return True


def _parquet(file: SourceFile) -> Iterator[Entry]:
    with file.path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if not packed:
        yield from parquet_rows(file.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "table.parquet"
        _unpack(file, unpacked)
        yield from parquet_rows(unpacked)


def _unpack(file: SourceFile, target: Path) -> None:
    with target.open("wb") as out, file.open() as stream:
        left = _MAX_UNPACKED
        try:
            while data := stream.read(_BLOCK_BYTES):
                left -= out.write(data)
                if left < 0:  # a small gzip file may hold very much
                    raise UnreadableFile(f"more than {_MAX_UNPACKED:,} bytes when unpacked")
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile("the gzip file is damaged", "write it again") from error
