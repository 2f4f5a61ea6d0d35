"""The shared queries, written once as Narwhals expressions: the same values on every engine.

A frame of charges has the columns `columns.QUERIED`. Sums come in the order of `USAGE_FIELDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from clearbar.spend.charge import (
    BASES,
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
)
from clearbar.spend.columns import QUERIED
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.core.period import Period

_SUMS: Final = {
    "input_tokens": INPUT_METERS,
    "cache_read_tokens": CACHE_READ_METERS,
    "cache_write_tokens": CACHE_WRITE_METERS,
    "output_tokens": OUTPUT_METERS,
}
*_COUNTED, _LEFT = BASES
WHOLE_KEYS: Final = (
    "origin_id",
    "grain",
    "day",
    "minutes",
    "years",
    "service_tier",
    "speed",
    "geo",
    "uri",
    "charge_category",
    "is_billed",
)
"""By what the rows of `wholes` are told apart."""
TIMED_KEYS: Final = (*WHOLE_KEYS, "minute")
"""And by what, where buckets of less than a day have to be."""
_NOTHING: Final = tuple(getattr(Usage(), name) for name in USAGE_FIELDS)


def charges(
    records: nw.LazyFrame[Any],
    merged: nw.LazyFrame[Any] | None,
    columns: Sequence[str] = QUERIED,
) -> nw.LazyFrame[Any]:
    """Return one row a charge: records, but what they merge to where several tell of one."""
    rows = records.select(*columns)
    if merged is None:
        return rows
    replaced = merged.select(*columns)
    single = rows.join(replaced.select("charge_id"), on="charge_id", how="anti")
    return nw.concat([single, replaced], how="vertical")


def within(frame: nw.LazyFrame[Any], period: Period) -> nw.LazyFrame[Any]:
    """Return the charges that began in the period."""
    if period.is_all:
        return frame
    return frame.filter(nw.col("day") >= period.start, nw.col("day") < period.end)


def usage_by(frame: nw.LazyFrame[Any], keys: Sequence[str]) -> nw.LazyFrame[Any]:
    """Return the keys and the sums of `Usage` for each group."""
    meters = [name for names in _SUMS.values() for name in names]
    sums = frame.group_by(*keys).agg(
        nw.col("calls").sum(),
        *(nw.col(name).sum() for name in meters),
        nw.col("cost_usd").sum(),
        *(_calls_of(basis) for basis in _COUNTED),
    )
    totals = [_total(names).alias(f"all_{name}") for name, names in _SUMS.items()]
    totals.append(_calls_left().alias(f"calls_{_LEFT}"))
    ordered = [f"all_{name}" if name in _SUMS else name for name in USAGE_FIELDS]
    return sums.with_columns(*totals).select(*keys, *ordered)


def first_days(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return each origin and the first day on which it has a charge."""
    return frame.group_by("origin_id").agg(nw.col("day").min())


