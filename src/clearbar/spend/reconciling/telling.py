"""From the ledger to what is reconciled: few rows, gathered by what tells two accounts apart.

An agent's project is a folder, a gateway's key is one that it gave out itself: no names of the
provider's. Such a name says something only where a report of the provider has it too; else it is
not known which project or key of the provider's the call is of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import LedgerError
from clearbar.core.period import MAX_DAYS, Period
from clearbar.spend import queries
from clearbar.spend.charge import Origin
from clearbar.spend.reconciling.told import Told, model_scope
from clearbar.spend.reconciling.views import need_spans
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import narwhals as nw

    from clearbar.spend.engine import Engine

_MINUTES_PER_DAY: Final = 1440
_HOUR_MINUTES: Final = 60
_OWN: Final = ("account", "project", "credential", "principal")
_CONTEXT: Final = ("service_tier", "speed", "geo")
_CALL: Final = "call"
_PROVIDERS_NAMES: Final = frozenset({"anthropic_answers", "bedrock", "openai_answers"})
"""Sources of calls whose projects, keys and users are always the provider's."""
_OWN_ACCOUNTS: Final = frozenset({"litellm"})
"""Sources whose accounts are their own: organisations within a gateway."""

_Reported = Mapping[str, Mapping[str, Collection[str]]]
"""Provider -> dimension -> the names that its reports use."""


def told_by(
    engine: Engine, charges: nw.LazyFrame[Any], origins: Mapping[int, Origin]
) -> list[Told]:
    """Return what bills and aggregates say, and the calls that may be among it.

    Raises:
        LedgerError: when a file of origins is gone.
    """
    wholes = list(_wholes(engine, charges, origins))
    if not wholes:
        return []
    span = Period(min(row.day for row in wholes), max(row.until for row in wholes))
    reported = reported_names(wholes)
    named = {name for names in reported.values() for name in names}
    calls = told_by_calls(
        engine, charges, origins, span, reported, {"account", *named}, reported.keys()
    )
    return [*wholes, *calls]


def reported_names(wholes: Iterable[Told]) -> dict[str, dict[str, set[str]]]:
    """Return provider -> dimension -> the names that its bills and aggregates use."""
    found: dict[str, dict[str, set[str]]] = {}
    for row in wholes:
        names = found.setdefault(row.origin.provider, {})
        for dimension in _OWN:
            if name := getattr(row.origin, dimension):
                names.setdefault(dimension, set()).add(name)
    return found


def told_by_calls(
    engine: Engine,
    charges: nw.LazyFrame[Any],
    origins: Mapping[int, Origin],
    period: Period,
    reported: _Reported,
    named: Collection[str] = _OWN,
    providers: Collection[str] | None = None,
) -> list[Told]:
    """Return what calls say of each day of a period, by provider, model and the `named` dimensions.

    Only of the `providers`; None stands for all. `reported` are the names that count for certain.
    """
    numbers: dict[Origin, int] = {}
    rows = []
    for key, origin in sorted(origins.items()):
        if providers is None or origin.provider in providers:
            known = {name: _name(origin, name, reported) for name in _OWN if name in named}
            model = model_scope(origin.model)
            scope = Origin(source=_CALL, provider=origin.provider, model=model, **known)
            rows.append((key, numbers.setdefault(scope, len(numbers))))
    scopes = engine.table({"origin_id": int, "workflow": int}, rows)
    calls = queries.reached(queries.within(charges, period))
    sums = engine.rows(queries.usage_by(queries.attributed(calls, scopes), ["workflow", "day"]))
    by_number = list(numbers)
    return [
        Told(number, by_number[number], _CALL, day, queries.usage_of(usage))
        for number, day, *usage in sums
    ]


def _name(origin: Origin, dimension: str, reported: _Reported) -> str:
    """Return what a call names as the provider does; empty where the name is a program's own."""
    name: str = getattr(origin, dimension)
    if name in reported.get(origin.provider, {}).get(dimension, ()):
        return name
    if dimension == "account":
        return "" if origin.source in _OWN_ACCOUNTS else name
    return name if origin.source in _PROVIDERS_NAMES else ""


def _wholes(
    engine: Engine, charges: nw.LazyFrame[Any], origins: Mapping[int, Origin]
) -> Iterable[Told]:
    rows = list(_wholes_by(queries.WHOLE_KEYS, engine, charges, origins))
    return _wholes_by(queries.TIMED_KEYS, engine, charges, origins) if need_spans(rows) else rows


def _wholes_by(
    keys: Sequence[str], engine: Engine, charges: nw.LazyFrame[Any], origins: Mapping[int, Origin]
) -> Iterator[Told]:
    size = len(keys)
    for row in engine.rows(queries.wholes(charges, keys)):
        told = dict(zip(keys, row, strict=False))
        if told["origin_id"] not in origins:
            raise LedgerError(
                f"origin {told['origin_id']} is missing", "see what else is: clearbar check"
            )
        yield _whole(told, origins[told["origin_id"]], queries.usage_of(row[size:]))


def _whole(told: Mapping[str, Any], origin: Origin, usage: Usage) -> Told:
    of_bill = told["grain"] == "bill"
    lines = usage.calls if of_bill and not told["is_billed"] else 0
    if of_bill:
        usage = _counts(usage) if lines else replace(_counts(usage), cost_usd=usage.cost_usd)
    minutes = told["minutes"] + _minutes_in_years(told["day"].year, told["years"])
    return Told(
        key=told["origin_id"],
        origin=origin,
        grain=told["grain"],
        day=told["day"],
        usage=usage,
        days=_days(minutes),
        width_minutes=minutes,
        span=_span(told.get("minute"), minutes),
        context=" ".join(name for name in _CONTEXT if told[name]),
        uri=told["uri"],
        category=told["charge_category"] or "usage",
        unpriced_lines=lines,
    )


def _span(minute: int | None, width: int) -> tuple[int, int] | None:
    return None if minute is None or width >= _MINUTES_PER_DAY else (minute, minute + width)


def _days(minutes: int) -> int:
    """Return how many days it is of: one for less, and for what no bill is of.

    A local day in which the clock is turned back has an hour more.
    """
    days = -(-(minutes - _HOUR_MINUTES) // _MINUTES_PER_DAY)
    return days if 1 <= days <= MAX_DAYS else 1


def _minutes_in_years(first: int, years: int) -> int:
    first_days = date(first, 1, 1), date(first + years, 1, 1)
    return (first_days[1] - first_days[0]).days * _MINUTES_PER_DAY


def _counts(usage: Usage) -> Usage:
    """Return the tokens alone: lines are no calls, and money by a price book is in no bill."""
    return Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
