"""The facts that a rule may read: one workflow as of one day. None is unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.core.period import Period
    from clearbar.gate.policy_settings import Policy
    from clearbar.own.card import Defence, Estimate, ModelUse
    from clearbar.own.workflow import Workflow
    from clearbar.spend.usage import Usage
    from clearbar.trial.in_force import CertifiedTool, ToolInUse

FORECAST_AFTER_DAYS: Final = 7
"""A month is forecast only after this many of its days: a whole week has every weekday."""


@dataclass(frozen=True, slots=True)
class MonthSpend:
    """What a workflow spent in the calendar month of the last whole day."""

    month: Period
    elapsed_days: int
    spent_usd: Decimal

    @property
    def forecast_usd(self) -> Decimal | None:
        """The whole month at the rate so far; None in its first days."""
        if self.elapsed_days < FORECAST_AFTER_DAYS:
            return None
        return self.spent_usd * self.month.days / self.elapsed_days


@dataclass(frozen=True, slots=True)
class GrowthFacts:
    """How a period compares with the one before, day by day."""

    tokens: Estimate
    good: Estimate
    """Growth of good outcomes."""
    detectable_good: float
    """The smallest growth of good outcomes that the policy's power would have shown."""


@dataclass(frozen=True, slots=True)
class KillRuleResult:
    """A declared kill criterion over its own window."""

    text: str
    holds: bool | None
    """None where a fact that it needs is not known: unknown never kills."""
    fact: str


@dataclass(frozen=True, slots=True)
class Drift:
    """A routed tool that was seen to fall under its bar, and for which nothing newer is known."""

    tool: str
    on: date
    what: str
    """The finding with its numbers."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule may read of one workflow."""

    workflow: Workflow
    policy: Policy
    as_of: date
    period_days: int
    usage: Usage
    """Over the period."""
    first_day: date | None = None
    """The first day on which the ledger knows a charge of it."""
    models: tuple[ModelUse, ...] = ()
    month: MonthSpend | None = None
    return_usd: Estimate | None = None
    outcomes_in_window: int | None = None
    """Outcomes in the policy's window; None before all of it was known, or with no spend in it."""
    mean_score: Estimate | None = None
    growth: GrowthFacts | None = None
    kill_rules: tuple[KillRuleResult, ...] = ()
    defence: Defence | None = None
    paused_since: date | None = None
    """The first recorded day of the pause that still stands; None where none does."""
    tool_in_use: ToolInUse | None = None
    """None until a trial has measured it."""
    certified: tuple[CertifiedTool, ...] | None = None
    """The tools that clear the bar; None until a trial has run."""
    drift: Drift | None = None
    """Set while an alarm of the watch stands, and the route is back on the old tool."""

    @property
    def spending(self) -> bool:
        """Whether money passed, or calls whose price is not known."""
        return self.usage.cost_usd > 0 or self.usage.calls_unpriced > 0

    @property
    def grace_ends(self) -> date | None:
        """The first day on which an owner and a metric must be declared."""
        return self._after_first_day(self.policy.grace_days)

    @property
    def review_days(self) -> int:
        """How long a defence holds."""
        return review_days(self.workflow, self.policy)

    @property
    def defence_ends(self) -> date | None:
        """The day on which the last defence is spent, or on which the first one is due."""
        if self.defence is None:
            return self._after_first_day(self.review_days)
        return min(self.defence.expires, self.defence.on + timedelta(days=self.review_days))

    @property
    def models_outside(self) -> tuple[ModelUse, ...]:
        """What was used of providers that the policy does not name as in-house, dearest first."""
        inside = self.policy.inhouse_providers
        return tuple(use for use in self.models if use.usage.calls and use.provider not in inside)

    def _after_first_day(self, days: int) -> date | None:
        return None if self.first_day is None else self.first_day + timedelta(days=days)


def review_days(workflow: Workflow, policy: Policy) -> int:
    """Return how long a defence holds: the workflow's own time, else the policy's by stakes.

    It is a day at least: a defence that never holds could not be given.
    """
    if workflow.review_days is not None:
        return workflow.review_days
    return max(round(policy.review_days * policy.stakes_review[workflow.stakes]), 1)