def grains(records: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return which grains records have beside that of a call.

    Files whose statistics say that all their records are calls are not read for it.
    """
    return records.filter(nw.col("grain") != "call").select("grain").unique()


def of_calls(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return charges without lines of bills, whose money is reconciled beside them."""
    return frame.filter(nw.col("grain") != "bill")


def outside(frame: nw.LazyFrame[Any], periods: Sequence[Period]) -> nw.LazyFrame[Any]:
    """Return the charges that began in none of the periods."""
    for period in periods:
        frame = frame.filter((nw.col("day") < period.start) | (nw.col("day") >= period.end))
    return frame


def wholes(frame: nw.LazyFrame[Any], keys: Sequence[str] = WHOLE_KEYS) -> nw.LazyFrame[Any]:
    """Return usage of what tells of more than one call, by `WHOLE_KEYS` or `TIMED_KEYS`.

    The `calls` of a bill are its lines. `minute` is that of the day in which a bucket begins.
    `minutes` and `years` are what the end is after the beginning, within the year and in years: no
    engine but DuckDB counts the minutes between.
    """
    minutes = _minute_of_year("ended_at") - _minute_of_year("started_at")
    years = nw.col("ended_at").dt.year() - nw.col("started_at").dt.year()
    of_bill = nw.col("grain") == "bill"
    told = frame.filter(nw.col("grain") != "call").with_columns(
        minutes.fill_null(0).alias("minutes"),
        years.fill_null(0).alias("years"),
        (nw.col("basis") == "billed").alias("is_billed"),
        nw.when(~of_bill).then(_minute_of_day("started_at")).alias("minute"),
        nw.when(of_bill).then(1).otherwise(nw.col("calls")).alias("calls"),
    )
    return usage_by(told, keys)


def reached(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the calls that a provider knows of: not a cache's, nor those that failed for free."""
    cost = nw.col("cost_usd").fill_null(0)
    failed = (nw.col("status") == "error") & (cost == 0)
    known = (nw.col("status") != "cache_hit") & ~failed
    return frame.filter(nw.col("grain") == "call", known)


def dearest(frame: nw.LazyFrame[Any], count: int) -> nw.LazyFrame[Any]:
    """Return id, origin, day, basis and cost of the dearest charges; not of aggregates."""
    known = frame.filter(~nw.col("cost_usd").is_null(), nw.col("grain") == "call")
    ranked = known.sort("cost_usd", "charge_id", descending=[True, False])
    return ranked.head(count).select("charge_id", "origin_id", "day", "basis", "cost_usd")


def cost_steps(frame: nw.LazyFrame[Any], steps: int) -> nw.LazyFrame[Any]:
    """Return attributed calls with the `step` of their cost: so many steps to a doubling.

    Calls that cost nothing, or nobody knows what, have none and drop out.
    """
    known = frame.filter(nw.col("cost_usd") > 0, nw.col("grain") == "call", nw.col("calls") > 0)
    doublings = nw.col("cost_usd").cast(nw.Float64).log(2)
    return known.with_columns((doublings * steps).floor().cast(nw.Int64).alias("step"))


def counted_steps(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return workflow, step and number of calls: the histogram of costs, by workflow."""
    return frame.group_by("workflow", "step").agg(nw.len().alias("n"))


def beyond(frame: nw.LazyFrame[Any], fences: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return charge, origin, workflow, day, basis and cost of calls of a step above the fence."""
    out = frame.join(fences, on="workflow", how="inner").filter(nw.col("step") > nw.col("fence"))
    return out.select("charge_id", "origin_id", "workflow", "day", "basis", "cost_usd")


def attributed(frame: nw.LazyFrame[Any], origins: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the charges with the `workflow` of their origin; those of other origins drop out."""
    return frame.join(origins, on="origin_id", how="inner")


def usage_of(sums: Sequence[Any]) -> Usage:
    """Return a query's sums as a value. A sum over nothing known is zero, beside its own count."""
    return Usage(*(value or zero for value, zero in zip(sums, _NOTHING, strict=True)))


def _minute_of_year(name: str) -> nw.Expr:
    return nw.col(name).dt.ordinal_day().cast(nw.Int64) * 24 * 60 + _minute_of_day(name)


def _minute_of_day(name: str) -> nw.Expr:
    at = nw.col(name).dt
    return at.hour().cast(nw.Int64) * 60 + at.minute().cast(nw.Int64)


def _total(names: Sequence[str]) -> nw.Expr:
    first, *rest = (nw.col(name).fill_null(0) for name in names)
    total = first
    for column in rest:
        total = total + column
    return total


def _calls_left() -> nw.Expr:
    """Return the calls of the basis that is not counted: every charge has one."""
    left = nw.col("calls")
    for basis in _COUNTED:
        left = left - nw.col(f"calls_{basis}")
    return left


def _calls_of(basis: str) -> nw.Expr:
    counted = nw.when(nw.col("basis") == basis).then(nw.col("calls")).otherwise(0)
    return counted.sum().alias(f"calls_{basis}")
