"""Where recorded costs and the price book disagree: by model and month, with the effect in dollars.

What is compared is the cost that a program computed and wrote beside its tokens. A bill is no
opinion, and is not compared.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import UnknownName
from clearbar.core.money import plain
from clearbar.spend.charge import CACHE_READ_METERS, CACHE_WRITE_METERS, INPUT_METERS, OUTPUT_METERS
from clearbar.spend.engine import connect, load_table, quoted
from clearbar.spend.prices.price_reason import Compared, Reason, reasons
from clearbar.spend.repricing.reprice import SAME_RECORD
from clearbar.spend.storage.record_files import parquet_sql, read_origins

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from clearbar.core.period import Period
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

_MOST_LOOKED_AT: Final = 2_000
"""Records of a model and month whose reason is looked for: those with the largest difference."""
_TOLERATED: Final = "0.01"
_PER_MILLION: Final = "usd_per_million."

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "logs": "Recorded costs against the price book, by model and month; largest gap first.",
        "logs[].provider": "Who bills.",
        "logs[].model": "The model as reported.",
        "logs[].month": "The UTC month.",
        "logs[].calls": "Calls with both a recorded cost and one by the price book.",
        "logs[].recorded_usd": "What was recorded, as text.",
        "logs[].book_usd": "What the price book says, as text.",
        "logs[].gap_usd": "Recorded minus book, as text.",
        "logs[].gap_share": "The same as a share of what the book says; null where that is zero.",
        "logs[].calls_off": "Of the calls, those that differ by more than 1%.",
        "logs[].reasons": "Why, as far as the calls themselves tell; largest effect first.",
        "logs[].reasons[].cause": "`other price`, `cache`, `zero`, `anomaly`, `too few` or"
        " `unexplained`.",
        "logs[].reasons[].calls": "How many calls it is about.",
        "logs[].reasons[].effect_usd": "Recorded minus book over these, as text.",
        "logs[].reasons[].text": "A sentence.",
        "logs[].reasons[].charge_id": "The charge of the largest difference.",
    }
)
"""Every field of `month_json`, by its path."""


@dataclass(frozen=True, slots=True)
class ModelMonth:
    """What one model's calls of a month cost by the record and by the price book."""

    provider: str
    model: str
    month: str
    calls: int
    recorded_usd: Decimal
    book_usd: Decimal
    calls_off: int
    reasons: tuple[Reason, ...] = ()

    @property
    def gap_usd(self) -> Decimal:
        """Recorded minus book."""
        return self.recorded_usd - self.book_usd

    @property
    def gap_share(self) -> float | None:
        """The gap as a share of what the book says."""
        return float(self.gap_usd / self.book_usd) if self.book_usd else None


def recorded_against_book(ledger: Ledger, book: PriceBook, period: Period) -> list[ModelMonth]:
    """Return all models and months in which a recorded cost can be compared; largest gap first."""
    files = list(ledger.folder.record_files().values())
    if not files:
        return []
    connection = connect(ledger.folder.path / "staging")
    try:
        _stage(connection, ledger, period)
        months = _months(connection)
        told = _told(connection)
        prices = {key: _book_prices(book, price_id) for key, price_id in _price_ids(connection)}
    finally:
        connection.close()
    everything: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for (provider, model, _), records in told.items():
        everything[provider, model] += records
    for at, month in enumerate(months):
        key = month.provider, month.model, month.month
        if month.calls_off:
            others = everything[month.provider, month.model]
            why = reasons(told[key], others, prices.get(key, {}))
            months[at] = _with_reasons(month, why)
    return sorted(months, key=lambda each: (-abs(each.gap_usd), each.model, each.month))


def month_json(month: ModelMonth) -> dict[str, Any]:
    """Return a model's month as JSON values."""
    return {
        "provider": month.provider,
        "model": month.model,
        "month": month.month,
        "calls": month.calls,
        "recorded_usd": plain(month.recorded_usd),
        "book_usd": plain(month.book_usd),
        "gap_usd": plain(month.gap_usd),
        "gap_share": month.gap_share,
        "calls_off": month.calls_off,
        "reasons": [
            {
                "cause": reason.cause,
                "calls": reason.calls,
                "effect_usd": plain(reason.effect_usd),
                "text": reason.text,
                "charge_id": reason.charge_id,
            }
            for reason in month.reasons
        ],
    }


