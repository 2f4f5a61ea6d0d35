"""Card, policy and docket -> the facts that the rules read. Pure."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING

from clearbar.core.money import usd
from clearbar.core.period import Period, month_of
from clearbar.gate.facts import Facts, GrowthFacts, KillRuleResult, MonthSpend
from clearbar.gate.kill_rule import FACTS, parse_kill_rule
from clearbar.gate.window import known_window, window_facts
from clearbar.own.estimate import detectable_growth, growth

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from clearbar.gate.facts import Drift
    from clearbar.gate.policy_settings import Policy
    from clearbar.own.card import DayFacts, WorkflowCard
    from clearbar.own.workflow import Workflow
    from clearbar.trial.in_force import InForce


def facts_of(
    card: WorkflowCard,
    policy: Policy,
    as_of: date,
    *,
    history: Sequence[DayFacts] | None = None,
    paused_since: date | None = None,
    known: InForce | None = None,
    drift: Drift | None = None,
) -> Facts:
    """Return what the gate knows of a workflow.

    `history` holds every day before `as_of` in order, as far back as `days_needed` says; without it
    the days of the card and of the period before it serve. Of a stale certificate nothing holds.
    """
    days = (*card.previous_days, *card.days) if history is None else history
    window = known_window(days, policy.outcome_window_days, card.first_day, as_of)
    trial = None if known is None or known.stale else known
    return Facts(
        workflow=card.workflow,
        policy=policy,
        as_of=as_of,
        period_days=len(card.days),
        usage=card.usage,
        first_day=card.first_day,
        models=card.models,
        month=month_spend(card.month_to_date_usd, as_of),
        return_usd=card.return_usd,
        outcomes_in_window=None if window is None else _outcomes_in(window),
        mean_score=card.mean_score,
        growth=_growth(card, policy),
        kill_rules=tuple(
            _kill_rule(text, days, card.first_day, as_of) for text in card.workflow.kill_rules
        ),
        defence=card.defence,
        paused_since=paused_since,
        tool_in_use=None if trial is None else trial.tool_in_use,
        certified=None if trial is None else trial.certified,
        drift=drift,
    )


def _outcomes_in(window: Sequence[DayFacts]) -> int | None:
    """Return the outcomes of days on which money was spent at all."""
    if not any(day.cost_usd > 0 or day.calls_unpriced for day in window):
        return None
    return sum(day.outcomes for day in window)


def budget_month(as_of: date) -> Period:
    """Return the days that count against the monthly budget: the last whole day's month."""
    month = month_of(as_of - timedelta(days=1))
    return Period(month.start, as_of)


def month_spend(spent_usd: Decimal, as_of: date) -> MonthSpend:
    """Return the spend of `budget_month(as_of)` beside the length of that month."""
    so_far = budget_month(as_of)
    return MonthSpend(month_of(so_far.start), so_far.days, spent_usd)


def days_needed(workflow: Workflow, policy: Policy) -> int:
    """Return how many days before `as_of` the rules look at."""
    windows = [parse_kill_rule(text).window_days for text in workflow.kill_rules]
    return max(policy.outcome_window_days, 2 * policy.window_days, *windows)


def _growth(card: WorkflowCard, policy: Policy) -> GrowthFacts | None:
    """Compare only a workflow that was there for all of both periods.

    Both bounds must hold for the rule, so each may be one-sided at the policy's error rate: the
    error of an intersection of tests is at most that of one of them. Measured at either threshold
    with an error rate of 0.05 (tests/gate/test_growth_rule.py): 0.033 to 0.050.
    """
    before, after = card.previous_days, card.days
    if not before or card.first_day is None or card.first_day > before[0].day:
        return None
    level = max(1 - 2 * policy.error_rate, 0.0)
    tokens = growth([day.tokens for day in before], [day.tokens for day in after], level)
    good_before, good_after = [day.good for day in before], [day.good for day in after]
    good = growth(good_before, good_after, level)
    if tokens is None or good is None:
        return None
    detectable = detectable_growth(good_before, good_after, level, policy.power)
    return GrowthFacts(tokens, good, detectable)


def _kill_rule(
    text: str, days: Sequence[DayFacts], first_day: date | None, as_of: date
) -> KillRuleResult:
    rule = parse_kill_rule(text)
    window = known_window(days, rule.window_days, first_day, as_of)
    if window is None:
        return KillRuleResult(text, None, f'"{text}" cannot be judged: not all its days are known')
    facts = window_facts(window, first_day, as_of)
    figures = ", ".join(
        f"{name} {_figure(name, facts[name])}" for name in FACTS if name in rule.condition.names
    )
    return KillRuleResult(text, rule.holds(facts), f'"{text}": {figures}')


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "is not known"
    if math.isinf(value):
        return "has no end, for no outcome was good"
    if FACTS[name].unit == "US dollars":
        return f"is {usd(value)}"
    return f"is {value:,.0f}" if abs(value) >= 1000 else f"is {value:.4g}"  # noqa: PLR2004 - digits
