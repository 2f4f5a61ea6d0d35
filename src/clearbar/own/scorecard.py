"""What is known of each workflow over a period: facts in, a scorecard out.

Never here: a sum that leaves something out. The parts add up to the total exactly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, localcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.period import ALL, Period
from clearbar.own.card import ModelUse, Scorecard, WorkflowCard
from clearbar.own.card_days import days_of, observed_days, worth_of
from clearbar.own.estimate import mean_score, ratio, total
from clearbar.own.gaps import gaps_of
from clearbar.own.workflow import UNATTRIBUTED, Workflow
from clearbar.spend.usage import Usage
from clearbar.tools.tool import TIERS, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clearbar.own.card import CoveredCalls, DayFacts, Defence, Estimate
    from clearbar.own.outcome import DailyOutcomes

_ONE_DAY: Final = timedelta(days=1)
_NEVER: Final = Period(ALL.start, ALL.start)
_DIGITS: Final = 60
"""Enough that no sum of money is rounded."""


@dataclass(slots=True)
class _Facts:
    """All rows of one workflow."""

    usage: dict[date, Usage] = field(default_factory=dict)
    outcomes: dict[date, DailyOutcomes] = field(default_factory=dict)
    models: list[ModelUse] = field(default_factory=list)

    def days(self) -> set[date]:
        return {*self.usage, *self.outcomes}


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all cards share."""

    period: Period
    before: Period
    as_of: date
    level: float


def build(
    period: Period,
    as_of: date,
    workflows: Sequence[Workflow],
    *,
    daily_usage: Iterable[tuple[str, date, Usage]],
    model_usage: Iterable[tuple[str, str, str, Tier, Usage]],
    outcomes: Iterable[DailyOutcomes],
    month_usage: Mapping[str, Decimal],
    first_days: Mapping[str, date],
    defences: Mapping[str, Defence],
    level: float,
    quarantined: int = 0,
    unattributed_origins: Sequence[tuple[str, Usage]] = (),
    covered: Mapping[str, CoveredCalls] = MappingProxyType({}),
) -> Scorecard:
    """Return the scorecard of `period`.

    `daily_usage` and `outcomes` hold rows of the period and of the one before; others are left
    out. `model_usage` (workflow, provider, model, tier, usage) and `covered` (by workflow) are of
    the period only. Intervals
    hold at `level` and rest on the days from the first known charge up to `as_of`, exclusive.
    A workflow that is used or scored in the period without being declared has a card too.
    """
    with localcontext(prec=_DIGITS):
        facts = _gather(daily_usage, model_usage, outcomes)
        unattributed = facts.pop(UNATTRIBUTED, _Facts())
        span = _span(period, (unattributed, *facts.values()))
        frame = _Frame(span, _before(period, as_of), as_of, level)
        cards = [
            _card(
                workflow,
                facts.get(workflow.name, _Facts()),
                frame,
                month_to_date_usd=month_usage.get(workflow.name, Decimal(0)),
                first_day=first_days.get(workflow.name),
                defence=defences.get(workflow.name),
                declared=workflow in workflows,
                covered=covered.get(workflow.name),
            )
            for workflow in (*workflows, *_undeclared(workflows, facts, span))
        ]
        left_over = _usage_in(unattributed, span)
        return Scorecard(
            period=period,
            as_of=as_of,
            cards=tuple(sorted(cards, key=_dearest_card_first)),
            unattributed=left_over,
            unattributed_origins=tuple(unattributed_origins),
            total=sum((card.usage for card in cards), left_over),
            quarantined_records=quarantined,
        )


def _gather(
    daily_usage: Iterable[tuple[str, date, Usage]],
    model_usage: Iterable[tuple[str, str, str, Tier, Usage]],
    outcomes: Iterable[DailyOutcomes],
) -> dict[str, _Facts]:
    facts: defaultdict[str, _Facts] = defaultdict(_Facts)
    for name, day, usage in daily_usage:
        known = facts[name].usage
        known[day] = known.get(day, Usage()) + usage
    for name, provider, model, tier, usage in model_usage:
        facts[name].models.append(ModelUse(provider, model, tier, usage))
    for row in outcomes:
        facts[row.workflow].outcomes[row.day] = row
    return dict(facts)


