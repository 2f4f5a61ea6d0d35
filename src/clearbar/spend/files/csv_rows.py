"""The rows of a CSV file: separated by comma, semicolon or tab, with a header."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import Problem
from clearbar.spend.files.entry import Entry
from clearbar.spend.files.source_file import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

_SEPARATORS: Final = (",", ";", "\t")


def csv_rows(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the rows that are not blank; one whose width is not the header's is a `Problem`.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    csv.field_size_limit(MAX_LINE_BYTES)  # the default refuses prompts, which some exports hold
    reader = csv.reader(_texts(file), delimiter=_separator(_first_line(file.head)))
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
        if header is None:
            header = [name.strip() for name in values]
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


def _texts(file: SourceFile) -> Iterator[str]:
    for number, _, lines in file.blocks():
        for raw in lines:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
