"""A workflow's days: usage and outcomes side by side, and what the outcomes are worth. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from clearbar.own.card import DayFacts
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.core.period import Period
    from clearbar.own.outcome import DailyOutcomes
    from clearbar.own.workflow import Workflow


def days_of(
    workflow: Workflow,
    usage: Mapping[date, Usage],
    outcomes: Mapping[date, DailyOutcomes],
    period: Period,
) -> tuple[DayFacts, ...]:
    """Return every day of the period in order, quiet ones included.

    A day without outcomes is worth nothing, where the worth of others is known at all.
    """
    each_usd = workflow.worth_usd
    valued = each_usd is not None or any(row.worth_usd is not None for row in outcomes.values())
    days = (period.start + timedelta(days=offset) for offset in range(period.days))
    return tuple(
        _day(day, usage.get(day, Usage()), outcomes.get(day), each_usd, valued=valued)
        for day in days
    )


def worth_of(days: Sequence[DayFacts]) -> Decimal | None:
    """Return what the outcomes are worth; None where there are none, or a worth is unknown."""
    worths = [day.worth_usd for day in days if day.worth_usd is not None]
    if len(worths) < len(days) or not any(day.outcomes for day in days):
        return None
    return sum(worths, Decimal(0))


def observed_days(
    days: Sequence[DayFacts], first_day: date | None, as_of: date
) -> tuple[DayFacts, ...]:
    """Return the days that say something: none before the start, none that are still to come."""
    active = [day.day for day in days if day.calls or day.outcomes]
    if not active:
        return ()
    first = min(active[0], first_day or active[0])
    last = max(active[-1], as_of - timedelta(days=1))
    return tuple(day for day in days if first <= day.day <= last)


def _day(
    day: date,
    usage: Usage,
    scored: DailyOutcomes | None,
    each_usd: Decimal | None,
    *,
    valued: bool,
) -> DayFacts:
    return DayFacts(
        day=day,
        calls=usage.calls,
        tokens=usage.tokens,
        cost_usd=usage.cost_usd,
        outcomes=scored.outcomes if scored else 0,
        good=scored.good if scored else 0.0,
        worth_usd=_worth_of_day(scored, each_usd) if valued else None,
        calls_unpriced=usage.calls_unpriced,
    )


def _worth_of_day(scored: DailyOutcomes | None, each_usd: Decimal | None) -> Decimal | None:
    if scored is None:
        return Decimal(0)
    stated_usd = scored.worth_usd or Decimal(0)
    if not scored.good_without_worth:
        return stated_usd
    return None if each_usd is None else stated_usd + each_usd * scored.good_without_worth
