"""Pricing many charges at once, inside the engine: one join and a sum of whole numbers.

Kinds of charges (provider, model, tier, speed, place) are few; their rates in force are looked up
here and put into a small table. Each charge then meets exactly one of them or none.

Never rounds and never divides money: prices and quantities are whole numbers, in a unit of money
that is chosen for each batch. The one quotient, seconds of an hour, is taken in the smallest unit.

What a plan or a commitment covers costs nothing extra; its cost by the book is its list value. A
cost in another currency is turned into US dollars first. A program that reports a cost of zero for
what nobody has priced does not know it, and so it stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.spend.charge import BASES, CACHE_READ_METERS, CACHE_WRITE_METERS, INPUT_METERS, METERS
from clearbar.spend.engine import quoted
from clearbar.spend.prices.currencies import convert, joined
from clearbar.spend.prices.price_rate import ALL_WEEKDAYS, AUDIO, Kind
from clearbar.spend.prices.price_rows import enum, insert_rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.prices.price_rate import Rate
    from clearbar.spend.prices.price_rows import MoneyUnit

_SIZE_METERS: Final = (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS)
_QUANTITIES: Final = (*METERS, "reasoning_tokens", "calls")


def price(
    connection: duckdb.DuckDBPyConnection,
    book: PriceBook,
    staged: str,
    keys: Sequence[str] = ("origin_id", "service_tier", "speed", "geo"),
) -> None:
    """Create the temporary table `<staged>_priced`: one row for each row of `staged`.

    The columns are row_id, cost_usd, covered_usd, basis, price_id and price_version; cost_usd is
    null where the basis is unpriced, covered_usd where nothing covers the charge, and the last two
    where the book had no part in the cost. The texts are of enumerated types, which can be cast to
    VARCHAR.

    `keys` are columns of `staged`, never null, that together decide the kind of a charge: an origin
    has one provider and model. A single number that says as much is quicker to compare.

    Raises:
        ClearbarError: when a cost has more digits than the ledger holds.
    """
    kinds = _number_kinds(connection, staged, keys)
    rates = [
        (number, rate)
        for number, (_, rates) in enumerate(book.rates_in_force(kinds))
        for rate in rates
    ]
    import duckdb  # noqa: PLC0415 - loaded by whoever has a connection

    in_currencies = convert(connection, staged, book.currencies)
    batch = _look_at(connection, staged, [rate for _, rate in rates], in_currencies=in_currencies)
    try:
        unit = insert_rates(connection, f"{staged}_rates", rates, batch.largest)
        query = _query(staged, keys, batch, unit, book.version)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {staged}_priced AS {query}")
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        raise ClearbarError(
            "a charge would cost more than the ledger can hold",
            "look for a declared price that is impossibly high: [[price]] in clearbar.toml",
        ) from error
    for table in ("kinds", "rates", *(["converted"] if in_currencies else [])):
        connection.execute(f"DROP TABLE {staged}_{table}")


def _number_kinds(
    connection: duckdb.DuckDBPyConnection, staged: str, keys: Sequence[str]
) -> list[Kind]:
    """Return the kinds; make `<staged>_kinds`, which says the number of each."""
    fields = ", ".join(Kind._fields)
    columns = ", ".join(dict.fromkeys((*keys, *Kind._fields)))
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {staged}_kinds AS
        SELECT {columns}, dense_rank() OVER (ORDER BY {fields}) - 1 AS kind
        FROM {staged}
        SEMI JOIN (SELECT min(row_id) AS row_id FROM {staged} GROUP BY {", ".join(keys)})
            USING (row_id)"""
    )
    rows = connection.execute(
        f"SELECT DISTINCT kind, {fields} FROM {staged}_kinds ORDER BY kind"
    ).fetchall()
    return [Kind(*row[1:]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What occurs at all in the charges that are priced together."""

    largest: dict[str, int]
    """Meter, `reasoning_tokens` or `calls` -> the largest quantity, where one is not zero."""
    measured: list[str]
    """The meters reported at all, even as zero."""
    priced: frozenset[str]
    """Meter, `reasoning_tokens` or `calls`, where a rate has a price for it."""
    has_covered: bool
    """Whether anything that was paid in advance may cover one of them."""
    has_weekdays: bool
    """Whether a rate holds on some days of the week only."""
    in_currencies: bool
    """Whether a cost was reported in another currency than US dollars."""

    @property
    def used(self) -> list[str]:
        """The meters that are anywhere not zero."""
        return [meter for meter in METERS if meter in self.largest]


def _look_at(
    connection: duckdb.DuckDBPyConnection,
    staged: str,
    rates: Sequence[Rate],
    *,
    in_currencies: bool,
) -> _Batch:
    quantities = ", ".join(f"max(abs({name}))" for name in _QUANTITIES)
    found: Any = connection.execute(f"SELECT {quantities} FROM {staged}").fetchone()
    largest = dict(zip(_QUANTITIES, found, strict=True))
    return _Batch(
        largest={name: quantity for name, quantity in largest.items() if quantity},
        measured=[meter for meter in METERS if largest[meter] is not None],
        priced=frozenset(name for rate in rates for name in rate.prices),
        has_covered=any(rate.covered for rate in rates),
        has_weekdays=any(rate.weekdays != ALL_WEEKDAYS for rate in rates),
        in_currencies=in_currencies,
    )


def _query(staged: str, keys: Sequence[str], batch: _Batch, unit: MoneyUnit, version: str) -> str:
    """Return the statement: charges meet their rate, then a rule says where the cost is from.

    Of each rule the usual case comes first: the engine works out the others for the rest only.
    """
    same_kind = " AND ".join(f"s.{key} = r.{key}" for key in keys)
    billed, priced, estimated, unpriced = (_constant(basis, BASES) for basis in BASES)
    free = _free(batch)
    told = joined(staged) if batch.in_currencies else staged
    rate = "rate" if batch.in_currencies else "NULL"
    covers = _COVERS if batch.has_covered else "false"
    on_weekday = _ON_WEEKDAY if batch.has_weekdays else "true"
    by_book = f"{unit.usd('by_book')}::DECIMAL(38,24)"
    call_fee = "r.calls * s.calls" if "calls" in batch.priced else "NULL"
    return f"""
        WITH sized AS (
            SELECT *, epoch_us(started_at) % 86400000000 AS us_of_day, {_size(batch.used)} AS size
            FROM {told}
        ), met AS (
            SELECT s.*, r.price_id AS rate_id, r.covered AS is_covered,
                {call_fee} AS call_cost, {_cost(batch)} AS used_cost,
                s.usage = 'partial' OR r.estimated OR (r.varies AND s.grain = 'bucket') AS inexact
            FROM sized s LEFT JOIN (FROM {staged}_kinds JOIN {staged}_rates USING (kind)) r
                ON {same_kind}
                AND s.started_at >= r.valid_from AND s.started_at < r.valid_until
                AND s.us_of_day >= r.from_second * 1000000::BIGINT
                AND s.us_of_day < r.to_second * 1000000::BIGINT
                AND s.size > r.over AND s.size <= r.up_to
                AND {on_weekday}
        ), judged AS (
            SELECT *, CASE
                WHEN grain = 'bill' THEN NULL
                WHEN used_cost > 0 AND reported_basis <> 'billed' AND NOT {_DECLARED}
                        AND status <> 'cache_hit'
                    THEN used_cost + coalesce(call_cost, 0)
                WHEN {_BILLED} OR {_DECLARED} OR status = 'cache_hit' THEN NULL
                WHEN NOT ({_idle(batch)}) THEN used_cost + coalesce(call_cost, 0)
                WHEN status <> 'error' AND usage <> 'missing' THEN call_cost
                END AS by_book
            FROM met
        )
        SELECT row_id,
            CASE WHEN {covers} THEN 0
                WHEN by_book IS NOT NULL THEN {by_book}
                WHEN {_BILLED} OR {_DECLARED} THEN reported_cost_usd
                WHEN {free} THEN 0
                ELSE {_REPORTED} END::DECIMAL(38,24) AS cost_usd,
            CASE WHEN NOT ({covers}) THEN NULL
                WHEN by_book IS NOT NULL THEN {by_book}
                WHEN {free} THEN 0
                ELSE {_REPORTED} END::DECIMAL(38,24) AS covered_usd,
            CASE WHEN {covers} THEN {priced}
                WHEN by_book IS NOT NULL AND NOT inexact THEN {priced}
                WHEN by_book IS NOT NULL THEN {estimated}
                WHEN {_BILLED} THEN {billed}
                WHEN {_DECLARED} AND usage <> 'partial' THEN {priced}
                WHEN {free} THEN {priced}
                WHEN {_REPORTED} IS NULL THEN {unpriced}
                ELSE {estimated} END AS basis,
            CASE WHEN {covers} OR by_book IS NOT NULL THEN rate_id
                WHEN NOT ({free}) THEN {rate} END AS price_id,
            CASE WHEN {covers} OR by_book IS NOT NULL OR (NOT ({free}) AND {rate} IS NOT NULL)
                THEN {_constant(version, [version])} END AS price_version
        FROM judged"""


_ON_WEEKDAY: Final = "(r.weekdays >> (isodow(s.started_at) - 1)::UTINYINT) & 1 = 1"
_BILLED: Final = "(reported_basis = 'billed' AND reported_cost_usd IS NOT NULL)"
_DECLARED: Final = "(reported_basis = 'declared' AND reported_cost_usd IS NOT NULL)"
_COVERS: Final = f"(coalesce(is_covered, false) AND NOT {_BILLED} AND NOT {_DECLARED})"
"""Whether a charge was paid in advance. A bill says what is paid on top of it."""
_REPORTED: Final = "nullif(reported_cost_usd, 0)"
"""What a program computed. A zero for something that was used is its word for not knowing."""


def _constant(text: str, texts: Sequence[str]) -> str:
    return f"{quoted(text)}::{enum(texts)}"


def _free(batch: _Batch) -> str:
    """Return the condition under which a charge that the book did not price has cost nothing.

    A line of a bill costs what it says, or nobody knows. A hit in a gateway's own cache reached no
    provider. A call that failed without usage costs nothing; a call without usage that did not fail
    has used something that nobody measured.
    """
    known = " OR ".join(f"{meter} IS NOT NULL" for meter in batch.measured) or "false"
    return f"""status = 'cache_hit' OR (grain <> 'bill' AND ({_idle(batch)})
                    AND (status = 'error' OR (usage <> 'missing' AND ({known}))))"""


def _idle(batch: _Batch) -> str:
    return " AND ".join(f"coalesce({meter}, 0) = 0" for meter in batch.used) or "true"


def _size(used: Sequence[str]) -> str:
    """Return the total input that chooses the size tier; of a bucket the mean, rounded up.

    A bucket that does not say how many calls it holds is taken to hold small ones.
    """
    meters = [f"coalesce({meter}, 0)" for meter in used if meter in _SIZE_METERS]
    total = f"({' + '.join(meters) or '0'})"
    mean = f"({total} + calls - 1) // calls"
    many = f"CASE WHEN calls = 0 THEN 0 ELSE {mean} END"
    return f"CASE WHEN grain = 'bucket' AND calls <> 1 THEN {many} ELSE {total} END"


def _cost(batch: _Batch) -> str:
    """Return the sum of price times quantity; null as soon as a used meter has no price."""
    products = {meter: f"r.{meter} * s.{meter}" for meter in batch.used} | {AUDIO: _AUDIO_COST}
    if "reasoning_tokens" in batch.largest.keys() & batch.priced:
        products["output_tokens"] = _OUTPUT_COST
    terms = [f"CASE WHEN s.{meter} <> 0 THEN {products[meter]} ELSE 0 END" for meter in batch.used]
    return " + ".join(terms) or "0"


_OUTPUT_COST: Final = """CASE
    WHEN r.reasoning_tokens IS NULL OR coalesce(s.reasoning_tokens, 0) = 0
    THEN r.output_tokens * s.output_tokens
    WHEN s.reasoning_tokens <= s.output_tokens
    THEN r.output_tokens * (s.output_tokens - s.reasoning_tokens)
        + r.reasoning_tokens * s.reasoning_tokens END"""
"""Reasoning is a part of output; where it has a price of its own, the rest of output has not."""

_AUDIO_COST: Final = """((r.audio_seconds * greatest(s.audio_seconds, r.least_seconds * s.calls)
    + 4) // 9)"""
"""The price is per nine seconds; to the nearest unit, which is the 24th place of a dollar."""
