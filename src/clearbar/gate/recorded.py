"""What the docket says as of a day: the nouns that the gate decides with. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from clearbar.gate.verdict import Decision, Override, Verdict
    from clearbar.own.card import Defence


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """The last recorded verdict on a workflow, and how long it has been so."""

    workflow: str
    decision: Decision
    rules: tuple[str, ...]
    """The rules that held, gravest first."""
    lapses_on: date
    since: date
    """The day of the first record in the unbroken run of this decision."""
    paused_since: date | None
    """The day of the first record of the pause that still stands. A kill for `paused_too_long`
    does not end the pause; any other verdict does."""


@dataclass(frozen=True, slots=True)
class DocketState:
    """The docket as of a day, by workflow."""

    defences: Mapping[str, Defence] = field(default_factory=dict)
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """Those in force."""
    verdicts: Mapping[str, RecordedVerdict] = field(default_factory=dict)


def recorded_after(before: RecordedVerdict | None, verdict: Verdict, day: date) -> RecordedVerdict:
    """Return the last recorded verdict after one more was recorded on a day."""
    rules = tuple(reason.rule for reason in verdict.reasons)
    since, paused_since = day, day
    if before is not None:
        since = before.since if before.decision == verdict.decision else day
        paused_since = before.paused_since or day
    paused = verdict.decision == "pause" or (
        verdict.decision == "kill" and "paused_too_long" in rules
    )
    return RecordedVerdict(
        workflow=verdict.workflow,
        decision=verdict.decision,
        rules=rules,
        lapses_on=verdict.lapses_on,
        since=since,
        paused_since=paused_since if paused else None,
    )
