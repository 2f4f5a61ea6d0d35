"""Scorecard and docket -> verdicts; and what has changed against the record. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from clearbar.core.errors import Problem
from clearbar.core.money import usd
from clearbar.gate.gather import facts_of
from clearbar.gate.policy import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clearbar.gate.facts import Drift
    from clearbar.gate.policy_settings import Policy
    from clearbar.gate.recorded import DocketState, RecordedVerdict
    from clearbar.gate.verdict import Verdict
    from clearbar.own.card import DayFacts, Scorecard, WorkflowCard
    from clearbar.trial.in_force import InForce


class _Found(NamedTuple):
    """What was found out of the workflows, by name."""

    trials: Mapping[str, InForce]
    drifts: Mapping[str, Drift]


def verdicts(
    scorecard: Scorecard,
    policy: Policy,
    state: DocketState,
    history: Mapping[str, Sequence[DayFacts]] | None = None,
    trials: Mapping[str, InForce] | None = None,
    drifts: Mapping[str, Drift] | None = None,
) -> tuple[Verdict, ...]:
    """Return a verdict on every workflow, dearest first; overrides in force are applied.

    A recorded verdict that nothing has changed lapses when the record says.

    The defences are the scorecard's. `history` gives, by workflow, every day as far back as
    `gather.days_needed`; without it, kill rules can look no further back than the scorecard's
    period and the one before. `trials` gives, by workflow, what its certificates say,
    and `drifts` the alarms of the watch that stand.
    """
    days = history or {}
    found = _Found(trials or {}, drifts or {})
    return tuple(
        _verdict(card, policy, scorecard, state, days.get(card.workflow.name), found)
        for card in scorecard.cards
    )


def check(
    scorecard: Scorecard,
    current: Sequence[Verdict],
    recorded: Mapping[str, RecordedVerdict],
) -> tuple[Problem, ...]:
    """Return what makes `gate --check` fail; a problem's `line` is one of clearbar.toml."""
    return (*undeclared(scorecard), *changes(current, recorded))


def undeclared(scorecard: Scorecard) -> Iterator[Problem]:
    """Yield every spending workflow that declares no owner or no metric, in grace or past it."""
    for card in scorecard.cards:
        workflow, usage = card.workflow, card.usage
        if usage.cost_usd <= 0 and not usage.calls_unpriced:
            continue
        for what, declared in (("owner", workflow.owner), ("metric", workflow.metric)):
            if not declared:
                yield Problem(
                    f"{workflow.name} spent {usd(usage.cost_usd)} and declares no {what}",
                    f"declare `{what}` in clearbar.toml",
                    workflow.line,
                )


def changes(
    current: Iterable[Verdict], recorded: Mapping[str, RecordedVerdict]
) -> Iterator[Problem]:
    """Yield every decision that is not the recorded one; what was never recorded was funded."""
    for verdict in current:
        before = recorded.get(verdict.workflow)
        decision = "fund" if before is None else before.decision
        if verdict.decision != decision:
            yield Problem(
                f"{verdict.workflow} would go from {decision} to {verdict.decision}: "
                f"{_why(verdict)}",
                verdict.next_step,
            )


def _why(verdict: Verdict) -> str:
    made = verdict.override
    if made is None:
        return verdict.reasons[0].fact
    return f"{made.by} decided so until {made.until}, against: {verdict.reasons[0].fact}"


def _verdict(
    card: WorkflowCard,
    policy: Policy,
    scorecard: Scorecard,
    state: DocketState,
    history: Sequence[DayFacts] | None,
    found: _Found,
) -> Verdict:
    recorded = state.verdicts.get(card.workflow.name)
    facts = facts_of(
        card,
        policy,
        scorecard.as_of,
        history=history,
        paused_since=None if recorded is None else recorded.paused_since,
        known=found.trials.get(card.workflow.name),
        drift=found.drifts.get(card.workflow.name),
    )
    verdict = decide(facts)
    override = state.overrides.get(verdict.workflow)
    if override is not None:
        lapses_on = min(verdict.lapses_on, override.until)
        verdict = replace(
            verdict, decision=override.decision, override=override, lapses_on=lapses_on
        )
    if recorded is None or recorded.decision != verdict.decision:
        return verdict
    verdict = replace(verdict, since=recorded.since)
    rules = tuple(reason.rule for reason in verdict.reasons)
    stands = recorded.rules == rules and scorecard.as_of < recorded.lapses_on
    if not stands or override is not None:
        return verdict
    return replace(verdict, lapses_on=min(verdict.lapses_on, recorded.lapses_on))
