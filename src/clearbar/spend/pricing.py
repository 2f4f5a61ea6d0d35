"""Pricing many charges at once, inside the engine: one join and a sum of whole numbers.

Kinds of charges (provider, model, tier, speed, place) are few; their rates in force are looked up
here and put into a small table. Each charge then meets exactly one of them or none.

Never rounds and never divides money: prices and quantities are whole numbers, in a unit of money
that is chosen for each batch. The one quotient, seconds of an hour, is taken in the smallest unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.charge import CACHE_READ_METERS, CACHE_WRITE_METERS, INPUT_METERS, METERS
from clearbar.spend.engine import quoted
from clearbar.spend.price_rate import AUDIO, Kind
from clearbar.spend.price_rows import MoneyUnit, insert_rates, unit_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from clearbar.spend.price_rate import Rate
    from clearbar.spend.prices import PriceBook

_SIZE_METERS: Final = (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS)
_QUANTITIES: Final = (*METERS, "reasoning_tokens", "calls")
_CONTEXTS: Final = ("service_tier", "speed", "geo")


def price(connection: duckdb.DuckDBPyConnection, book: PriceBook, staged: str) -> None:
    """Create the temporary view `<staged>_priced`: one row for each row of `staged`.

    Its columns are row_id, cost_usd, basis, price_id and price_version; cost_usd is null where
    the basis is unpriced, and the last two are null where the book had no part in the cost.
    """
    batch = _look_at(connection, staged)
    kinds = _number_kinds(connection, staged, batch)
    rates = [
        (number, rate)
        for number, (_, rates) in enumerate(book.rates_in_force(kinds))
        for rate in rates
        if rate.start <= batch.last_day and rate.end > batch.first_day
    ]
    unit = unit_for([rate for _, rate in rates], batch.largest)
    insert_rates(connection, f"{staged}_rates", rates, unit)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {staged}_costs AS {_query(staged, batch, unit)}"
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP VIEW {staged}_priced AS
        SELECT row_id, cost_usd, basis, price_id,
            CASE WHEN rate IS NOT NULL THEN {quoted(book.version)} END AS price_version
        FROM {staged}_costs LEFT JOIN {staged}_rates USING (rate)"""
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What occurs at all in the charges that are priced together."""

    largest: dict[str, int]
    """Meter, `reasoning_tokens` or `calls` -> the largest quantity, where one is not zero."""
    measured: list[str]
    """The meters reported at all, even as zero."""
    contexts: list[str]
    """Of the columns for tier, speed and place, those with anything in them."""
    first_day: date
    last_day: date

    @property
    def used(self) -> list[str]:
        """The meters that are anywhere not zero."""
        return [meter for meter in METERS if meter in self.largest]


def _look_at(connection: duckdb.DuckDBPyConnection, staged: str) -> _Batch:
    quantities = ", ".join(f"max(abs({name}))" for name in _QUANTITIES)
    contexts = ", ".join(f"bool_or({name} <> '')" for name in _CONTEXTS)
    found: Any = connection.execute(
        f"""SELECT coalesce(min(started_at)::DATE, DATE '1970-01-01'),
            coalesce(max(started_at)::DATE, DATE '1970-01-01'), {contexts}, {quantities}
        FROM {staged}"""
    ).fetchone()
    first_day, last_day, *said = found
    largest = dict(zip(_QUANTITIES, said[len(_CONTEXTS) :], strict=True))
    return _Batch(
        largest={name: quantity for name, quantity in largest.items() if quantity},
        measured=[meter for meter in METERS if largest[meter] is not None],
        contexts=[name for name, said in zip(_CONTEXTS, said, strict=False) if said],
        first_day=first_day,
        last_day=last_day,
    )


def _number_kinds(
    connection: duckdb.DuckDBPyConnection, staged: str, batch: _Batch
) -> Sequence[Kind]:
    """Return the kinds; make `<staged>_kinds`, which says the place of each origin and context.

    An origin has one provider and model: a number is compared where three texts would have to be.
    """
    keys = ", ".join(["origin_id", *batch.contexts])
    fields = ", ".join(Kind._fields)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {staged}_kinds AS
        SELECT origin_id, {fields}, dense_rank() OVER (ORDER BY {fields}) - 1 AS kind
        FROM {staged} SEMI JOIN (SELECT min(row_id) AS row_id FROM {staged} GROUP BY {keys})
            USING (row_id)"""
    )
    rows = connection.execute(
        f"SELECT DISTINCT kind, {fields} FROM {staged}_kinds ORDER BY kind"
    ).fetchall()
    return [Kind(*row[1:]) for row in rows]