def _stage(connection: duckdb.DuckDBPyConnection, ledger: Ledger, period: Period) -> None:
    """Make `compared`: one row for each record with both costs, as it was read and priced last."""
    origins = read_origins(connection, list(ledger.folder.origin_files().values()))
    rows = [(key, origin.provider, origin.model) for key, origin in origins.items()]
    columns = {"origin_id": "BIGINT", "provider": "VARCHAR", "model": "VARCHAR"}
    load_table(connection, "given_origin", columns, rows)
    records = parquet_sql(ledger.folder.record_files().values())
    cached = _sum(CACHE_READ_METERS + CACHE_WRITE_METERS)
    latest = f"PARTITION BY {', '.join(SAME_RECORD)} ORDER BY read_at DESC"
    connection.execute(
        f"""CREATE TEMP TABLE compared AS
        SELECT provider, model, strftime(day, '%Y-%m') AS month, charge_id, price_id, calls,
               {_sum(INPUT_METERS)} AS fresh, {cached} AS cached,
               {_sum(OUTPUT_METERS)} AS written, reported_cost_usd AS recorded,
               coalesce(covered_usd, cost_usd) AS ours
        FROM (SELECT * FROM {records} QUALIFY row_number() OVER ({latest}) = 1) r
        JOIN given_origin USING (origin_id)
        WHERE day >= {quoted(str(period.start))} AND day < {quoted(str(period.end))}
          AND reported_cost_usd IS NOT NULL AND reported_basis = 'estimated' AND grain = 'call'
          AND price_id IS NOT NULL AND NOT starts_with(price_id, 'currency:')
          AND coalesce(covered_usd, cost_usd) IS NOT NULL"""
    )


def _months(connection: duckdb.DuckDBPyConnection) -> list[ModelMonth]:
    rows = connection.execute(
        f"""SELECT provider, model, month, sum(calls)::BIGINT, sum(recorded), sum(ours),
               count(*) FILTER ({_OFF})
        FROM compared GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return [ModelMonth(*row) for row in rows]


def _told(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], list[Compared]]:
    """Return the records that differ, those with the largest difference, by model and month."""
    rows = connection.execute(
        f"""SELECT provider, model, month, charge_id, fresh, cached, written, recorded, ours
        FROM compared WHERE {_OFF}
        WINDOW largest AS (PARTITION BY provider, model, month
                           ORDER BY abs(recorded - ours) DESC, charge_id)
        QUALIFY row_number() OVER largest <= {_MOST_LOOKED_AT}
        ORDER BY ALL"""
    ).fetchall()
    told: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for provider, model, month, *values in rows:
        told[provider, model, month].append(Compared(*values))
    return told


def _price_ids(connection: duckdb.DuckDBPyConnection) -> list[tuple[tuple[str, str, str], str]]:
    rows = connection.execute(
        f"""SELECT provider, model, month, mode(price_id) FROM compared WHERE {_OFF} GROUP BY ALL"""
    ).fetchall()
    return [((provider, model, month), price_id) for provider, model, month, price_id in rows]


def _book_prices(book: PriceBook, price_id: str) -> dict[str, Decimal]:
    """Return the price of a million by meter; nothing where the book no longer knows the price."""
    try:
        said = book.explain(price_id)
    except UnknownName:
        return {}
    return {
        key.removeprefix(_PER_MILLION): Decimal(text)
        for key, text in said.items()
        if key.startswith(_PER_MILLION)
    }


def _with_reasons(month: ModelMonth, why: tuple[Reason, ...]) -> ModelMonth:
    values = (month.provider, month.model, month.month, month.calls)
    return ModelMonth(*values, month.recorded_usd, month.book_usd, month.calls_off, why)


def _sum(meters: tuple[str, ...]) -> str:
    return " + ".join(f"coalesce({meter}, 0)" for meter in meters)


_OFF: Final = f"abs(recorded - ours) > ours * {_TOLERATED}::DECIMAL(3,2)"
