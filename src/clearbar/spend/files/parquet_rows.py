"""The rows of a Parquet file, read a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.files.entry import Entry
from clearbar.spend.files.source_file import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BATCH_ROWS: Final = 64
_MOST_CHARACTERS: Final = 8_000_000
"""Of the texts of one row: a few bytes of a file may stand for any number of long texts."""
_MEMORY: Final = "1GB"
_SELECT: Final = "SELECT {} FROM read_parquet(?)"


def parquet_rows(path: Path) -> Iterator[Entry]:
    """Yield the rows as column -> value; moments with a time zone as microseconds since 1970.

    Raises:
        UnreadableFile: when the file is damaged, or a row too long.
    """
    import duckdb  # noqa: PLC0415 - heavy, and only Parquet needs it

    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
    try:
        with duckdb.connect(config={"memory_limit": _MEMORY}) as connection:
            described = connection.execute(f"DESCRIBE {_SELECT.format('*')}", [escaped]).fetchall()
            columns = ", ".join(_as_value(name, kind) for name, kind, *_ in described)
            sized = " + ".join(_size(name, kind) for name, kind, *_ in described)
            fits = f"CASE WHEN {sized} > ? THEN error('too long') ELSE true END"
            query = f"{_SELECT.format(columns)} WHERE {fits}"
            connection.execute(query, [escaped, _MOST_CHARACTERS])
            names = [name for name, *_ in described]
            first = 1
            while batch := connection.fetchmany(_BATCH_ROWS):
                for number, values in enumerate(batch, first):
                    yield Entry(dict(zip(names, values, strict=True)), number)
                first += len(batch)
    except (duckdb.Error, ValueError, OverflowError) as error:  # of texts and times too
        raise UnreadableFile("no Parquet file that can be read", "write it again") from error


def _as_value(name: str, kind: str) -> str:
    return f"epoch_us({_quoted(name)})" if kind == "TIMESTAMP WITH TIME ZONE" else _quoted(name)


def _size(name: str, kind: str) -> str:
    """Return SQL of how many bytes a value takes, about; 0 where all of its kind are small."""
    if kind == "BLOB":
        return f"coalesce(octet_length({_quoted(name)}), 0)"
    if kind == "VARCHAR":
        return f"coalesce(strlen({_quoted(name)}), 0)"
    nested = kind.endswith(")") and not kind.startswith("DECIMAL")
    is_list = kind.endswith("]")
    return f"coalesce(strlen({_quoted(name)}::VARCHAR), 0)" if nested or is_list else "0"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
