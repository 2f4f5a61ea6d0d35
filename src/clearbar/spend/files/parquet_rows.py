"""The rows of a Parquet file, read a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.files.entry import Entry
from clearbar.spend.files.source_file import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BATCH_ROWS: Final = 10_000
_SELECT: Final = "SELECT {} FROM read_parquet(?)"


def parquet_rows(path: Path) -> Iterator[Entry]:
    """Yield the rows as column -> value; moments with a time zone as microseconds since 1970.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    import duckdb  # noqa: PLC0415 - heavy, and only Parquet needs it

    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
    try:
        with duckdb.connect() as connection:
            described = connection.execute(f"DESCRIBE {_SELECT.format('*')}", [escaped]).fetchall()
            columns = ", ".join(_as_value(name, kind) for name, kind, *_ in described)
            connection.execute(_SELECT.format(columns), [escaped])
            names = [name for name, *_ in described]
            first = 1
            while batch := connection.fetchmany(_BATCH_ROWS):
                for number, values in enumerate(batch, first):
                    yield Entry(dict(zip(names, values, strict=True)), number)
                first += len(batch)
    except (duckdb.Error, ValueError, OverflowError) as error:  # of texts and times too
        raise UnreadableFile("no Parquet file that can be read", "write it again") from error


def _as_value(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return f"epoch_us({quoted})" if kind == "TIMESTAMP WITH TIME ZONE" else quoted
