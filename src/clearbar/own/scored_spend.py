"""The facts of the scorecard, read from the ledger and the outcomes: who spent what, on what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clearbar.core.period import ALL, Period
from clearbar.own import outcomes
from clearbar.own.attribution import Attribution, attribute_all
from clearbar.own.card import CoveredCalls
from clearbar.own.card_days import days_of
from clearbar.own.explanation import Explanation, explain, origin_text
from clearbar.own.scorecard import build
from clearbar.own.tiers import shipped_tiers, tier_of
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.repricing.agreed_use import covered
from clearbar.spend.storage.merge import united
from clearbar.spend.trace import trace_of
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.own.card import DayFacts, Defence, Scorecard
    from clearbar.own.outcome import DailyOutcomes
    from clearbar.own.workflow import TierRule, Workflow
    from clearbar.spend.charge import Origin
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.trace import Trace
    from clearbar.tools.tool import Tier

_SHOWN_ORIGINS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What a scorecard is asked for."""

    period: Period
    as_of: date
    month: Period
    """The days that count against monthly budgets."""
    level: float
    """Stated coverage of the intervals."""


class ScoredSpend:
    """Spend under declared workflows. The rules run once over the origins, not over the charges."""

    def __init__(
        self,
        reading: LedgerReading,
        store: Store,
        workflows: Sequence[Workflow],
        tiers: Sequence[TierRule],
    ) -> None:
        self._reading = reading
        self._store = store
        self._workflows = workflows
        self._tiers = tiers
        fixed = {
            key: Attribution(workflow or None, None, why)
            for key, (workflow, why) in reading.fixed.items()
        }
        self.attributions = attribute_all(reading.origins, workflows) | fixed
        self.workflow_of = {
            key: found.workflow or UNATTRIBUTED for key, found in self.attributions.items()
        }

    def explain(self, period: Period) -> list[Explanation]:
        """Return each origin's usage, its workflow and the rule that took it; dearest first."""
        usages = self._reading.by_origin(period)
        return explain(usages, self._reading.origins, self.attributions)

    def trace(
        self,
        records: Sequence[Mapping[str, Any]],
        explain_price: Callable[[str, date], dict[str, str]],
        kept: Path,
    ) -> Trace:
        """Return the trace of a charge from its records, the winner first, with its workflow.

        `explain_price` says what a price is as of a UTC day.
        `kept` is the folder to which files of Clearbar's own are named relative.
        """
        known = self._reading.stored_origins
        origin = united([known[key] for key in dict.fromkeys(r["origin_id"] for r in records)])
        found = self.attributions[origin.origin_id]
        price_id, day = records[0]["price_id"], records[0]["started_at"].date()
        price = explain_price(price_id, day) if price_id else {}
        trace = trace_of(records, origin, price, kept)
        return replace(trace, workflow=found.workflow, rule=found.why)

    def scorecard(
        self, asked: Question, defences: Mapping[str, Defence], quarantined: int
    ) -> Scorecard:
        """Return the scorecard of a period."""
        by_origin = self._reading.by_origin(asked.period)
        both = _with_previous(asked.period)
        shown = Period(min(both.start, asked.month.start), max(both.end, asked.month.end))
        daily = self._reading.by_workflow_and_day(shown, self.workflow_of)
        return build(
            asked.period,
            asked.as_of,
            self._workflows,
            daily_usage=[(workflow, day, usage) for (workflow, day), usage in daily.items()],
            model_usage=list(self._model_usage(by_origin)),
            outcomes=outcomes.daily(self._store, both, asked.as_of),
            month_usage=self._month_costs(asked.month, daily),
            first_days=self._first_days(),
            defences=defences,
            level=asked.level,
            quarantined=quarantined,
            unattributed_origins=self._unattributed(by_origin),
            covered=self._covered(asked.period),
        )

    def history(self, period: Period) -> dict[str, tuple[DayFacts, ...]]:
        """Return each declared workflow's days of a period, quiet ones included."""
        usage: dict[str, dict[date, Usage]] = defaultdict(dict)
        for (workflow, day), sums in self._reading.by_workflow_and_day(
            period, self.workflow_of
        ).items():
            usage[workflow][day] = sums
        scored: dict[str, dict[date, DailyOutcomes]] = defaultdict(dict)
        for row in outcomes.daily(self._store, period, period.end):
            scored[row.workflow][row.day] = row
        return {
            each.name: days_of(each, usage[each.name], scored[each.name], period)
            for each in self._workflows
        }

    def _model_usage(
        self, by_origin: Mapping[int, Usage]
    ) -> Iterator[tuple[str, str, str, Tier, Usage]]:
        sums: dict[tuple[str, str, str], Usage] = defaultdict(Usage)
        for key, usage in by_origin.items():
            origin = self._reading.origins[key]
            sums[self.workflow_of[key], origin.provider, origin.model] += usage
        table = shipped_tiers()
        models = {model for _, _, model in sums}
        tiers = {model: tier_of(model, self._tiers, table) for model in models}
        for (workflow, provider, model), usage in sums.items():
            yield workflow, provider, model, tiers[model], usage

    def _month_costs(
        self, month: Period, daily: Mapping[tuple[str, date], Usage]
    ) -> dict[str, Decimal]:
        """Return workflow -> cost of a month, without what corrects months before it.

        That is money of another month: this one's budget has not paid for it.
        """
        sums: dict[str, Usage] = defaultdict(Usage)
        for (workflow, day), usage in daily.items():
            if day in month:
                sums[workflow] += usage
        for each in self._reading.corrections(month):
            sums[each.workflow or UNATTRIBUTED] += -each.usage
        return {workflow: usage.cost_usd for workflow, usage in sums.items()}

    def _first_days(self) -> dict[str, date]:
        found: dict[str, date] = {}
        for key, day in self._reading.first_days().items():
            workflow = self.workflow_of[key]
            found[workflow] = min(day, found.get(workflow, day))
        return found

    def _covered(self, period: Period) -> dict[str, CoveredCalls]:
        """Return workflow -> what plans and commitments covered of its calls."""
        used = (use for use in self._reading.agreed if use.day in period)
        found = covered(used, lambda use: self.workflow_of[use.origin_id])
        return {each.name: CoveredCalls(each.calls, each.list_usd) for each in found}

    def _unattributed(self, by_origin: Mapping[int, Usage]) -> list[tuple[str, Usage]]:
        left: list[tuple[Origin, Usage]] = [
            (self._reading.origins[key], usage)
            for key, usage in by_origin.items()
            if self.workflow_of[key] == UNATTRIBUTED
        ]
        left.sort(key=lambda each: (-each[1].cost_usd, origin_text(each[0])))
        return [(origin_text(origin), usage) for origin, usage in left[:_SHOWN_ORIGINS]]


def _with_previous(period: Period) -> Period:
    return ALL if period.is_all else Period(period.previous().start, period.end)
