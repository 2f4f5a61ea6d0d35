"""A company's scorecard of twelve workflows over thirty days, and the parts to build others."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.core.period import Period
from clearbar.gate.verdict import Override, Reason, Verdict
from clearbar.own.card import DayFacts, Defence, Estimate, ModelUse, Scorecard, WorkflowCard
from clearbar.own.workflow import Bar, Metric, Workflow
from clearbar.spend.usage import Usage

from .stories import MODELS, STORIES, Story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.tools.tool import Tier

START: Final = date(2026, 10, 1)


def days_of(
    story: Story, dice: random.Random, count: int = 30, start: date = START
) -> tuple[DayFacts, ...]:
    """Days with a weekday pattern and noise; a workflow without a metric has no outcomes."""
    days = []
    for index in range(count):
        day = start + timedelta(days=index)
        busy = (0.25 if day.weekday() > 4 else 1.2) * dice.lognormvariate(0, 0.2)
        outcomes = round(story.outcomes_a_day * busy)
        good = round(outcomes * story.mean, 2)
        days.append(
            DayFacts(
                day=day,
                calls=round(90 * busy),
                tokens=round(200_000 * busy),
                cost_usd=Decimal(str(round(story.usd_a_day * busy, 6))),
                outcomes=outcomes,
                good=good,
                worth_usd=Decimal(str(good)) * Decimal(story.worth) if story.worth else None,
            )
        )
    return tuple(days)


def usage_of(cost_usd: Decimal, calls: int, unpriced: int = 0) -> Usage:
    """Usage whose tokens follow from its calls."""
    return Usage(
        calls=calls,
        input_tokens=calls * 1_400,
        cache_read_tokens=calls * 620,
        output_tokens=calls * 310,
        cost_usd=cost_usd,
        calls_priced=calls - unpriced,
        calls_unpriced=unpriced,
    )


def around(value: float, spread: float, n: int = 30) -> Estimate:
    """An estimate whose interval is `spread` to both sides, as a share of its value."""
    return Estimate(value, value * (1 - spread), value * (1 + spread), 0.95, n)


def workflow_of(story: Story) -> Workflow:
    """The declaration of a story."""
    return Workflow(
        name=story.name,
        owner=story.owner,
        purpose=story.purpose,
        metric=Metric("resolved", story.unit, f"outcomes/{story.name}.csv") if story.unit else None,
        bar=Bar(at_least=story.bar, text=f"resolved >= {story.bar}") if story.unit else None,
        stakes=story.stakes,
        budget_usd_month=Decimal(story.budget) if story.budget else None,
        worth_usd=Decimal(story.worth) if story.worth else None,
        data_class="restricted" if story.rule == "restricted_data" else "internal",
        next_step=story.step,
        kill_rules=("usd_per_good > 1.50 for 28d",) if story.rule == "kill_rule" else (),
    )


def card_of(story: Story, count: int = 30, start: date = START) -> WorkflowCard:
    """The card of a story; the same story always makes the same card."""
    days = days_of(story, random.Random(story.name), count, start)
    cost = sum((each.cost_usd for each in days), Decimal(0))
    calls = sum(each.calls for each in days)
    outcomes, good = sum(each.outcomes for each in days), sum(each.good for each in days)
    worth = sum((each.worth_usd or Decimal(0) for each in days), Decimal(0))
    shares = [Decimal(2) ** -index for index in range(len(story.models))]
    models = tuple(
        ModelUse(*MODELS[model], usage=usage_of(cost * share / sum(shares), calls // (index + 1)))
        for index, (model, share) in enumerate(zip(story.models, shares, strict=True))
    )
    tier_cost: dict[Tier, Decimal] = {}
    for use in models:
        tier_cost[use.tier] = tier_cost.get(use.tier, Decimal(0)) + use.usage.cost_usd
    gain = float(worth - cost)
    return WorkflowCard(
        workflow=workflow_of(story),
        usage=usage_of(cost, calls, unpriced=37 if 5 in story.models else 0),
        previous=usage_of(cost * Decimal(len(story.name)) / 14, calls),
        days=days,
        previous_days=(),
        models=models,
        tier_cost_usd=tier_cost,
        outcomes=outcomes,
        good=good,
        mean_score=Estimate(story.mean, story.mean - 0.01, min(story.mean + 0.008, 1), 0.95, count)
        if outcomes
        else None,
        cost_per_good_usd=around(float(cost) / good, story.spread) if good else None,
        worth_usd=worth if story.worth and outcomes else None,
        return_usd=Estimate(gain, gain - 210, gain + 230, 0.95, count)
        if story.worth and outcomes
        else None,
        month_to_date_usd=cost,
        first_day=date(2026, 8, 3),
        defence=Defence(
            story.name, story.owner, date(2026, 9, 12), date(2026, 12, 12), "Still the plan"
        )
        if story.owner
        else None,
        gaps=tuple(
            gap
            for gap, missing in (
                ("no owner", not story.owner),
                ("no metric", not story.unit),
                ("no worth", not story.worth),
            )
            if missing
        ),
    )


def verdict_of(story: Story, card: WorkflowCard) -> Verdict:
    """The verdict of a story."""
    return Verdict(
        workflow=story.name,
        decision=story.decision,
        reasons=(Reason(story.rule, story.decision, story.fact, story.step),),
        next_step=story.step,
        lapses_on=date(2026, 12, 1),
        at_stake_usd_month=card.usage.cost_usd,
        owner=story.owner,
        since=date(2026, 10, 18),
    )


def scorecard_of(cards: Sequence[WorkflowCard], *, quarantined: int = 17) -> Scorecard:
    """A scorecard whose total is the sum of its cards and of some unattributed spend."""
    origins = (
        ("service notebook-server, model claude-sonnet-4-5", usage_of(Decimal("188.402100"), 940)),
        ("project sandbox, model gpt-5", usage_of(Decimal("61.9"), 402)),
        ("credential key-7f3a, model gpt-4o-mini", usage_of(Decimal("0.0441"), 61, 12)),
    )
    loose = sum((usage for _, usage in origins), Usage())
    days = len(cards[0].days) if cards else 30
    start = cards[0].days[0].day if cards else START
    return Scorecard(
        period=Period(start, start + timedelta(days=days)),
        as_of=start + timedelta(days=days),
        cards=tuple(sorted(cards, key=lambda card: -card.usage.cost_usd)),
        unattributed=loose,
        unattributed_origins=origins,
        total=sum((card.usage for card in cards), loose),
        quarantined_records=quarantined,
    )


def company(count: int = 30, start: date = START) -> tuple[Scorecard, tuple[Verdict, ...]]:
    """The twelve workflows and their verdicts; one is overridden by a person."""
    cards = [card_of(story, count, start) for story in STORIES]
    verdicts = [verdict_of(story, card) for story, card in zip(STORIES, cards, strict=True)]
    notes = next(index for index, story in enumerate(STORIES) if story.name == "chat-experiment")
    verdicts[notes] = replace(
        verdicts[notes],
        decision="fund",
        override=Override(
            "chat-experiment",
            "fund",
            "research-lead@example.com",
            "The pilot ends this month anyway",
            date(2026, 10, 20),
            date(2026, 11, 20),
        ),
    )
    return scorecard_of(cards), tuple(verdicts)
