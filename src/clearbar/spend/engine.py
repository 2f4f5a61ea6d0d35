"""What runs the shared queries: DuckDB in this process, or any engine that Narwhals speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

_SQL_TYPES: Final = {int: "BIGINT", str: "VARCHAR"}


class Engine(Protocol):
    """Three things that a shared query needs. Nothing else may differ between engines."""

    def parquet(self, paths: Sequence[Path]) -> nw.LazyFrame[Any]:
        """Return the rows of some Parquet files."""
        ...

    def table(self, columns: dict[str, type], rows: Sequence[tuple[Any, ...]]) -> nw.LazyFrame[Any]:
        """Return a small table of given rows; a column's type is `int` or `str`."""
        ...

    def rows(self, frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
        """Run the query and return its rows."""
        ...


def connect(
    scratch: Path | None = None, memory: str = "4GB", threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection in memory that neither installs nor fetches anything.

    Each thread holds blocks of every column it works on; None takes one a core.
    """
    import duckdb  # noqa: PLC0415 - a quarter of a second that --help must not pay

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET memory_limit = '{memory}'")
    if scratch is not None:
        connection.execute(f"SET temp_directory = {quoted(str(scratch))}")
    if threads is not None:
        connection.execute(f"SET threads = {threads}")
    return connection


def quoted(text: str) -> str:
    """Return an SQL string literal; for the statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def load_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: dict[str, str],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Make a temporary table of given rows; whole columns at a time, which is quick."""
    fields = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({fields})")
    if rows:
        parts = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
        values = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"INSERT INTO {name} SELECT {parts}", values)


class DuckDBEngine:
    """DuckDB in this process."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._tables = 0

    def parquet(self, paths: Sequence[Path]) -> nw.LazyFrame[Any]:
        """Return the rows of some Parquet files."""
        return nw.from_native(self._connection.read_parquet([str(path) for path in paths]))

    def table(self, columns: dict[str, type], rows: Sequence[tuple[Any, ...]]) -> nw.LazyFrame[Any]:
        """Return a small table of given rows."""
        self._tables += 1
        name = f"given_{self._tables}"
        kinds = {column: _SQL_TYPES[kind] for column, kind in columns.items()}
        load_table(self._connection, name, kinds, rows)
        return nw.from_native(self._connection.table(name))

    def rows(self, frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
        """Run the query and return its rows."""
        found: list[tuple[Any, ...]] = frame.to_native().fetchall()
        return found
