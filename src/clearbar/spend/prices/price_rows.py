"""Rates as rows of an engine: in the book's file, and in the table that charges are joined with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.spend.engine import connect, quoted
from clearbar.spend.prices.price_rate import AUDIO, PRICED, Rate, scaled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

_PICO: Final = 12
_NINE_SECONDS: Final = Decimal("0.0025")
"""Of an hour."""

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
_DERIVED_TYPES: Final = {"varies": "BOOLEAN", "covered": "BOOLEAN", "weekdays": "UTINYINT"}
"""Of what rules add to the file's rates."""
PRICE_TYPES: Final = {name: "BIGINT" if name == AUDIO else "DECIMAL(38,24)" for name in PRICED}
"""Exact US dollars per unit; for audio whole pico-dollars per hour, as an hour has 3600 units."""


@dataclass(frozen=True, slots=True)
class MoneyUnit:
    """A part of a dollar of which every price, and so every cost, is a whole number."""

    places: int
    integer: str
    """The engine's type for a number of units, and its decimal type of as many digits."""
    decimal: str

    def count(self, usd: Decimal) -> int:
        """Return how many units make up some dollars."""
        return int(scaled(usd, Decimal(10) ** self.places))

    def usd(self, count: str) -> str:
        """Return the SQL of the dollars, in 24 places, that a number of units makes up."""
        return f"{count}::{self.decimal} * {Decimal(1).scaleb(-self.places):.24f}"


PICO_DOLLAR: Final = MoneyUnit(_PICO, "BIGINT", "DECIMAL(18,0)")
SMALLEST: Final = MoneyUnit(24, "HUGEINT", "DECIMAL(38,0)")
_MOST_PICO_USD: Final = 10 ** (18 - _PICO)


def unit_for(rates: Collection[Rate], largest: Mapping[str, int]) -> MoneyUnit:
    """Return the unit for charges of which no quantity is above `largest`: the quick one if exact.

    Integers of 64 bits are several times as quick to multiply as decimals of 38 digits.
    """
    dearest = dict.fromkeys(largest, Decimal(0))
    for rate in rates:
        for name in largest.keys() & rate.prices.keys():
            price = rate.prices[name]
            if name == AUDIO or price != round(price, _PICO):
                return SMALLEST
            dearest[name] = max(dearest[name], price)
    most = sum(price * largest[name] for name, price in dearest.items())
    return PICO_DOLLAR if most < _MOST_PICO_USD else SMALLEST


def insert_rates(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rates: Sequence[tuple[int, Rate]],
    largest: Mapping[str, int],
) -> MoneyUnit:
    """Create a temporary table of (number of a kind, rate); return the unit of its prices.

    What is nowhere used, as `largest` does not name it, has no price there.
    """
    unit = unit_for([rate for _, rate in rates], largest)
    rows = [
        (kind, *_derived(rate), *_conditions(rate), *_counted(rate, unit, largest))
        for kind, rate in rates
    ]
    types = {"kind": "BIGINT", **_DERIVED_TYPES, **CONDITION_TYPES}
    types["price_id"] = enum(rate.price_id for _, rate in rates)
    insert(connection, table, {**types, **dict.fromkeys(PRICED, unit.integer)}, rows)
    return unit


def enum(texts: Iterable[str]) -> str:
    """Return the engine's type of these texts: a row holds a number for one, not a copy of it."""
    named = ", ".join(quoted(text) for text in dict.fromkeys(texts))
    return f"ENUM ({named})" if named else "VARCHAR"


def _counted(rate: Rate, unit: MoneyUnit, largest: Mapping[str, int]) -> list[int | None]:
    """Return prices as numbers of units; that of audio per nine seconds.

    An hour is 400 times as long, and a 400th of a decimal is one.
    """
    prices = {name: price for name, price in rate.prices.items() if name in largest}
    if AUDIO in prices:
        prices[AUDIO] = scaled(prices[AUDIO], _NINE_SECONDS)
    return [unit.count(prices[name]) if name in prices else None for name in PRICED]


def _derived(rate: Rate) -> tuple[Any, ...]:
    return rate.varies, rate.covered, rate.weekdays


def row_of(rate: Rate) -> tuple[Any, ...]:
    """Return the row of a rate: conditions, then prices."""
    prices = (_stored(name, rate.prices.get(name)) for name in PRICED)
    return *_conditions(rate), *prices


def _conditions(rate: Rate) -> tuple[Any, ...]:
    return (
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


def named_in(path: Path) -> list[str]:
    """Return the price models that the file has, in their order."""
    query = "SELECT DISTINCT price_model FROM read_parquet(?) ORDER BY price_model"
    with connect() as connection:
        return [name for [name] in connection.execute(query, [str(path)]).fetchall()]


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
