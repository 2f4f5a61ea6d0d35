"""Rows of an untrusted SQLite database, opened as it stands: never written to, never waited for.

A hostile database can hold views without end, columns that compute, pages that point at each other.
So only plain tables are read, by one fixed form of query; functions, views and virtual tables are
refused; and neither the steps nor the bytes of a reading may exceed what the file's size allows.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

from clearbar.spend.files.source_file import MAX_LINE_BYTES, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SQLITE_MAGIC: Final = b"SQLite format 3\x00"
_DAMAGED: Final = "the database is damaged, or was changed while it was read"
_AGAIN: Final = "quit the program that writes it, and add it again"
_BROKEN: Final = (sqlite3.Error, UnicodeError)
"""A damaged name of a column or in a message is no text."""
_STEPS_BETWEEN_LOOKS: Final = 10_000
_LEAST_STEPS: Final = 1_000_000
_STEPS_PER_BYTE: Final = 2
"""A row takes some ten steps and more than five bytes."""
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_LINE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}


class SqliteTables:
    """The plain tables of a database. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            UnreadableFile: when it is compressed, or no database that can be read.
        """
        self._connection = _opened(path)
        try:
            self._bytes_left = path.stat().st_size
            self._steps_left = max(_LEAST_STEPS, _STEPS_PER_BYTE * self._bytes_left)
            self._tables = self._prepared()
        except (*_BROKEN, OSError) as error:
            self._connection.close()
            raise UnreadableFile(_DAMAGED, _AGAIN) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def columns(self, table: str) -> list[str]:
        """Return the columns of a plain table; none where there is no such table."""
        return self._tables.get(table, [])

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
        """Yield the row id and some columns of each row.

        Raises:
            UnreadableFile: when the database is damaged, or tells more than it can hold.
        """
        if not set(columns) <= set(self.columns(table)):
            return
        names = ", ".join(f'"{name}"' for name in ("rowid", *columns))
        try:
            with closing(self._connection.execute(f'SELECT {names} FROM "{table}"')) as cursor:  # noqa: S608 - names that a source wrote
                for row in cursor:
                    self._take(row)
                    yield row
        except _BROKEN as error:
            raise UnreadableFile(_DAMAGED, _AGAIN) from error

    def _prepared(self) -> dict[str, list[str]]:
        """Lock the connection down; return the plain tables and their columns."""
        connection = self._connection
        for limit, most in _LIMITS.items():
            connection.setlimit(limit, most)
        for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.set_progress_handler(self._is_too_much, _STEPS_BETWEEN_LOOKS)
        found = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
        ).fetchmany(1_000)
        tables = {
            name: [
                column
                for _, column, _, _, _, _, hidden in connection.execute(
                    "SELECT * FROM pragma_table_xinfo(?)", [name]
                )
                if not hidden
            ]
            for (name,) in found
        }
        connection.set_authorizer(_authorize)
        return tables

    def _is_too_much(self) -> bool:
        self._steps_left -= _STEPS_BETWEEN_LOOKS
        return self._steps_left < 0

    def _take(self, row: tuple[object, ...]) -> None:
        self._bytes_left -= sum(len(value) for value in row if isinstance(value, str | bytes))
        if self._bytes_left < 0:
            raise UnreadableFile("the database tells more than it can hold", "it may be forged")


def _opened(path: Path) -> sqlite3.Connection:
    """Open a database as it stands: its path is text in a URI, with nothing that could be more."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(SQLITE_MAGIC)) != SQLITE_MAGIC:
                raise UnreadableFile("no plain SQLite database", "decompress it first")
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(uri, uri=True, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise UnreadableFile("cannot be opened", "see who may read it") from error


def _authorize(action: int, *_: object) -> int:
    """Let a query read columns of tables, and nothing else."""
    allowed = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
