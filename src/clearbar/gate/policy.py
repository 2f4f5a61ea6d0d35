"""The rules of the gate: one table, facts in, verdict out. The docs' table is drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from clearbar.gate import findings, next_steps
from clearbar.gate.verdict import Decision, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from clearbar.gate.facts import Facts


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    name: str
    decision: Decision
    holds_when: str
    """One sentence for people; names in `backquotes` are keys of [policy]."""
    check: Callable[[Facts], str | None]
    """The fact with its numbers; None where it does not hold or is not known."""
    next_step: Callable[[Facts], str]
    """What would change the verdict, and who can do it."""


def _paused_too_long(facts: Facts) -> str | None:
    """Find a pause that is too long, and only while a rule still asks for it."""
    asked_for = any(rule.check(facts) for rule in RULES if rule.decision == "pause")
    return findings.paused_too_long(facts) if asked_for else None


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "no_owner",
        "kill",
        "It spends, no owner is declared, and `grace` has passed since its first day.",
        findings.no_owner,
        next_steps.declare_owner,
    ),
    Rule(
        "no_metric",
        "kill",
        "It spends, no metric is declared, and `grace` has passed since its first day.",
        findings.no_metric,
        next_steps.declare_metric,
    ),
    Rule(
        "kill_rule",
        "kill",
        "A kill criterion that its owner declared has held for the whole of its window.",
        findings.kill_rule,
        next_steps.obey_kill_rule,
    ),
    Rule(
        "paused_too_long",
        "kill",
        "It has been paused for more than `max_pause`, and a rule still asks for the pause.",
        _paused_too_long,
        next_steps.end_pause,
    ),
    Rule(
        "restricted_data",
        "pause",
        "Its data is restricted and goes to a provider that `inhouse_providers` does not name.",
        findings.restricted_data,
        next_steps.bring_data_home,
    ),
    Rule(
        "undefended",
        "pause",
        "The last defence expired or is older than its review period (`review`, by its stakes).",
        findings.undefended,
        next_steps.defend,
    ),
    Rule(
        "unmeasured",
        "pause",
        "It spent money in `outcome_window`, and no outcome arrived in it.",
        findings.unmeasured,
        next_steps.send_outcomes,
    ),
    Rule(
        "below_bar",
        "pause",
        "The tool in use fails its bar in a trial, or before any trial even the upper bound of its "
        "mean score (`interval_level`) is below the bar; and no other tool is certified.",
        findings.below_bar,
        next_steps.find_tool,
    ),
    Rule(
        "over_budget",
        "pause",
        "The month's spend, or after a week its forecast, is beyond the declared budget.",
        findings.over_budget,
        next_steps.fit_budget,
    ),
    Rule(
        "loses_money",
        "pause",
        "Even the upper bound of its return (`interval_level`) is below zero.",
        findings.loses_money,
        next_steps.earn_more,
    ),
    Rule(
        "tokens_up_outcomes_flat",
        "pause",
        "Tokens grew by more than `tokens_growth` and good outcomes by less than "
        "`outcomes_growth` against the period before, each at `error_rate`.",
        findings.tokens_up_outcomes_flat,
        next_steps.explain_tokens,
    ),
    Rule(
        "cheaper_tool_ignored",
        "pause",
        "A cheaper tool has been certified for longer than `grace` and is not in force.",
        findings.cheaper_tool_ignored,
        next_steps.switch_tool,
    ),
    Rule(
        "drifted",
        "fund",
        "The tool that it was routed to fell under its bar, so it is back on the old one, until a "
        "new trial has ended.",
        findings.drifted,
        next_steps.try_again,
    ),
    Rule(
        "earns_its_tier",
        "fund",
        "No other rule holds.",
        findings.earns_its_tier,
        next_steps.keep_on,
    ),
)
"""Gravest first. The first rule that holds gives the verdict; all that hold are its reasons."""


def decide(facts: Facts) -> Verdict:
    """Return the verdict of the table on one workflow."""
    reasons = tuple(_reasons(facts, RULES[:-1])) or tuple(_reasons(facts, RULES[-1:]))
    return Verdict(
        workflow=facts.workflow.name,
        decision=reasons[0].decision,
        reasons=reasons,
        next_step=reasons[0].next_step,
        lapses_on=_lapses_on(facts),
        at_stake_usd_month=facts.usage.cost_usd * 30 / max(facts.period_days, 1),
        owner=facts.workflow.owner,
    )


def policy_table() -> list[tuple[Decision, str, str]]:
    """Return the table for people: decision, rule, when it holds."""
    return [(rule.decision, rule.name, rule.holds_when) for rule in RULES]


def _reasons(facts: Facts, rules: Iterable[Rule]) -> Iterator[Reason]:
    for rule in rules:
        fact = rule.check(facts)
        if fact is not None:
            yield Reason(rule.name, rule.decision, fact, rule.next_step(facts))


def _lapses_on(facts: Facts) -> date:
    """High stakes are looked at twice as often."""
    days = facts.policy.verdict_days
    return facts.as_of + timedelta(
        days=max(days // 2, 1) if facts.workflow.stakes == "high" else days
    )
