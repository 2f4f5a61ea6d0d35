"""The days of a period gathered into the bars of a plot: days, or weeks where there are many.

A week shows the mean of its days, so that a broken week at either end is no dip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.core.money import usd
from clearbar.web.figures import day_and_month
from clearbar.web.plots import Bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.own.card import DayFacts

MOST_DAILY_BARS: Final = 62
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class GatheredDays:
    """What a plot of a workflow's days needs."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, str], ...]
    """Each Monday, or each week, by the index of its bar."""
    top_cost_usd: float
    """Spend a day at the highest bar."""
    top_good: float
    """Good outcomes a day at the highest point."""
    weekly: bool

    @property
    def heights(self) -> tuple[float, ...]:
        """Spend a day, bar by bar."""
        return tuple(bar.height for bar in self.bars)


def gather(days: Sequence[DayFacts]) -> GatheredDays:
    """Return the bars of `days`, which are in order and without a hole."""
    weekly = len(days) > MOST_DAILY_BARS
    groups = _weeks(days) if weekly else [(day,) for day in days]
    bars = tuple(_bar(group) for group in groups)
    return GatheredDays(
        bars=bars,
        ticks=tuple(
            (index, day_and_month(group[0].day))
            for index, group in enumerate(groups)
            if group[0].day.weekday() == 0
        ),
        top_cost_usd=max((bar.height for bar in bars), default=0.0),
        top_good=max((bar.line for bar in bars), default=0.0),
        weekly=weekly,
    )


def _weeks(days: Sequence[DayFacts]) -> list[tuple[DayFacts, ...]]:
    weeks: dict[tuple[int, int], list[DayFacts]] = {}
    for facts in days:
        year, week, _ = facts.day.isocalendar()
        weeks.setdefault((year, week), []).append(facts)
    return [tuple(week) for week in weeks.values()]


def _bar(group: tuple[DayFacts, ...]) -> Bar:
    count = len(group)
    return Bar(
        height=float(sum(facts.cost_usd for facts in group)) / count,
        line=sum(facts.good for facts in group) / count,
        tooltip=_tooltip(group),
        quiet=count == 1 and group[0].day.weekday() >= _SATURDAY,
    )


def _tooltip(group: tuple[DayFacts, ...]) -> str:
    first, last = group[0].day, group[-1].day
    named = f"{first:%a} {day_and_month(first)}"
    if last != first:
        named += f" to {last:%a} {day_and_month(last)}"
    cost = usd(sum((facts.cost_usd for facts in group[1:]), group[0].cost_usd))
    calls = sum(facts.calls for facts in group)
    outcomes = sum(facts.outcomes for facts in group)
    scored = f"{sum(facts.good for facts in group):g} of {outcomes:,} good" if outcomes else ""
    return ", ".join(part for part in (f"{named}: {cost}", f"{calls:,} calls", scored) if part)
