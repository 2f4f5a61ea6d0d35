"""What the files of the sample add up to, known because the calls were made before the files."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from clearbar.sample.calls import Call, Outcome
    from clearbar.sample.defences import DefenceTruth


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some calls and outcomes. Exact: nothing is rounded."""

    calls: int = 0
    """Failed calls and cache hits included."""
    input_tokens: int = 0
    """Fresh input only."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    """Of the calls whose cost is known."""
    calls_billed: int = 0
    """Calls whose cost a vendor's bill states."""
    calls_unpriced: int = 0
    outcomes: int = 0
    good: Decimal = Decimal(0)
    """Sum of the scores."""

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in _NAMES))


_NAMES = tuple(item.name for item in fields(Totals))


@dataclass(frozen=True, slots=True)
class WorkflowTruth:
    """One workflow: its sums by UTC day, and what the gate must say on the sample's day."""

    days: Mapping[date, Totals] = field(default_factory=dict)
    """Days on which something happened."""
    decision: Literal["fund", "pause", "kill"] = "fund"
    rules: tuple[str, ...] = ()
    """Every rule that must match, gravest first."""

    @property
    def total(self) -> Totals:
        """The sums over the ninety days."""
        return sum(self.days.values(), Totals())

    def month(self, name: str) -> Totals:
        """Return the sums over a month such as `2026-10`."""
        return sum((at for day, at in self.days.items() if f"{day:%Y-%m}" == name), Totals())

    def between(self, start: date, end: date) -> Totals:
        """Return the sums from `start` up to, not including, `end`."""
        return sum((at for day, at in self.days.items() if start <= day < end), Totals())


@dataclass(frozen=True, slots=True)
class Truth:
    """All that a reader of the sample must find."""

    workflows: Mapping[str, WorkflowTruth]
    unattributed: WorkflowTruth
    quarantined: Mapping[str, int]
    """Kind of usage file -> records in it that are broken on purpose."""
    quarantined_outcomes: int
    defences: tuple[DefenceTruth, ...]
    """To be put on the docket, so that the gate finds its owners present."""

    @property
    def total(self) -> Totals:
        """The sums over all workflows and what belongs to none."""
        parts = (truth.total for truth in self.workflows.values())
        return sum(parts, self.unattributed.total)

    @property
    def quarantined_records(self) -> int:
        """How many usage records are broken on purpose."""
        return sum(self.quarantined.values())


def daily_totals(calls: Iterable[Call], outcomes: Iterable[Outcome]) -> dict[date, Totals]:
    """Return the sums of every day; of a task scored twice, the later score counts, on its day."""
    days: dict[date, Totals] = {}
    for call in calls:
        days[call.day] = days.get(call.day, Totals()) + totals_of(call)
    latest = {outcome.task_id: outcome for outcome in sorted(outcomes, key=attrgetter("scored_at"))}
    for outcome in latest.values():
        day = outcome.scored_at.date()
        days[day] = days.get(day, Totals()) + Totals(outcomes=1, good=outcome.score)
    return dict(sorted(days.items()))


def totals_of(call: Call) -> Totals:
    """Return what one call adds to any sum."""
    return Totals(
        1,
        *call.tokens,
        cost_usd=call.cost_usd or Decimal(0),
        calls_billed=int(call.step.log == "table"),
        calls_unpriced=int(call.cost_usd is None),
    )
