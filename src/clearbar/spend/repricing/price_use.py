"""What calls name, and how much of it they used: the facts beside which prices are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.errors import UnknownName, nearest
from clearbar.spend.charge import METERS
from clearbar.spend.engine import connect, load_table, quoted
from clearbar.spend.storage.record_files import parquet_sql, read_origins

if TYPE_CHECKING:
    from clearbar.core.period import Period
    from clearbar.spend.storage.ledger import Ledger


def models_used(ledger: Ledger) -> list[tuple[str, str]]:
    """Return provider and model of all that charges name, in their order."""
    pairs = {(origin.provider, origin.model) for origin in ledger.origins().values()}
    return sorted((provider, model) for provider, model in pairs if model)


def models_named(ledger: Ledger, model: str) -> list[tuple[str, str]]:
    """Return provider and model of what charges name so, with or without the provider."""
    return [pair for pair in models_used(ledger) if model in (pair[1], "/".join(pair))]


def refuse_unused(ledger: Ledger, model: str) -> None:
    """Raise where no charge names a model.

    Raises:
        UnknownName: with the nearest name of those that charges have.
    """
    if not models_named(ledger, model):
        names = ["/".join(pair) for pair in models_used(ledger)]
        raise UnknownName(
            f'no call names the model "{model}".{nearest(model, names)}',
            "clearbar spend --by model shows what calls name",
        )


def standard_use(ledger: Ledger, period: Period) -> dict[tuple[str, str, str], int]:
    """Return (provider, model, meter) -> how much was used, of what is priced as standard."""
    files = list(ledger.folder.record_files().values())
    if not files:
        return {}
    sums = ", ".join(f"sum({meter})" for meter in METERS)
    connection = connect(ledger.folder.path / "staging")
    try:
        origins = read_origins(connection, list(ledger.folder.origin_files().values()))
        rows = [(key, origin.provider, origin.model) for key, origin in origins.items()]
        columns = {"origin_id": "BIGINT", "provider": "VARCHAR", "model": "VARCHAR"}
        load_table(connection, "given_origin", columns, rows)
        found = connection.execute(
            f"""SELECT provider, model, {sums} FROM
                (SELECT * FROM {parquet_sql(files)}
                 QUALIFY row_number() OVER (PARTITION BY charge_id ORDER BY read_at DESC) = 1)
            JOIN given_origin USING (origin_id)
            WHERE day >= {quoted(str(period.start))} AND day < {quoted(str(period.end))}
              AND grain = 'call' AND service_tier IN ('', 'standard', 'default')
            GROUP BY ALL"""
        ).fetchall()
    finally:
        connection.close()
    return {
        (provider, model, meter): int(quantity)
        for provider, model, *quantities in found
        for meter, quantity in zip(METERS, quantities, strict=True)
        if quantity
    }
