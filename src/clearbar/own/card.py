"""The nouns of the scorecard: what is known of each workflow over a period."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - part of the type
from decimal import Decimal
from typing import TYPE_CHECKING

from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.core.period import Period
    from clearbar.own.workflow import Workflow
    from clearbar.tools.tool import Tier


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the interval that holds the long-run value with probability `level`.

    `low` or `high` is None where the data set no bound (too few days, or none good).
    """

    value: float
    low: float | None
    high: float | None
    level: float
    """Stated coverage, in (0, 1)."""
    n: int
    """Days on which the interval rests; of what a route saves, conversations."""


@dataclass(frozen=True, slots=True)
class DayFacts:
    """One workflow on one UTC day."""

    day: date
    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    outcomes: int = 0
    good: float = 0.0
    """Sum of the scores: half-good outcomes count half."""
    worth_usd: Decimal | None = None
    """Worth of the day's outcomes; None where no worth is declared or given."""
    calls_unpriced: int | None = None
    """Calls whose cost is not known; None where nobody counted them."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What a workflow used of one model."""

    provider: str
    model: str
    tier: Tier
    usage: Usage


@dataclass(frozen=True, slots=True)
class Defence:
    """The last time that somebody stood up for a workflow."""

    workflow: str
    by: str
    on: date
    expires: date
    why: str = ""


@dataclass(frozen=True, slots=True)
class TierNeed:
    """What a trial found that a workflow needs, beside what it uses."""

    tier: Tier | None
    """Of the cheapest tool that is certified; None where none is."""
    tool: str | None
    used_tier: Tier | None
    """Of the tool in use; None where it is not known or was not tried."""
    used_tool: str | None
    leak_usd_month: Decimal | None
    """What the tool in use costs beyond the one that is needed; None where it is not known."""
    decided_on: date
    stale: tuple[str, ...] = ()
    """What has changed since the trial, in words; then nothing of it holds any more."""


@dataclass(frozen=True, slots=True)
class MeasuredSaving:
    """What a workflow's route saves, against the requests that stayed on the old tool.

    Chance says which conversations (a task, a run, a user) stay, so the difference is the route's.
    """

    usd_per_request: Estimate
    usd_month: Estimate
    """Of the routed requests, in 30 days at the volume of the period."""
    share: float | None
    """Of the old cost of a request; None where that was nothing."""
    held_out_requests: int
    routed_requests: int
    held_out_conversations: int
    routed_conversations: int


@dataclass(frozen=True, slots=True)
class CoveredCalls:
    """Calls that a plan or a commitment covered: they cost nothing extra."""

    calls: int
    list_usd: Decimal
    """What they would have cost at list price, as far as the price book knows."""


@dataclass(frozen=True, slots=True)
class WorkflowCard:
    """All that is known of one workflow over a period."""

    workflow: Workflow
    usage: Usage
    previous: Usage
    """Over as many days before the period as have passed of it."""
    days: tuple[DayFacts, ...]
    """Every day of the period in order, quiet ones included."""
    previous_days: tuple[DayFacts, ...]
    models: tuple[ModelUse, ...]
    """Dearest first."""
    tier_cost_usd: Mapping[Tier, Decimal]
    outcomes: int
    good: float
    mean_score: Estimate | None
    cost_per_good_usd: Estimate | None
    """None without a good outcome."""
    worth_usd: Decimal | None
    return_usd: Estimate | None
    """Worth minus cost over the period; None where the worth is not known."""
    month_to_date_usd: Decimal
    """Of the calendar month alone: without what corrects months before it."""
    first_day: date | None
    """The first day on which the ledger knows a charge of it."""
    defence: Defence | None
    gaps: tuple[str, ...]
    """What is not declared or not measured, in plain words, gravest first."""
    need: TierNeed | None = None
    """None until a trial has ended."""
    saving: MeasuredSaving | None = None
    """None where no route holds requests out."""
    covered: CoveredCalls | None = None
    """None where nothing was paid in advance."""

    @property
    def trend(self) -> float | None:
        """Growth of cost against the period before: 0.25 is a quarter more; None from nothing."""
        if not self.previous.cost_usd:
            return None
        return float(self.usage.cost_usd / self.previous.cost_usd) - 1.0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All workflows over a period, and what belongs to none."""

    period: Period
    as_of: date
    cards: tuple[WorkflowCard, ...]
    """Dearest first."""
    unattributed: Usage
    unattributed_origins: tuple[tuple[str, Usage], ...] = field(default=())
    """The dearest origins that no rule took, in words."""
    total: Usage = field(default_factory=Usage)
    """Equals the sum of the cards and of `unattributed`."""
    quarantined_records: int = 0
