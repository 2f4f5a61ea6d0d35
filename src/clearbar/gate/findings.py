"""What each rule looks for: facts -> a sentence with its numbers, or None. Pure.

None means that the rule does not hold, or that a fact it needs is not known.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from clearbar.core.money import usd

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.gate.facts import Facts, MonthSpend
    from clearbar.own.card import Defence, Estimate
    from clearbar.trial.in_force import CertifiedTool


def no_owner(facts: Facts) -> str | None:
    """Find money that passes with nobody to answer for it."""
    return None if facts.workflow.owner else _undeclared(facts, "owner")


def no_metric(facts: Facts) -> str | None:
    """Find money that passes with nothing to measure it by."""
    return None if facts.workflow.metric else _undeclared(facts, "metric")


def kill_rule(facts: Facts) -> str | None:
    """Find a declared way out that has come true."""
    held = [result.fact for result in facts.kill_rules if result.holds]
    return "; ".join(held) or None


def paused_too_long(facts: Facts) -> str | None:
    """Find a pause that has lasted longer than the policy allows."""
    if facts.paused_since is None:
        return None
    days = (facts.as_of - facts.paused_since).days
    if days <= facts.policy.max_pause_days:
        return None
    allowed = facts.policy.max_pause_days
    return f"paused since {facts.paused_since}: {days} days, {allowed} are allowed"


def restricted_data(facts: Facts) -> str | None:
    """Find data that must stay in-house and goes outside."""
    outside = facts.models_outside
    if facts.workflow.data_class != "restricted" or not outside:
        return None
    cost = usd(sum((use.usage.cost_usd for use in outside), facts.usage.cost_usd * 0))
    calls = sum(use.usage.calls for use in outside)
    providers = ", ".join(dict.fromkeys(use.provider or "an unnamed provider" for use in outside))
    return (
        f"restricted data went to {providers} in {calls:,} calls worth {cost}, "
        f"most of it to {outside[0].model or 'an unnamed model'}"
    )


def undefended(facts: Facts) -> str | None:
    """Find a last defence that has run out, or a first one that is overdue."""
    ended = facts.defence_ends
    if ended is None or facts.as_of < ended:
        return None
    if facts.defence is not None:
        return _defence_ended(facts.defence, facts.review_days)
    return (
        f"never defended since its first day, {facts.first_day}; "
        f"the first defence was due on {ended} ({facts.review_days} days)"
    )


def unmeasured(facts: Facts) -> str | None:
    """Find money that passes while no outcome comes back."""
    if not facts.spending or facts.outcomes_in_window != 0:
        return None
    window = facts.policy.outcome_window_days
    return f"{_spent(facts)}, and no outcome arrived in the last {window} days"


def below_bar(facts: Facts) -> str | None:
    """Find work that fails its bar, in a trial or by its outcomes, while nothing stands ready."""
    if facts.certified:
        return None
    tool = facts.tool_in_use
    if tool is None:
        return _outcomes_below_bar(facts)
    if tool.clears is not False:
        return None
    score = f"scores {tool.score.value:.3f}{_interval(tool.score, '.3f')}"
    return f"{tool.name} {score} on {tool.score.n} cases and fails the bar; no tool is certified"


def _outcomes_below_bar(facts: Facts) -> str | None:
    """Find outcomes of which even the upper bound of the mean score is below an absolute bar."""
    bar, score = facts.workflow.bar, facts.mean_score
    if bar is None or bar.at_least is None or score is None or score.high is None:
        return None
    if score.high >= bar.at_least:
        return None
    scored = f"outcomes score {score.value:.3f}{_interval(score, '.3f')}"
    return f"{scored}, below the bar of {bar.at_least:g}; no other tool is certified"


def over_budget(facts: Facts) -> str | None:
    """Find a month whose spend or forecast is beyond the budget."""
    budget, month = facts.workflow.budget_usd_month, facts.month
    if budget is None or month is None:
        return None
    spent = f"spent {usd(month.spent_usd)} in {_days_of(month)}"
    if month.spent_usd > budget:
        return f"{spent}, beyond the budget of {usd(budget)}"
    forecast = month.forecast_usd
    if forecast is None or forecast <= budget:
        return None
    return f"{spent}; at this rate the month ends at {usd(forecast)}, budget {usd(budget)}"


def loses_money(facts: Facts) -> str | None:
    """Find a return whose upper bound is still a loss."""
    returned = facts.return_usd
    if returned is None or returned.high is None or returned.high >= 0:
        return None
    low = "" if returned.low is None else f"{usd(returned.low)} to "
    return (
        f"worth minus cost is {usd(returned.value)} in {facts.period_days} days "
        f"({returned.level:.0%} interval {low}{usd(returned.high)})"
    )


def tokens_up_outcomes_flat(facts: Facts) -> str | None:
    """Find tokens that grew while good outcomes did not, both beyond the stated doubt."""
    grown, policy = facts.growth, facts.policy
    if grown is None or grown.tokens.low is None or grown.good.high is None:
        return None
    if grown.tokens.low <= policy.tokens_growth or grown.good.high >= policy.outcomes_growth:
        return None
    seen = (
        ""
        if math.isinf(grown.detectable_good)
        else (
            f"; outcomes that grew by {grown.detectable_good:.0%} would have been seen with power "
            f"{policy.power:g}"
        )
    )
    return (
        f"tokens grew {grown.tokens.value:+.0%} (at least {grown.tokens.low:+.0%}), good "
        f"outcomes {grown.good.value:+.0%} (at most {grown.good.high:+.0%}), each bound with an "
        f"error rate of {policy.error_rate:.0%}{seen}"
    )


def cheaper_tool_ignored(facts: Facts) -> str | None:
    """Find a certified tool that would have cost less for a while."""
    cheaper = cheapest_certified(facts)
    if cheaper is None or facts.tool_in_use is None or _fell(cheaper, facts):
        return None
    if facts.as_of <= cheaper.since + timedelta(days=facts.policy.grace_days):
        return None
    used = facts.tool_in_use
    return (
        f"{cheaper.name} has been certified since {cheaper.since} at "
        f"{_price(cheaper.usd_per_case)} per case; {used.name} costs {_price(used.usd_per_case)}"
    )


def drifted(facts: Facts) -> str | None:
    """Find a routed tool that fell under its bar, so that the old one is in force again."""
    return None if facts.drift is None else f"since {facts.drift.on}: {facts.drift.what}"


def earns_its_tier(facts: Facts) -> str:
    """Say what the money brought."""
    returned = facts.return_usd
    worth = "" if returned is None else f", worth minus cost is {usd(returned.value)}"
    return f"{_spent(facts)}{worth}; {_tried(facts)}no rule holds against it"


def cheapest_certified(facts: Facts) -> CertifiedTool | None:
    """Return the cheapest certified tool that costs less than the one in use."""
    used = facts.tool_in_use
    if used is None or used.usd_per_case is None:
        return None
    priced = [(tool.usd_per_case, tool.name, tool) for tool in facts.certified or ()]
    cheaper = [(usd, name, tool) for usd, name, tool in priced if usd is not None]
    cheapest = min(cheaper, key=lambda each: each[:2], default=None)
    return cheapest[2] if cheapest and cheapest[0] < used.usd_per_case else None


def _tried(facts: Facts) -> str:
    """Say what a trial knows of the tool in use."""
    if cheaper := cheapest_certified(facts):
        return f"{cheaper.name} is certified to clear the bar for less; "
    used = facts.tool_in_use
    if used is None or not used.clears:
        return ""
    return f"{used.name} is the cheapest tool that is certified to clear the bar; "


def _fell(tool: CertifiedTool, facts: Facts) -> bool:
    """Return whether a certified tool was seen to fall since."""
    return facts.drift is not None and facts.drift.tool == tool.name


def _price(usd_per_case: Decimal | None) -> str:
    return "an unknown price" if usd_per_case is None else usd(usd_per_case)


def _undeclared(facts: Facts, what: str) -> str | None:
    ends = facts.grace_ends
    if not facts.spending or ends is None or facts.as_of < ends:
        return None
    grace = f"grace of {facts.policy.grace_days} days ended {ends}"
    return f"{_spent(facts)}, and no {what} is declared ({grace})"


def _spent(facts: Facts) -> str:
    usage, days = facts.usage, f"in {facts.period_days} days"
    unpriced = f"{usage.calls_unpriced:,} calls without a known price"
    if not usage.calls_unpriced:
        return f"spent {usd(usage.cost_usd)} {days}"
    if usage.cost_usd:
        return f"spent {usd(usage.cost_usd)} {days}, beside {unpriced}"
    return f"made {unpriced} {days}"


def _days_of(month: MonthSpend) -> str:
    return f"{month.month.start:%Y-%m} ({month.elapsed_days} of {month.month.days} days)"


def _defence_ended(defence: Defence, review_days: int) -> str:
    said = f"{defence.by} last defended it on {defence.on}"
    if defence.expires <= defence.on + timedelta(days=review_days):
        return f"{said}, until {defence.expires}"
    return f"{said}; a defence holds for {review_days} days"


def _interval(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({estimate.level:.0%} interval {estimate.low:{form}} to {estimate.high:{form}})"
