"""Record files of an earlier version, which lack columns of today: they are given them, in place.

A file is replaced by one of the same rows in the same order, in one step; so it does not matter
how many processes do this, or which of both a reader has open. What is derived is made anew.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import LedgerError
from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect
from clearbar.spend.storage.folder import Manifest
from clearbar.spend.storage.record_files import parquet_sql, publish_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from clearbar.spend.storage.folder import LedgerFolder

COLUMNS_ID: Final = hashlib.sha256(repr(sorted(STORED.items())).encode()).hexdigest()[:16]
"""Stands for the columns of today."""
_MEANT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aliases": "''",
        "reported_currency": "''",
        "charge_category": "'usage'",
        "commitment_status": "''",
    }
)
"""What a record that was written before a column says in it; NULL where nothing stands here."""


def bring_up_to_date(folder: LedgerFolder) -> None:
    """Give all record files the columns of today; at once where they are known to have them."""
    try:
        manifest = folder.manifest()
    except LedgerError:
        manifest = Manifest()  # whoever reads it says so
    if manifest.columns == COLUMNS_ID:
        return
    if files := folder.record_files():
        with connect(folder.path / "staging", threads=1) as connection:
            renewed = renew(connection, folder, files.values())
        if renewed and manifest != Manifest():
            folder.publish_manifest(Manifest(manifest.covers - files.keys(), columns=COLUMNS_ID))


def renew(
    connection: duckdb.DuckDBPyConnection, folder: LedgerFolder, paths: Iterable[Path]
) -> int:
    """Give those of some record files that lack columns of today the rest; return how many."""
    renewed = 0
    for path in paths:
        found = _columns(connection, path)
        if "charge_id" in found and any(name not in found for name in STORED):
            values = ", ".join(
                f"{name if name in found else _MEANT.get(name, 'NULL')}::{kind} AS {name}"
                for name, kind in STORED.items()
            )
            connection.execute("SET preserve_insertion_order = true")
            rows = f"(SELECT {values} FROM {parquet_sql([path])})"
            publish_records(connection, path, folder, rows)
            connection.execute("SET preserve_insertion_order = false")
            renewed += 1
    return renewed


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> set[str]:
    """Return which columns a file has; none where it cannot be read, as `clearbar check` says."""
    import duckdb  # noqa: PLC0415 - not before there is a file

    try:
        names = connection.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
    except duckdb.Error:
        return set()
    return {name for [name] in names}
