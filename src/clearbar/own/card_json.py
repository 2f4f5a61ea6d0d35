"""A scorecard as plain JSON: stable names, money as decimal text, days as ISO 8601."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.spend.report import usage_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from clearbar.own.card import (
        CoveredCalls,
        DayFacts,
        Defence,
        Estimate,
        MeasuredSaving,
        ModelUse,
        Scorecard,
        TierNeed,
        WorkflowCard,
    )
    from clearbar.own.workflow import Bar, Metric, Workflow

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "period.start": "First day of the period, in UTC.",
        "period.end": "First day after the period.",
        "as_of": "The day on which the card was made; days from it on are still to come.",
        "total": "Usage of all cards and of what no rule took: exactly their sum.",
        "unattributed": "Usage that no workflow's rule took.",
        "unattributed_origins": "The dearest origins that no rule took.",
        "unattributed_origins[].origin": "The origin, in words.",
        "unattributed_origins[].usage": "What it used.",
        "quarantined_records": "Records that were not taken in, and are in no sum.",
        "cards": "One for each workflow, dearest first.",
        "cards[].workflow": "What is declared of it.",
        "cards[].workflow.name": "Its name in clearbar.toml.",
        "cards[].workflow.owner": "Who answers for it; null where nobody is declared.",
        "cards[].workflow.purpose": "What it is for.",
        "cards[].workflow.metric": "What proves that it works; null where none is declared.",
        "cards[].workflow.metric.name": "What is measured.",
        "cards[].workflow.metric.unit": "What one outcome is.",
        "cards[].workflow.metric.source": "Where the scores come from.",
        "cards[].workflow.bar": "The level to clear; null where none is declared.",
        "cards[].workflow.bar.at_least": "Absolute bar on the mean score.",
        "cards[].workflow.bar.within": "Relative bar: how far below the tool `of`.",
        "cards[].workflow.bar.of": "The tool that a relative bar compares with.",
        "cards[].workflow.bar.text": "The bar as declared.",
        "cards[].workflow.stakes": "What a wrong answer costs: `high`, `normal` or `low`.",
        "cards[].workflow.data_class": "`public`, `internal` or `restricted`.",
        "cards[].workflow.budget_usd_month": "Declared budget for a calendar month, as text.",
        "cards[].workflow.worth_usd": "Declared worth of one good outcome, as text.",
        "cards[].workflow.next_step": "What the owner does next.",
        "cards[].workflow.kill_rules": "Declared conditions on which it ends.",
        "cards[].usage": "Sums over the period.",
        "cards[].previous": "Sums over the period of the same length before.",
        "cards[].trend": "Growth of cost against the period before: 0.25 is a quarter more.",
        "cards[].tier_cost_usd": "Cost by tier (`frontier`, `small`, `none`, `unknown`), as text.",
        "cards[].models": "What it used of each model, dearest first.",
        "cards[].models[].provider": "Who bills.",
        "cards[].models[].model": "The model as reported.",
        "cards[].models[].tier": "The class of the model.",
        "cards[].models[].usage": "What it used of it.",
        "cards[].outcomes": "Scored tasks, failures included.",
        "cards[].good": "Sum of their scores.",
        "cards[].mean_score": "Mean score, with an interval.",
        "cards[].cost_per_good_usd": "Cost per good outcome; null where none is good, or no cost "
        "is known.",
        "cards[].worth_usd": "Worth of the outcomes, as text; null where any worth is unknown.",
        "cards[].return_usd": "Worth minus cost; null where either is unknown.",
        "cards[].month_to_date_usd": "Cost of the calendar month so far, as text.",
        "cards[].first_day": "First day on which a charge of it is known.",
        "cards[].defence": "The last time that somebody stood up for it; null where never.",
        "cards[].defence.by": "Who did.",
        "cards[].defence.on": "The day.",
        "cards[].defence.expires": "The first day on which it no longer holds.",
        "cards[].defence.why": "What they said.",
        "cards[].need": "What its last trial found that it needs; null until one has ended.",
        "cards[].need.tier": "Tier of the cheapest certified tool; null where none is certified.",
        "cards[].need.tool": "That tool.",
        "cards[].need.used_tier": "Tier of the tool in use; null where it is not known.",
        "cards[].need.used_tool": "The tool in use, where the trial knows it.",
        "cards[].need.leak_usd_month": "What the tool in use costs in 30 days beyond the one that "
        "is needed, as text; null where it is not known.",
        "cards[].need.decided_on": "The day on which the trial ended.",
        "cards[].need.stale": "What has changed since, so that the trial no longer holds.",
        "cards[].saving": "What its route saves, against the requests that stayed on the old tool; "
        "null where none were held out.",
        "cards[].saving.usd_per_request": "What a routed request saves; `n` counts conversations.",
        "cards[].saving.usd_month": "What the routed requests save in 30 days, at the volume of "
        "the period; `n` counts conversations.",
        "cards[].saving.share": "Share of the old cost of a request; null where that was nothing.",
        "cards[].saving.held_out_requests": "Requests that stayed on the old tool.",
        "cards[].saving.routed_requests": "Requests that were routed.",
        "cards[].saving.held_out_conversations": "Tasks, runs or users that stayed.",
        "cards[].saving.routed_conversations": "Tasks, runs or users that were routed.",
        "cards[].covered": "Calls that a plan or a commitment covered; null where it did none.",
        "cards[].covered.calls": "How many.",
        "cards[].covered.list_usd": "What they would have cost at list price, as text.",
        "cards[].gaps": "What is not declared or not measured, gravest first.",
        "cards[].days": "Every day of the period in order, quiet ones included.",
        "cards[].days[].day": "The day, in UTC.",
        "cards[].days[].calls": "Calls.",
        "cards[].days[].calls_unpriced": "Calls whose cost is not known.",
        "cards[].days[].tokens": "All tokens, cached ones included.",
        "cards[].days[].cost_usd": "Known cost, as text.",
        "cards[].days[].outcomes": "Tasks scored on that day.",
        "cards[].days[].good": "Sum of their scores.",
        "cards[].days[].worth_usd": "Their worth, as text; null where unknown.",
    }
)
"""Every field, by its path; `ESTIMATE_DOCS` and `USAGE_DOCS` hold the two that recur."""

ESTIMATE_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "value": "The figure over the period.",
        "low": "Lower bound for the long run; null where the days set none.",
        "high": "Upper bound for the long run; null where the days set none.",
        "level": "How often such bounds hold the long-run value.",
        "n": "Days on which the bounds rest; of a saving, conversations.",
    }
)

USAGE_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "calls": "Calls.",
        "input_tokens": "Fresh input: neither read from a cache nor written to one.",
        "cache_read_tokens": "Input read from a cache.",
        "cache_write_tokens": "Input written to a cache, of every lifetime.",
        "output_tokens": "Output, reasoning included.",
        "cost_usd": "Cost of the calls whose cost is known, as text.",
        "calls_billed": "Calls whose cost a bill states.",
        "calls_priced": "Calls priced from the price book.",
        "calls_estimated": "Calls whose cost some program computed.",
        "calls_unpriced": "Calls whose cost is not known: in no sum of money.",
    }
)


def scorecard_json(scorecard: Scorecard) -> dict[str, Any]:
    """Return the scorecard as JSON values; `FIELD_DOCS` says what each field means.

    Of all time, `period` runs from 1970-01-01 to 9999-01-01.
    """
    return {
        "period": {"start": str(scorecard.period.start), "end": str(scorecard.period.end)},
        "as_of": str(scorecard.as_of),
        "total": usage_json(scorecard.total),
        "unattributed": usage_json(scorecard.unattributed),
        "unattributed_origins": [
            {"origin": origin, "usage": usage_json(usage)}
            for origin, usage in scorecard.unattributed_origins
        ],
        "quarantined_records": scorecard.quarantined_records,
        "cards": [card_json(card) for card in scorecard.cards],
    }


def card_json(card: WorkflowCard) -> dict[str, Any]:
    """Return one card as JSON values, with the fields of `cards[]` in `FIELD_DOCS`."""
    return {
        "workflow": _workflow_json(card.workflow),
        "usage": usage_json(card.usage),
        "previous": usage_json(card.previous),
        "trend": card.trend,
        "tier_cost_usd": {tier: plain(cost) for tier, cost in card.tier_cost_usd.items()},
        "models": [_model_json(use) for use in card.models],
        "outcomes": card.outcomes,
        "good": card.good,
        "mean_score": _fields_json(card.mean_score),
        "cost_per_good_usd": _fields_json(card.cost_per_good_usd),
        "worth_usd": _money_json(card.worth_usd),
        "return_usd": _fields_json(card.return_usd),
        "month_to_date_usd": plain(card.month_to_date_usd),
        "first_day": None if card.first_day is None else str(card.first_day),
        "defence": _defence_json(card.defence),
        "need": _need_json(card.need),
        "saving": _fields_json(card.saving),
        "covered": _covered_json(card.covered),
        "gaps": list(card.gaps),
        "days": [_day_json(day) for day in card.days],
    }


def _workflow_json(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "owner": workflow.owner,
        "purpose": workflow.purpose,
        "metric": _fields_json(workflow.metric),
        "bar": _fields_json(workflow.bar),
        "stakes": workflow.stakes,
        "data_class": workflow.data_class,
        "budget_usd_month": _money_json(workflow.budget_usd_month),
        "worth_usd": _money_json(workflow.worth_usd),
        "next_step": workflow.next_step,
        "kill_rules": list(workflow.kill_rules),
    }


def _model_json(use: ModelUse) -> dict[str, Any]:
    return {
        "provider": use.provider,
        "model": use.model,
        "tier": use.tier,
        "usage": usage_json(use.usage),
    }


def _day_json(day: DayFacts) -> dict[str, Any]:
    return {
        "day": str(day.day),
        "calls": day.calls,
        "calls_unpriced": day.calls_unpriced,
        "tokens": day.tokens,
        "cost_usd": plain(day.cost_usd),
        "outcomes": day.outcomes,
        "good": day.good,
        "worth_usd": _money_json(day.worth_usd),
    }


def _defence_json(defence: Defence | None) -> dict[str, Any] | None:
    if defence is None:
        return None
    return {
        "by": defence.by,
        "on": str(defence.on),
        "expires": str(defence.expires),
        "why": defence.why,
    }


def _need_json(need: TierNeed | None) -> dict[str, Any] | None:
    if need is None:
        return None
    return {
        "tier": need.tier,
        "tool": need.tool,
        "used_tier": need.used_tier,
        "used_tool": need.used_tool,
        "leak_usd_month": _money_json(need.leak_usd_month),
        "decided_on": str(need.decided_on),
        "stale": list(need.stale),
    }


def _covered_json(covered: CoveredCalls | None) -> dict[str, Any] | None:
    if covered is None:
        return None
    return {"calls": covered.calls, "list_usd": plain(covered.list_usd)}


def _fields_json(noun: Estimate | Metric | Bar | MeasuredSaving | None) -> dict[str, Any] | None:
    return None if noun is None else asdict(noun)


def _money_json(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
