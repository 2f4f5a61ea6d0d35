"""Price records again, explicitly: the same records with another price, appended beside the old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect, load_table, quoted
from clearbar.spend.prices import pricing
from clearbar.spend.storage.folder import new_name
from clearbar.spend.storage.merge import RANK
from clearbar.spend.storage.record_files import parquet_sql, publish_records, read_origins

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from clearbar.core.period import Period
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

_PRICED: Final = ("cost_usd", "covered_usd", "basis", "price_id", "price_version")
SAME_RECORD: Final = ("charge_id", "source", "parser_version", "digest", "started_at", "lines")
"""Equal in all of these, two records are readings of the same: the newest one counts."""


def reprice(ledger: Ledger, book: PriceBook, period: Period, read_at_us: int) -> int:
    """Append the records of a period whose price is another now; return how many."""
    files = list(ledger.folder.record_files().values())
    if not files:
        return 0
    connection = connect(ledger.folder.path / "staging")
    try:
        _stage(connection, ledger, book, period)
        pricing.price(connection, book, "staged")
        read_at_us = max(read_at_us, 1 + _newest_us(connection, files))
        changed = _changed(connection, read_at_us)
        if changed:
            target = ledger.folder.record_file(new_name(read_at_us))
            publish_records(connection, target, ledger.folder, "changed")
    finally:
        connection.close()
    ledger.settle()
    return changed


def _stage(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, book: PriceBook, period: Period
) -> None:
    origins = read_origins(connection, list(ledger.folder.origin_files().values()))
    models = book.resolve({(o.provider, o.model) for o in origins.values()})
    rows = [
        (key, o.provider, o.model, models[o.provider, o.model], book.agreements_of(o))
        for key, o in origins.items()
    ]
    texts = ("provider", "model", "price_model", "agreements")
    columns = {"origin_id": "BIGINT", **dict.fromkeys(texts, "VARCHAR")}
    load_table(connection, "given_origin", columns, rows)
    records = parquet_sql(ledger.folder.record_files().values())
    latest = f"PARTITION BY {', '.join(SAME_RECORD)} ORDER BY read_at DESC"
    first = f"PARTITION BY charge_id ORDER BY {RANK} DESC"  # of a table the last reading counts
    connection.execute(
        f"""CREATE TEMP TABLE staged AS
        SELECT row_number() OVER () AS row_id, records.*, provider, model, price_model, agreements
        FROM (SELECT * FROM {records}
              QUALIFY row_number() OVER ({latest}) = 1
                  AND (source <> 'table' OR row_number() OVER ({first}) = 1)) records
        JOIN given_origin USING (origin_id)
        WHERE day >= {quoted(str(period.start))} AND day < {quoted(str(period.end))}"""
    )


def _newest_us(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> int:
    """Return when the newest record was read: a clock that was put back must not hide a price."""
    sql = f"SELECT epoch_us(max(read_at)) FROM {parquet_sql(files)}"
    [newest] = connection.execute(sql).fetchone() or (0,)
    return int(newest)


def _changed(connection: duckdb.DuckDBPyConnection, read_at_us: int) -> int:
    """Make `changed`: the staged records with their new price, where it differs."""
    kept = ", ".join(f"staged.{name}" for name in STORED if name not in (*_PRICED, "read_at"))
    new = ", ".join(f"priced.{name}" for name in _PRICED)
    differs = " OR ".join(f"priced.{name} IS DISTINCT FROM staged.{name}" for name in _PRICED[:-1])
    connection.execute(
        f"""CREATE TEMP TABLE changed AS
        SELECT {kept}, {new}, make_timestamp({read_at_us}) AS read_at
        FROM staged JOIN staged_priced priced USING (row_id) WHERE {differs}"""
    )
    [count] = connection.execute("SELECT count(*) FROM changed").fetchone() or (0,)
    return int(count)
