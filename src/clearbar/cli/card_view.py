"""One workflow's card in the terminal: a line for each thing that is known, or is not."""

from __future__ import annotations

import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

from clearbar.cli.scorecard_view import (
    covered_text,
    interval_text,
    leak_text,
    saving_text,
    short_usd,
    trend_text,
)
from clearbar.cli.spark import printable
from clearbar.core.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.gate.verdict import Verdict
    from clearbar.own.card import Estimate, WorkflowCard

_WIDTH: Final = 80
_INDENT: Final = 13
_SHOWN_MODELS: Final = 5
_NOT_DECLARED: Final = "not declared"


def card_lines(card: WorkflowCard, verdict: Verdict | None = None) -> Iterator[str]:
    """Yield the card as lines of at most 80 columns, or of a narrower terminal, uncoloured."""
    width = min(_WIDTH, get_terminal_size().columns)
    yield printable(card.workflow.name)
    rows = [*_verdict_rows(verdict), *_declared_rows(card), *_measured_rows(card)]
    for label, value in (*rows, ("gaps", "; ".join(card.gaps) or "none")):
        yield from textwrap.wrap(
            printable(value),
            width,
            initial_indent=f"  {label}".ljust(_INDENT),
            subsequent_indent=" " * _INDENT,
        )


def _verdict_rows(verdict: Verdict | None) -> Iterator[tuple[str, str]]:
    if verdict is None:
        return
    by = f" by {verdict.override.by}" if verdict.override else ""
    yield "gate", f"{verdict.decision.upper()}{by}, lapses {verdict.lapses_on}"
    for reason in verdict.reasons:
        yield "", f"{reason.rule}: {reason.fact}"


def _declared_rows(card: WorkflowCard) -> Iterator[tuple[str, str]]:
    workflow, metric = card.workflow, card.workflow.metric
    yield "owner", workflow.owner or _NOT_DECLARED
    yield "purpose", workflow.purpose or _NOT_DECLARED
    measured = f"{metric.name} per {metric.unit}, from {metric.source}" if metric else _NOT_DECLARED
    yield "metric", measured
    yield "bar", workflow.bar.text if workflow.bar else _NOT_DECLARED
    yield "stakes", f"{workflow.stakes}; data {workflow.data_class}"
    yield "defended", _defence_text(card)
    yield "next step", workflow.next_step or _NOT_DECLARED
    for rule in workflow.kill_rules:
        yield "kill rule", rule


def _measured_rows(card: WorkflowCard) -> Iterator[tuple[str, str]]:
    usage = card.usage
    unpriced = f", {usage.calls_unpriced:,} of them unpriced" if usage.calls_unpriced else ""
    trend = trend_text(card)
    yield "spend", f"{usd(usage.cost_usd)} in {usage.calls:,} calls{unpriced}; trend {trend}"
    if covered := covered_text(card):
        yield "", covered
    yield "month", f"{usd(card.month_to_date_usd)} so far; {_budget_text(card)}"
    for use in card.models[:_SHOWN_MODELS]:
        name = use.model or "(no model)"
        yield "model", f"{name} ({use.tier}): {usd(use.usage.cost_usd)}"
    if len(card.models) > _SHOWN_MODELS:
        yield "", f"and {len(card.models) - _SHOWN_MODELS} more models"
    yield "tier", _need_text(card)
    if saving := saving_text(card):
        yield "saves", saving
    yield "outcomes", _outcome_text(card)
    yield "per good", _money_text(card.cost_per_good_usd)
    yield "return", _money_text(card.return_usd)


def _need_text(card: WorkflowCard) -> str:
    need = card.need
    if need is None:
        return "what it needs is not known: no trial has ended"
    if need.stale:
        return f"its trial of {need.decided_on} no longer holds: {'; '.join(need.stale)}"
    if leak := leak_text(card):
        return f"leaks {leak}; trial of {need.decided_on}"
    if need.tier is None:
        return f"no tool is certified by its trial of {need.decided_on}"
    return f"needs {need.tier} ({need.tool}) by its trial of {need.decided_on}"


def _defence_text(card: WorkflowCard) -> str:
    if card.defence is None:
        return "never"
    return f"on {card.defence.on} by {card.defence.by}, until {card.defence.expires}"


def _budget_text(card: WorkflowCard) -> str:
    budget = card.workflow.budget_usd_month
    return "no budget declared" if budget is None else f"budget {usd(budget)}"


def _outcome_text(card: WorkflowCard) -> str:
    score = card.mean_score
    if score is None:
        return "none in the period"
    text = f"{card.outcomes:,}, mean score {score.value:.3f}"
    if score.low is None or score.high is None:
        return f"{text} (no bounds: {score.n} days)"
    return f"{text} ({100 * score.level:.3g}%: {score.low:.3f} to {score.high:.3f})"


def _money_text(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not known"
    how = f"{100 * estimate.level:.3g}%, {estimate.n} days"
    return f"{short_usd(estimate.value)} ({how}: {interval_text(estimate)})"
