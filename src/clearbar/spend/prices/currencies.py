"""Money in other currencies: dated rates, and what they make of reported costs.

The latest rate on or before a charge's UTC day holds. Where there is none the cost stays unknown:
no rate is guessed, and one to one least of all. The id of the price holds the rate itself, so a
charge keeps it until it is priced again.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    import duckdb

    from clearbar.spend.prices.agreements import CurrencyRate

_RATE: Final = "currency:"
_PLACES: Final = Decimal("1e-24")
_AT_A_TIME: Final = 10_000

IN_A_CURRENCY: Final = "(reported_currency <> '' AND reported_cost IS NOT NULL)"
"""SQL: whether the cost was reported in a currency of its own."""
_TYPES: Final = {
    "cost": "DECIMAL(38,24)",
    "currency": "VARCHAR",
    "day": "DATE",
    "usd": "DECIMAL(38,24)",
    "rate": "VARCHAR",
}


def rate_on(rates: Iterable[CurrencyRate], code: str, day: date) -> CurrencyRate | None:
    """Return the latest rate of a currency on or before a day; None where there is none."""
    known = (rate for rate in rates if rate.code == code and rate.start <= day)
    return max(known, key=lambda rate: rate.start, default=None)


def converted(cost: Decimal, rate: CurrencyRate) -> Decimal:
    """Return the US dollars, rounded once, to 24 places."""
    with localcontext() as exact:
        exact.prec = 100
        return (cost * rate.usd).quantize(_PLACES, rounding=ROUND_HALF_EVEN)


def rate_id(code: str, rate: CurrencyRate | None) -> str:
    """Return the id of the price of a charge: `currency:EUR=1.0873@2026-10-01`."""
    return f"{_RATE}{code}" + (f"={plain(rate.usd)}@{rate.start}" if rate else "")


def is_rate(price_id: str) -> bool:
    """Return whether the id of a price is one of a currency."""
    return price_id.startswith(_RATE)


def explain_rate(price_id: str) -> dict[str, str]:
    """Return what such an id says."""
    code, _, rate = price_id.removeprefix(_RATE).partition("=")
    said = {"price_id": price_id, "currency": code}
    if not rate:
        missing = f"no rate of {code} on or before that day: declare a [[currency]], then reprice"
        return {**said, "source": missing}
    usd, _, day = rate.partition("@")
    return {**said, "usd_per_unit": usd, "from": day, "source": "[[currency]] in clearbar.toml"}


def convert(
    connection: duckdb.DuckDBPyConnection, staged: str, rates: Sequence[CurrencyRate]
) -> bool:
    """Create `<staged>_converted`; return whether any charge was reported in a currency."""
    day = "CAST(started_at AS DATE)"
    [some] = connection.execute(
        f"SELECT count(*) > 0 FROM {staged} WHERE {IN_A_CURRENCY}"
    ).fetchone() or (False,)
    if not some:
        return False
    fields = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {staged}_converted ({fields})")
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {staged}_told AS
        SELECT DISTINCT reported_cost, upper(reported_currency), {day} FROM {staged}
        WHERE {IN_A_CURRENCY}"""
    )
    [count] = connection.execute(f"SELECT count(*) FROM {staged}_told").fetchone() or (0,)
    for start in range(0, count, _AT_A_TIME):
        told = connection.execute(
            f"FROM {staged}_told ORDER BY ALL LIMIT {_AT_A_TIME} OFFSET {start}"
        ).fetchall()
        _insert(connection, f"{staged}_converted", _rows(told, rates))
    connection.execute(f"DROP TABLE {staged}_told")
    return True


def _rows(
    told: Iterable[tuple[Any, ...]], rates: Sequence[CurrencyRate]
) -> Iterator[tuple[str | None, ...]]:
    for cost, code, day in told:
        rate = rate_on(rates, code, day)
        usd = format(converted(cost, rate), "f") if rate else None
        yield format(cost, "f"), code, str(day), usd, rate_id(code, rate)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[str | None, ...]]
) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    parts = ", ".join(f"unnest(?::VARCHAR[])::{kind}" for kind in _TYPES.values())
    connection.execute(f"INSERT INTO {table} SELECT {parts}", columns)


def joined(staged: str) -> str:
    """Return the SQL of `staged` with costs in US dollars, and `rate`: by which, where by one."""
    return f"""(SELECT s.* REPLACE (coalesce(s.reported_cost_usd, c.usd) AS reported_cost_usd),
            CASE WHEN s.reported_cost_usd IS NULL THEN c.rate END AS rate
        FROM {staged} s LEFT JOIN {staged}_converted c
            ON c.cost = s.reported_cost AND c.currency = upper(s.reported_currency)
            AND c.day = CAST(s.started_at AS DATE))"""