def _span(period: Period, facts: Iterable[_Facts]) -> Period:
    """Return the period; of all time, the days on which anything is known."""
    if not period.is_all:
        return period
    days = {day for each in facts for day in each.days()}
    return Period(min(days), max(days) + _ONE_DAY) if days else _NEVER


def _before(period: Period, as_of: date) -> Period:
    """Return as many days before the period as have passed of it."""
    if period.is_all:
        return _NEVER
    passed = Period(period.start, min(period.end, max(as_of, period.start)))
    return passed.previous()


def _undeclared(
    workflows: Iterable[Workflow], facts: Mapping[str, _Facts], period: Period
) -> list[Workflow]:
    names = {workflow.name for workflow in workflows}
    return [
        Workflow(name)
        for name, each in facts.items()
        if name not in names and any(day in period for day in each.days())
    ]


def _card(
    workflow: Workflow,
    facts: _Facts,
    frame: _Frame,
    *,
    month_to_date_usd: Decimal,
    first_day: date | None,
    defence: Defence | None,
    declared: bool,
    covered: CoveredCalls | None,
) -> WorkflowCard:
    usage = _usage_in(facts, frame.period)
    days = days_of(workflow, facts.usage, facts.outcomes, frame.period)
    before = days_of(workflow, facts.usage, facts.outcomes, frame.before)
    observed = observed_days(days, first_day, frame.as_of)
    worth_usd = worth_of(days)
    outcomes = sum(day.outcomes for day in days)
    cost_known = bool(usage.cost_usd) or not usage.calls_unpriced
    valued = worth_usd is not None and cost_known
    return WorkflowCard(
        workflow=workflow,
        usage=usage,
        previous=_usage_in(facts, frame.before),
        days=days,
        previous_days=before,
        models=tuple(sorted(facts.models, key=_dearest_first)),
        tier_cost_usd=_tier_costs(facts.models),
        outcomes=outcomes,
        good=sum(day.good for day in days),
        mean_score=_mean_score(observed, frame.level),
        cost_per_good_usd=_cost_per_good(observed, frame.level) if cost_known else None,
        worth_usd=worth_usd,
        return_usd=_return(observed, frame.level) if valued else None,
        month_to_date_usd=month_to_date_usd,
        first_day=first_day,
        defence=defence,
        covered=covered,
        gaps=gaps_of(
            workflow,
            usage,
            outcomes=outcomes,
            worth_known=worth_usd is not None,
            defence=defence,
            as_of=frame.as_of,
            declared=declared,
        ),
    )


def _usage_in(facts: _Facts, period: Period) -> Usage:
    return sum((usage for day, usage in facts.usage.items() if day in period), Usage())


def _cost_per_good(days: Sequence[DayFacts], level: float) -> Estimate | None:
    return ratio([float(day.cost_usd) for day in days], [day.good for day in days], level)


def _mean_score(days: Sequence[DayFacts], level: float) -> Estimate | None:
    return mean_score([day.good for day in days], [day.outcomes for day in days], level)


def _return(days: Sequence[DayFacts], level: float) -> Estimate:
    return total([float((day.worth_usd or Decimal(0)) - day.cost_usd) for day in days], level)


def _tier_costs(models: Iterable[ModelUse]) -> dict[Tier, Decimal]:
    costs: dict[Tier, Decimal] = {}
    for use in models:
        costs[use.tier] = costs.get(use.tier, Decimal(0)) + use.usage.cost_usd
    return {tier: costs[tier] for tier in TIERS if tier in costs}


def _dearest_first(use: ModelUse) -> tuple[Decimal, int, str, str]:
    return (-use.usage.cost_usd, -use.usage.calls, use.provider, use.model)


def _dearest_card_first(card: WorkflowCard) -> tuple[Decimal, int, str]:
    return (-card.usage.cost_usd, -card.usage.calls, card.workflow.name)
