"""What is not declared or not measured about a workflow, in plain words, gravest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from clearbar.own.card import Defence
    from clearbar.own.workflow import Workflow
    from clearbar.spend.usage import Usage


def gaps_of(
    workflow: Workflow,
    usage: Usage,
    *,
    outcomes: int,
    worth_known: bool,
    defence: Defence | None,
    as_of: date,
    declared: bool = True,
) -> tuple[str, ...]:
    """Return the gaps: who answers for it, whether it is measured, what it costs, what is next."""
    return (
        *_unanswered(workflow, declared=declared),
        *_unmeasured(workflow, usage, outcomes),
        *_undefended(defence, as_of),
        *_unvalued(workflow, outcomes, worth_known=worth_known),
        *_undirected(workflow),
    )


def _unanswered(workflow: Workflow, *, declared: bool) -> Iterator[str]:
    if not declared:
        yield "not declared in clearbar.toml"
    if workflow.owner is None:
        yield "no owner"


def _unmeasured(workflow: Workflow, usage: Usage, outcomes: int) -> Iterator[str]:
    if workflow.metric is None:
        yield "no metric"
    if workflow.bar is None:
        yield "no bar"
    if not outcomes:
        yield "no outcomes in the period"
    if usage.calls_unpriced:
        yield f"unpriced calls: {usage.calls_unpriced:,}"


def _undefended(defence: Defence | None, as_of: date) -> Iterator[str]:
    if defence is None:
        yield "never defended"
    elif defence.expires <= as_of:
        yield f"defence expired on {defence.expires}"


def _unvalued(workflow: Workflow, outcomes: int, *, worth_known: bool) -> Iterator[str]:
    if workflow.worth_usd is None and not (outcomes and worth_known):
        yield "no worth"


def _undirected(workflow: Workflow) -> Iterator[str]:
    if workflow.next_step is None:
        yield "no next step"
    if not workflow.kill_rules:
        yield "no kill rule"
