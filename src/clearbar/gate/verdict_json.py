"""A verdict as plain JSON: stable names, money as decimal text, days as ISO 8601."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.money import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.gate.docket import Entry
    from clearbar.gate.verdict import Override, Reason, Verdict

_MICRO: Final = Decimal("0.000001")

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "workflow": "Name of the workflow.",
        "decision": "`fund`, `pause` or `kill`; where a person overrode the table, theirs.",
        "owner": "Who answers for the workflow; null where nobody is declared.",
        "reasons": "The rules that hold, gravest first; never empty.",
        "reasons[].rule": "Name of the rule, as in the policy table.",
        "reasons[].decision": "What the rule asks for.",
        "reasons[].fact": "Why it holds, with the numbers.",
        "reasons[].next_step": "What would change it, and who can do it.",
        "next_step": "The next step of the gravest reason.",
        "lapses_on": "The day on which the verdict no longer holds.",
        "since": "Day of the first record of this decision in an unbroken run; null when new.",
        "at_stake_usd_month": "US dollars that the workflow spends in thirty days, as text.",
        "override": "A person's decision against the table while it is in force; else null.",
        "override.decision": "What the person decided.",
        "override.by": "Who decided: an e-mail address or a role.",
        "override.why": "The reason they gave.",
        "override.on": "The day on which it was recorded.",
        "override.until": "The first day on which it no longer holds.",
    }
)
"""Every field, by its path, in the order in which they are written."""


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """Return the verdict as JSON values; `FIELD_DOCS` says what each field means."""
    at_stake = verdict.at_stake_usd_month.quantize(_MICRO, rounding=ROUND_HALF_EVEN)
    return {
        "workflow": verdict.workflow,
        "decision": verdict.decision,
        "owner": verdict.owner,
        "reasons": [_reason_json(reason) for reason in verdict.reasons],
        "next_step": verdict.next_step,
        "lapses_on": verdict.lapses_on.isoformat(),
        "since": verdict.since.isoformat() if verdict.since else None,
        "at_stake_usd_month": plain(at_stake),
        "override": _override_json(verdict.override) if verdict.override else None,
    }


def verdicts_json(verdicts: Iterable[Verdict]) -> dict[str, object]:
    """Return verdicts as JSON values, in their order."""
    return {"verdicts": [verdict_json(verdict) for verdict in verdicts]}


def entry_json(entry: Entry) -> dict[str, object]:
    """Return an entry of the docket as JSON values; `body` is the very text that was hashed."""
    return {
        "entry": entry.entry,
        "kind": entry.kind,
        "workflow": entry.workflow,
        "at": entry.at,
        "body": entry.body,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def _reason_json(reason: Reason) -> dict[str, object]:
    return {
        "rule": reason.rule,
        "decision": reason.decision,
        "fact": reason.fact,
        "next_step": reason.next_step,
    }


def _override_json(override: Override) -> dict[str, object]:
    return {
        "decision": override.decision,
        "by": override.by,
        "why": override.why,
        "on": override.on.isoformat(),
        "until": override.until.isoformat(),
    }
