"""Withdrawals: lines of a bill or buckets that an API no longer tells of, written by a pull.

Where: `withdrawn.jsonl` in a folder below `.clearbar/pulled/`, beside the pages of the pull that
found them gone. Each line is a record that an earlier pull told of, without calls, quantities and
cost: it takes the place of the earlier one. Told again later, the line counts again: of one bucket
or line of a bill the newest pull is right.

Never here: anything that a provider wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend.shapes.withdrawal import MARK, record_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.charge import Record
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "withdrawn"
PARSER_VERSION: Final = 1
TITLE: Final = "Withdrawals of a pull"
WHERE: Final = ".clearbar/pulled/, written by `clearbar spend pull`"
CONVENTION: Final = "A withdrawal has no tokens: it says that a line counts no more."


def recognises(file: SourceFile) -> bool:
    """Return whether the file begins as those that a pull writes."""
    return file.head.startswith(MARK.encode())


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each line.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    for line in file.lines():
        try:
            record = record_of(line.payload)
        except (ValueError, ArithmeticError, RecursionError):
            yield Problem("not a withdrawal", "pull these days again", line.number)
            continue
        place = {"line": line.number, "offset": line.offset, "length": len(line.payload)}
        yield msgspec.structs.replace(record, **place)
