"""Rates as rows of an engine: in the book's file, and in the table that charges are joined with."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.spend.engine import connect, quoted
from clearbar.spend.price_rate import AUDIO, PRICED, Rate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import duckdb

_PICO: Final = 12

CONDITION_TYPES: Final = {
    "price_id": "VARCHAR",
    "context": "VARCHAR",
    "valid_from": "DATE",
    "valid_until": "DATE",
    "from_second": "INTEGER",
    "to_second": "INTEGER",
    "over": "BIGINT",
    "up_to": "BIGINT",
    "least_seconds": "BIGINT",
    "estimated": "BOOLEAN",
}
PRICE_TYPES: Final = {name: "BIGINT" if name == AUDIO else "DECIMAL(38,24)" for name in PRICED}
"""Exact US dollars per unit; for audio whole pico-dollars per hour, as an hour has 3600 units."""


def row_of(rate: Rate) -> tuple[Any, ...]:
    """Return the row of a rate: conditions, then prices."""
    conditions = (
        rate.price_id,
        rate.context,
        rate.start,
        rate.end,
        rate.from_second,
        rate.to_second,
        rate.over,
        rate.up_to,
        rate.least_seconds,
        rate.estimated,
    )
    return *conditions, *(_stored(name, rate.prices.get(name)) for name in PRICED)


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    types: dict[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Create a temporary table and fill it, a column at a time."""
    fields = ", ".join(f"{name} {kind}" for name, kind in types.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({fields})")
    if rows:
        parts = ", ".join(f"unnest(?::VARCHAR[])::{kind}" for kind in types.values())
        values = [
            [None if value is None else str(value) for value in column]
            for column in zip(*rows, strict=True)
        ]
        connection.execute(f"INSERT INTO {table} SELECT {parts}", values)


def write_rates(path: Path, models: Iterable[tuple[str, list[Rate]]]) -> None:
    """Write the rates of all price models to a Parquet file."""
    rows = [(name, *row_of(rate)) for name, rates in models for rate in rates]
    types = {"price_model": "VARCHAR", **CONDITION_TYPES, **PRICE_TYPES}
    with connect() as connection:
        insert(connection, "rates", types, rows)
        target = f"{quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        connection.execute(f"COPY (FROM rates ORDER BY ALL) TO {target}")


def read_rates(path: Path, price_models: Collection[str]) -> dict[str, tuple[Rate, ...]]:
    """Return price model -> rates, for those price models that the file has."""
    with connect() as connection:
        rows = connection.execute(
            "SELECT * FROM read_parquet(?) WHERE price_model IN (SELECT unnest(?::VARCHAR[]))"
            " ORDER BY price_model",
            [str(path), sorted(price_models)],
        ).fetchall()
    return {
        name: tuple(_rate(row[1:]) for row in group)
        for name, group in groupby(rows, key=lambda row: str(row[0]))
    }


def _stored(name: str, price: Decimal | None) -> str | None:
    if price is None:
        return None
    return str(round(price.scaleb(_PICO))) if name == AUDIO else plain(price)


def _rate(row: Sequence[Any]) -> Rate:
    conditions, stored = row[: len(CONDITION_TYPES)], row[len(CONDITION_TYPES) :]
    price_id, context, start, end, *numbers, estimated = conditions
    from_second, to_second, over, up_to, least_seconds = numbers
    prices = {
        name: Decimal(price).scaleb(-_PICO) if name == AUDIO else price
        for name, price in zip(PRICED, stored, strict=True)
        if price is not None
    }
    return Rate(
        price_id=price_id,
        context=context,
        prices=prices,
        start=start,
        end=end,
        from_second=from_second,
        to_second=to_second,
        over=over,
        up_to=up_to,
        least_seconds=least_seconds,
        estimated=estimated,
    )
