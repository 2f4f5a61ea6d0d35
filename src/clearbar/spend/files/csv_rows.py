"""The rows of a CSV file: separated by comma, semicolon or tab, with a header."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import Problem
from clearbar.spend.files.entry import Entry
from clearbar.spend.files.source_file import MAX_LINE_BYTES, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

_SEPARATORS: Final = (",", ";", "\t")
_MOST_COLUMNS: Final = 10_000
_LARGE_BYTES: Final = 4 * 1024 * 1024
_MOST_FIELDS: Final = 1_000_000
"""Of a row that is large; a field may take fifty times the memory of its text."""


def csv_rows(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the rows that are not blank; one whose width is not the header's is a `Problem`.

    Raises:
        UnreadableFile: when the file is damaged, or too wide.
    """
    csv.field_size_limit(MAX_LINE_BYTES)  # the default refuses prompts, which some exports hold
    texts = _Texts(file, _separator(_first_line(file.head)))
    reader = csv.reader(texts, delimiter=texts.separator)
    header: list[str] | None = None
    while True:
        number = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Problem("not CSV", "quotes may be missing or doubled", number)
            continue
        finally:
            texts.end_row()
        if header is None:
            header = [name.strip() for name in values]
            if len(header) > _MOST_COLUMNS:
                raise UnreadableFile(f"more than {_MOST_COLUMNS:,} columns", "write fewer")
        elif len(values) == len(header):
            yield Entry(dict(zip(header, values, strict=True)), number)
        elif values:
            what = f"{len(values)} fields where the header has {len(header)}"
            yield Problem(what, "text that holds a separator needs quotes", number)


def csv_header(head: bytes) -> list[str]:
    """Return the column names in the first line of a file's first bytes; none where it is empty."""
    line = _first_line(head)
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=_separator(line)))]
    except (StopIteration, csv.Error):
        return []


def _first_line(head: bytes) -> str:
    return head.partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r")


def _separator(first_line: str) -> str:
    return max(_SEPARATORS, key=first_line.count)


class _Texts:
    """The lines of a file as text, as long as they make up rows that fit into memory.

    Iterate over it once.
    """

    def __init__(self, file: SourceFile, separator: str) -> None:
        self._file = file
        self.separator = separator
        self._row_bytes = self._fields = 0

    def __iter__(self) -> Iterator[str]:
        for _, _, lines in self._file.blocks():
            for raw in lines:
                self._row_bytes += len(raw)
                if self._row_bytes > _LARGE_BYTES:
                    self._check_row(raw)
                yield raw.decode("utf-8", "replace")

    def end_row(self) -> None:
        """Say that the next line begins another row."""
        self._row_bytes = self._fields = 0

    def _check_row(self, raw: bytes) -> None:
        self._fields += raw.count(self.separator.encode())
        if self._row_bytes > MAX_LINE_BYTES or self._fields > _MOST_FIELDS:
            raise UnreadableFile("a row that is too long", "a quote may be missing")
