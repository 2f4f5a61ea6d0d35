"""Parquet files of records and origins: written by DuckDB, published by the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import DIMENSIONS, Origin
from clearbar.spend.columns import STORED
from clearbar.spend.engine import load_table, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb

    from clearbar.spend.storage.folder import LedgerFolder

_OPTIONS: Final = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2,"
    " DICTIONARY_SIZE_LIMIT 2000, ROW_GROUP_SIZE 30720"
)
# Small dictionaries: building one for a column of unique ids costs more than it saves. Small row
# groups: whoever writes or reads a file holds one of each column.
_ORIGIN_FIELDS: Final = (*DIMENSIONS, "labels")


def parquet_sql(paths: Iterable[Path]) -> str:
    """Return the SQL of a relation over some Parquet files."""
    return f"read_parquet([{', '.join(quoted(str(path)) for path in paths)}])"


def publish_records(
    connection: duckdb.DuckDBPyConnection, target: Path, folder: LedgerFolder, relation: str
) -> None:
    """Publish a relation with the columns `STORED` as one file."""
    columns = ", ".join(STORED)
    with folder.published(target) as staged:
        connection.execute(
            f"COPY (SELECT {columns} FROM {relation}) TO {quoted(str(staged))} ({_OPTIONS})"
        )


def publish_table(
    connection: duckdb.DuckDBPyConnection, target: Path, folder: LedgerFolder, table: str
) -> None:
    """Publish a table of derived facts as one file."""
    with folder.published(target) as staged:
        connection.execute(f"COPY {table} TO {quoted(str(staged))} ({_OPTIONS})")


def publish_origins(
    connection: duckdb.DuckDBPyConnection, folder: LedgerFolder, name: str, origins: list[Origin]
) -> None:
    """Publish origins, before any record that names them."""
    columns = {"origin_id": "BIGINT", **dict.fromkeys(_ORIGIN_FIELDS, "VARCHAR")}
    rows = [(o.origin_id, *(getattr(o, field) for field in _ORIGIN_FIELDS)) for o in origins]
    load_table(connection, "origin_rows", columns, rows)
    with folder.published(folder.origin_file(name)) as staged:
        connection.execute(f"COPY origin_rows TO {quoted(str(staged))} ({_OPTIONS})")


def read_origins(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> dict[int, Origin]:
    """Return all origins by id."""
    if not paths:
        return {}
    fields = ", ".join(_ORIGIN_FIELDS)
    rows = connection.execute(
        f"SELECT DISTINCT origin_id, {fields} FROM {parquet_sql(paths)}"
    ).fetchall()
    return {key: Origin(**dict(zip(_ORIGIN_FIELDS, values, strict=True))) for key, *values in rows}