def _query(staged: str, batch: _Batch, unit: MoneyUnit) -> str:
    """Return the statement: charges meet their rate, then a rule says where the cost is from."""
    same_kind = " AND ".join(f"s.{key} = r.{key}" for key in ("origin_id", *batch.contexts))
    idle = " AND ".join(f"coalesce(s.{meter}, 0) = 0" for meter in batch.used) or "true"
    known = " OR ".join(f"s.{meter} IS NOT NULL" for meter in batch.measured) or "false"
    return f"""
        WITH sized AS (
            SELECT *, epoch_us(started_at) // 1000000 % 86400 AS second_of_day,
                {_size(batch.used)} AS size,
                reported_basis = 'billed' AND reported_cost_usd IS NOT NULL AS billed
            FROM {staged}
        ), met AS (
            SELECT s.row_id, s.reported_cost_usd, s.billed, r.rate,
                s.usage = 'partial' OR r.estimated OR (r.varies AND s.grain = 'bucket') AS inexact,
                CASE WHEN s.billed OR s.status = 'cache_hit' THEN NULL
                    WHEN NOT ({idle}) THEN {_cost(batch.used)}
                    WHEN s.status = 'error' OR s.usage = 'missing' THEN NULL
                    ELSE r.calls * s.calls END AS by_book,
                s.status = 'cache_hit' OR ({idle}) AND (s.status = 'error'
                    OR (s.usage <> 'missing' AND r.calls IS NULL AND ({known}))) AS free
            FROM sized s LEFT JOIN ({staged}_kinds JOIN {staged}_rates USING (kind)) r
                ON {same_kind}
                AND s.started_at >= r.valid_from AND s.started_at < r.valid_until
                AND s.second_of_day >= r.from_second AND s.second_of_day < r.to_second
                AND s.size > r.over AND s.size <= r.up_to
        )
        SELECT row_id,
            CASE WHEN by_book IS NOT NULL THEN {unit.usd("by_book")}
                WHEN free AND NOT billed THEN 0 ELSE reported_cost_usd
                END::DECIMAL(38,24) AS cost_usd,
            CASE WHEN by_book IS NOT NULL AND NOT inexact THEN 'priced'
                WHEN by_book IS NOT NULL THEN 'estimated'
                WHEN billed THEN 'billed'
                WHEN free THEN 'priced'
                WHEN reported_cost_usd IS NULL THEN 'unpriced'
                ELSE 'estimated' END AS basis,
            CASE WHEN by_book IS NOT NULL THEN rate END AS rate
        FROM met"""


def _size(used: Sequence[str]) -> str:
    """Return the total input that chooses the size tier; of a bucket the mean, rounded up."""
    meters = [f"coalesce({meter}, 0)" for meter in used if meter in _SIZE_METERS]
    total = f"({' + '.join(meters) or '0'})"
    mean = f"({total} + calls - 1) // calls"
    return f"CASE WHEN grain = 'bucket' AND calls > 1 THEN {mean} ELSE {total} END"


def _cost(used: Sequence[str]) -> str:
    """Return the sum of price times quantity; null as soon as a used meter has no price."""
    terms = [f"CASE WHEN s.{meter} <> 0 THEN {_product(meter)} ELSE 0 END" for meter in used]
    return " + ".join([*terms, "coalesce(r.calls * s.calls, 0)"])


def _product(meter: str) -> str:
    if meter == AUDIO:
        return _AUDIO_COST
    if meter == "output_tokens":
        return _OUTPUT_COST
    return f"r.{meter} * s.{meter}"


_OUTPUT_COST: Final = """CASE
    WHEN r.reasoning_tokens IS NULL OR coalesce(s.reasoning_tokens, 0) = 0
    THEN r.output_tokens * s.output_tokens
    WHEN s.reasoning_tokens <= s.output_tokens
    THEN r.output_tokens * (s.output_tokens - s.reasoning_tokens)
        + r.reasoning_tokens * s.reasoning_tokens END"""
"""Reasoning is a part of output; where it has a price of its own, the rest of output has not."""

_AUDIO_COST: Final = """((r.audio_seconds * greatest(s.audio_seconds, r.least_seconds * s.calls)
    + 1800) // 3600)"""
"""The price is per hour, so the nearest unit is taken, half of one upwards."""
