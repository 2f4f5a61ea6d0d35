"""A workflow that no rule speaks against, and the parts to make others of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from clearbar.core.period import last_days
from clearbar.gate.facts import Facts
from clearbar.gate.gather import month_spend
from clearbar.gate.policy_settings import Policy
from clearbar.gate.verdict import Decision, Reason, Verdict
from clearbar.own.card import DayFacts, Defence, Estimate, ModelUse, Scorecard, WorkflowCard
from clearbar.own.workflow import Metric, Workflow
from clearbar.spend.usage import Usage

AS_OF: Final = date(2026, 11, 1)
NOW: Final = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
FIRST_DAY: Final = date(2026, 8, 3)
NOTHING: Final = Usage()
POLICY: Final = Policy(inhouse_providers=("ollama", "vllm"))
USAGE: Final = Usage(calls=4000, input_tokens=900_000, output_tokens=100_000, cost_usd=Decimal(300))

WORKFLOW: Final = Workflow(
    "support-replies",
    owner="support-lead@example.com",
    metric=Metric("resolved", "ticket", "outcomes/support.csv"),
    budget_usd_month=Decimal(900),
    line=12,
)
DEFENCE: Final = Defence(
    WORKFLOW.name,
    "support-lead@example.com",
    on=date(2026, 10, 1),
    expires=date(2026, 12, 30),
    why="It halves the queue",
)
HEALTHY: Final = Facts(
    workflow=WORKFLOW,
    policy=POLICY,
    as_of=AS_OF,
    period_days=30,
    usage=USAGE,
    first_day=FIRST_DAY,
    models=(ModelUse("anthropic", "claude-sonnet-4-5", "frontier", USAGE),),
    month=month_spend(Decimal(310), AS_OF),
    outcomes_in_window=2000,
    defence=DEFENCE,
)


def estimate(value: float, low: float | None, high: float | None, n: int = 30) -> Estimate:
    return Estimate(value, low, high, 0.95, n)


def days(count: int = 60, end: date = AS_OF, **each: Any) -> tuple[DayFacts, ...]:
    """The last `count` days before `end`, all alike but for the weekday."""
    usual = DayFacts(
        end,
        calls=130,
        tokens=33_000,
        cost_usd=Decimal(10),
        outcomes=70,
        good=66.0,
        worth_usd=Decimal(80),
        calls_unpriced=0,
    )
    start = last_days(count, end).start
    return tuple(
        replace(usual, day=start + timedelta(days=index), **each) for index in range(count)
    )


def card(workflow: Workflow = WORKFLOW, **changed: Any) -> WorkflowCard:
    """A healthy card: thirty days like the thirty before."""
    healthy = WorkflowCard(
        workflow=workflow,
        usage=USAGE,
        previous=USAGE,
        days=days(30),
        previous_days=days(30, last_days(30, AS_OF).start),
        models=HEALTHY.models,
        tier_cost_usd={"frontier": USAGE.cost_usd},
        outcomes=2100,
        good=1980.0,
        mean_score=None,
        cost_per_good_usd=None,
        worth_usd=Decimal(2400),
        return_usd=estimate(2100.0, 1900.0, 2300.0),
        month_to_date_usd=Decimal(310),
        first_day=FIRST_DAY,
        defence=DEFENCE,
        gaps=(),
    )
    return replace(healthy, **changed)


def scorecard(*cards: WorkflowCard, unattributed: Usage = NOTHING) -> Scorecard:
    total = sum((each.usage for each in cards), unattributed)
    return Scorecard(last_days(30, AS_OF), AS_OF, cards, unattributed, total=total)


def verdict(
    decision: Decision = "pause",
    rules: tuple[str, ...] = ("unmeasured",),
    workflow: str = WORKFLOW.name,
    lapses_on: date = date(2026, 12, 1),
) -> Verdict:
    reasons = tuple(Reason(rule, decision, f"the fact of {rule}", f"mend {rule}") for rule in rules)
    return Verdict(workflow, decision, reasons, "mend it", lapses_on, Decimal("300.10"))
