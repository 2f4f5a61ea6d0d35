"""The nouns of the gate. There is no fourth verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - part of the type
from decimal import Decimal  # noqa: TC003 - part of the type
from typing import Final, Literal

Decision = Literal["fund", "pause", "kill"]
SEVERITY: Final[dict[Decision, int]] = {"fund": 0, "pause": 1, "kill": 2}


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that matched: a fact with its numbers, and what would change it."""

    rule: str
    decision: Decision
    fact: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision against the table, for a time."""

    workflow: str
    decision: Decision
    by: str
    why: str
    on: date
    until: date
    """The first day on which it no longer holds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Fund, pause or kill: with reasons, a next step and the date on which it lapses."""

    workflow: str
    decision: Decision
    reasons: tuple[Reason, ...]
    """Gravest first; never empty."""
    next_step: str
    lapses_on: date
    at_stake_usd_month: Decimal
    """What the workflow spends in thirty days at the period's rate."""
    owner: str | None = None
    override: Override | None = None
    """Set where a person overrode the table; `reasons` still say what the table found."""
    since: date | None = None
    """The day of the first recorded verdict in an unbroken run of this decision."""
