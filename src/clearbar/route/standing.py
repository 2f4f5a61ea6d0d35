"""Which decision stands on a workflow today, as the docket records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearbar.gate.docket import entries
from clearbar.gate.docket_entries import active_overrides, last_verdicts, said
from clearbar.gate.verdict import Verdict

if TYPE_CHECKING:
    from datetime import date

    from clearbar.core.store import Store
    from clearbar.gate.recorded import RecordedVerdict
    from clearbar.gate.verdict import Decision, Override


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision on a workflow that stands until the gate records another."""

    decision: Decision
    since: date
    lapses_on: date
    """From this day on the gate wants to be asked again; what was decided stands until then."""
    next_step: str = ""
    facts: tuple[str, ...] = ()
    """What the table found, gravest first."""
    override: Override | None = None
    """In force."""


def standing(store: Store, as_of: date) -> dict[str, Standing]:
    """Return by workflow what stands on a day; nothing of those never judged or overridden.

    An override stands before the verdict, and from its end on what the table had found stands.

    Raises:
        LedgerError: when an entry of the docket cannot be understood.
    """
    recorded = last_verdicts(store, as_of)
    last = {
        entry.workflow: said(entry, Verdict)
        for entry in entries(store, "verdict")
        if entry.day <= as_of
    }
    found = {name: _recorded(recorded[name], last[name], as_of) for name in last}
    for name, override in active_overrides(store, as_of).items():
        found[name] = _overridden(override, last.get(name))
    return found


def _recorded(recorded: RecordedVerdict, verdict: Verdict, as_of: date) -> Standing:
    facts = tuple(reason.fact for reason in verdict.reasons)
    ended = verdict.override is not None and verdict.override.until <= as_of
    if ended and verdict.override is not None and verdict.reasons:
        decision, since = verdict.reasons[0].decision, verdict.override.until
    else:
        decision, since = verdict.decision, recorded.since
    return Standing(decision, since, verdict.lapses_on, verdict.next_step, facts)


def _overridden(override: Override, verdict: Verdict | None) -> Standing:
    return Standing(
        override.decision,
        override.on,
        override.until,
        "" if verdict is None else verdict.next_step,
        () if verdict is None else tuple(reason.fact for reason in verdict.reasons),
        override,
    )
