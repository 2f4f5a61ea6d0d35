"""Finds the charges of which several records tell, and publishes what they merge to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from clearbar.spend.engine import connect, load_table
from clearbar.spend.folder import new_name
from clearbar.spend.merge import RANK, heads_sql, merged_sql, united
from clearbar.spend.record_files import (
    parquet_sql,
    publish_origins,
    publish_records,
    read_origins,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.spend.folder import LedgerFolder

_THREADS: Final = 1
"""More would each hold a row group of every column: reading logs is to fit into 300 MB."""


class Settling:
    """One look at new records beside older ones. Use as a context manager."""

    def __init__(self, folder: LedgerFolder) -> None:
        self._folder = folder
        self._connection = connect(folder.path / "staging", threads=_THREADS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def touched(self, new: Sequence[Path], old: Sequence[Path]) -> int:
        """Find the charges with a new record and at least one other.

        Return how many new records tell of a charge that an earlier new or an old one tells of.
        """
        before = f"SELECT charge_id FROM {parquet_sql(old)}" if old else "SELECT '' WHERE false"
        self._connection.execute(
            f"""
            CREATE TEMP TABLE fresh AS
                SELECT charge_id, count(*) AS n FROM {parquet_sql(new)} GROUP BY ALL;
            CREATE TEMP TABLE known AS
                SELECT DISTINCT charge_id FROM ({before}) o(charge_id)
                SEMI JOIN fresh USING (charge_id);
            CREATE TEMP TABLE touched AS
                SELECT charge_id FROM fresh WHERE n > 1 UNION SELECT charge_id FROM known"""
        )
        [joined] = self._connection.execute(
            """SELECT coalesce(sum(n) - count(*), 0)::BIGINT + (SELECT count(*) FROM known)
               FROM fresh"""
        ).fetchone() or (0,)
        self._connection.execute("DROP TABLE fresh; DROP TABLE known")
        return int(joined)

    def publish(self, files: Sequence[Path], merged: str | None) -> str:
        """Publish the touched charges, merged, beside those that an older file keeps; its name.

        The winners are found in a few columns; only their rows are then read whole.
        """
        name = new_name(len(files))
        place = "file_index << 40 | file_row_number AS place"
        records = f"(SELECT *, {place} FROM {parquet_sql(files)})"
        touched = f"(SELECT * FROM {records} SEMI JOIN touched USING (charge_id))"
        self._connection.execute(f"CREATE TEMP TABLE head AS {heads_sql(touched)}")
        self._unite_origins(records, name)
        rows = merged_sql(records, "head", "(witnessed JOIN united USING (origin_ids))")
        if merged:
            kept = parquet_sql([self._folder.merged_file(merged)])
            rows += f" UNION ALL BY NAME SELECT * FROM {kept} ANTI JOIN touched USING (charge_id)"
        target = self._folder.merged_file(name)
        publish_records(self._connection, target, self._folder, f"({rows})")
        return name

    def _unite_origins(self, records: str, name: str) -> None:
        """Make `united`: the winners' origins, completed by what their other witnesses know."""
        self._connection.execute(
            f"""
            CREATE TEMP TABLE witnessed AS
            SELECT head.place, list(origin_id ORDER BY {RANK} DESC) AS origin_ids
            FROM {records} r JOIN head USING (charge_id) WHERE differ GROUP BY head.place"""
        )
        groups = self._connection.execute("SELECT DISTINCT origin_ids FROM witnessed").fetchall()
        whole = {}
        if groups:
            known = read_origins(self._connection, list(self._folder.origin_files().values()))
            for [ids] in groups:
                whole[tuple(ids)] = united([known[key] for key in dict.fromkeys(ids)])
            publish_origins(self._connection, self._folder, name, list(set(whole.values())))
        rows = [(list(ids), origin.origin_id) for ids, origin in whole.items()]
        columns = {"origin_ids": "BIGINT[]", "united_id": "BIGINT"}
        load_table(self._connection, "united", columns, rows)
