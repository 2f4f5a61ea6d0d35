"""Days on which other hours are dear than the price library says: dated rules beside its gaps.

The library gives the hours of a price neither a first day nor days of the week. A rule of
`price_gaps.toml` says of which days that is wrong, and at which time of such a day the price stands
that holds in these hours. Pure.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.prices.price_rate import (
    ALL_WEEKDAYS,
    DAY_SECONDS,
    FIRST_DAY,
    LAST_DAY,
    WEEKDAYS,
    Rate,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, time

_WHOLE_DAY: Final = ((0, DAY_SECONDS),)


@dataclass(frozen=True, slots=True)
class HourRule:
    """What the hours of some days cost."""

    name: str
    models: frozenset[str]
    """As the price book names them; also where another provider has them at the same prices."""
    as_at: int
    """The second of the day at which the price stands that holds in all of `hours`."""
    source: str
    start: date = FIRST_DAY
    end: date = LAST_DAY
    """The first UTC day on which it no longer holds."""
    weekdays: int = ALL_WEEKDAYS
    hours: tuple[tuple[int, int], ...] = _WHOLE_DAY
    """Seconds of the UTC day, each second one excluded."""
    factor: Decimal = Decimal(1)

    def names(self, price_model: str) -> bool:
        """Return whether a price model is one of its models, its own or a borrowed one."""
        return "/".join(price_model.rsplit("/", 2)[-2:]) in self.models


@cache
def hour_rules(text: str) -> tuple[HourRule, ...]:
    """Return the rules of hours of a file of gaps, in their order."""
    return tuple(_rule(values) for values in tomllib.loads(text).get("hours", ()))


def at_hours(price_model: str, rates: Sequence[Rate], rules: Sequence[HourRule]) -> list[Rate]:
    """Return the rates of a price model with the rules of hours laid over them, the last on top."""
    named = [rule for rule in rules if rule.names(price_model)]
    return reduce(_laid_over, named, list(rates))


def _rule(values: dict[str, Any]) -> HourRule:
    days = [1 << WEEKDAYS.index(day) for day in values.get("weekdays", WEEKDAYS)]
    hours = [(_second(start), _second(end)) for start, end in values.get("hours", ())]
    return HourRule(
        name=values["name"],
        models=frozenset(values["models"]),
        as_at=_second(values["as_at"]),
        source=values["source"],
        start=values.get("from", FIRST_DAY),
        end=values.get("until", LAST_DAY),
        weekdays=sum(days),
        hours=tuple(hours) or _WHOLE_DAY,
        factor=Decimal(values.get("factor", "1")),
    )


def _second(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _laid_over(rates: list[Rate], rule: HourRule) -> list[Rate]:
    kept = [part for rate in rates for part in _outside(rate, rule)]
    return kept + [part for rate in rates for part in _by_rule(rate, rule)]


def _by_rule(rate: Rate, rule: HourRule) -> Iterator[Rate]:
    """Yield what a rule makes of a rate: nothing, where it does not hold at the rule's time."""
    dated = rate.between(rule.start, rule.end)
    weekdays = rate.weekdays & rule.weekdays
    if dated is None or not weekdays or not rate.from_second <= rule.as_at < rate.to_second:
        return
    for start, end in rule.hours:
        yield replace(
            dated,
            price_id=f"{rate.price_id}+{rule.name}",
            prices={meter: scaled(price, rule.factor) for meter, price in rate.prices.items()},
            weekdays=weekdays,
            from_second=start,
            to_second=end,
        )


def _outside(rate: Rate, rule: HourRule) -> Iterator[Rate]:
    """Yield the parts of a rate that a rule leaves alone: other days, weekdays and hours."""
    same, others = rate.weekdays & rule.weekdays, rate.weekdays & ~rule.weekdays
    inside = rate.between(rule.start, rule.end)
    if inside is None or not same:
        yield rate
        return
    dated = (rate.between(FIRST_DAY, rule.start), rate.between(rule.end, LAST_DAY))
    yield from (part for part in dated if part)
    if others and _occurs(inside, others):
        yield replace(inside, weekdays=others)
    for start, end in _gaps((rate.from_second, rate.to_second), rule.hours):
        yield replace(inside, weekdays=same, from_second=start, to_second=end)


def _occurs(rate: Rate, weekdays: int) -> bool:
    """Return whether one of some weekdays is among a rate's days."""
    days = range(min((rate.end - rate.start).days, len(WEEKDAYS)))
    return any(weekdays >> (rate.start.weekday() + day) % len(WEEKDAYS) & 1 for day in days)


def _gaps(span: tuple[int, int], taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span of seconds that none of some others takes."""
    at, end = span
    for start, stop in sorted(taken):
        if at < min(start, end):
            yield at, min(start, end)
        at = max(at, stop)
    if at < end:
        yield at, end
