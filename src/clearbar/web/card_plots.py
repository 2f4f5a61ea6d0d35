"""The plots of a workflow: which numbers each shows, and the words for who cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.money import usd
from clearbar.tools.tool import TIERS
from clearbar.web import plots
from clearbar.web.figures import interval_text, mean_text, score_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from clearbar.own.card import Estimate, WorkflowCard
    from clearbar.tools.tool import Tier
    from clearbar.web.gathered_days import GatheredDays

TIER_WORDS: Final[dict[Tier, str]] = {
    "frontier": "frontier",
    "small": "small",
    "none": "no model",
    "unknown": "tier unknown",
}


def spend_sparkline(days: GatheredDays) -> Markup:
    """Return the spend a day of a workflow, small."""
    heights = days.heights or (0.0,)
    label = f"Spend a day from {usd(min(heights))} to {usd(max(heights))}"
    return plots.sparkline(heights, label)


def days_plot(days: GatheredDays) -> Markup:
    """Return spend and good outcomes a day, large."""
    spend = f"{usd(days.top_cost_usd)} a day"
    good = f"{mean_text(days.top_good)} good a day" if days.top_good else "no good outcome"
    each = "each bar is the mean of a week" if days.weekly else "each bar is a day"
    label = f"Spend, at most {spend}, and good outcomes, at most {good}; {each}"
    return plots.timeline(days.bars, days.ticks, label, (spend, good))


def tier_bar(card: WorkflowCard) -> Markup:
    """Return the spend by tier as one stacked bar."""
    parts = [
        plots.Part(f"{TIER_WORDS[tier]}: {usd(cost)}", cost, f"tier-{tier}")
        for tier in TIERS
        if (cost := card.tier_cost_usd.get(tier))
    ]
    return plots.stacked_bar(parts, f"Spend by tier: {', '.join(part.label for part in parts)}")


def main_tier(card: WorkflowCard) -> str:
    """Return the tier that most was spent on, and its share: `frontier 82%`."""
    costs = {tier: cost for tier in TIERS if (cost := card.tier_cost_usd.get(tier, 0)) > 0}
    if not costs:
        return ""
    tier = max(costs, key=lambda name: costs[name])
    return f"{TIER_WORDS[tier]} {share_text(round(float(costs[tier] / sum(costs.values())), 2))}"


def cost_scale(cards: Iterable[WorkflowCard]) -> plots.LogScale | None:
    """Return the one scale on which the costs of a good outcome can be compared."""
    estimates = [card.cost_per_good_usd for card in cards if card.cost_per_good_usd]
    return plots.log_scale(
        number for each in estimates for number in (each.low, each.value, each.high)
    )


def cost_interval(estimate: Estimate, scale: plots.LogScale) -> Markup:
    """Return the cost of a good outcome with its interval, on the scale shared by all."""
    label = f"Cost of a good outcome {usd(estimate.value)}, {interval_text(estimate)}"
    low = estimate.low if estimate.low is not None and estimate.low > 0 else None
    return plots.interval(estimate.value, (low, estimate.high), scale.at, label, plots.DECADES)


def score_interval(estimate: Estimate, bar: float | None) -> Markup:
    """Return the mean score with its interval from 0 to 1, against the bar where it is a level."""
    label = f"Mean score {score_text(estimate)}" + ("" if bar is None else f", bar {bar:g}")
    ends = (estimate.low, estimate.high)
    return plots.interval(estimate.value, ends, float, label, plots.unit_track(bar))


def budget_bullet(card: WorkflowCard) -> Markup:
    """Return the spend of the budget's month so far against that budget."""
    spent, budget = card.month_to_date_usd, card.workflow.budget_usd_month
    label = f"{usd(spent)} of {usd(budget)} spent"
    return plots.bullet(float(spent), float(budget or 0), label)
