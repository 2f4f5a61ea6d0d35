"""The nouns of evidence: a call that is about to be made, how it ended, and what is known of both.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from clearbar.tools.tool import TokenUsage

AttemptKind = Literal["case", "judge"]
Ended = Literal["answered", "failed", "lost"]
CostSource = Literal["book", "declared", "none"]
"""Where a cost is from: the price book, so that the ledger prices the usage itself; what the tool
declares (own rates, GPU hours, free); or nowhere, and the cost is not known."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, before it is made."""

    attempt_id: str
    asked: str
    """`identity.asked_digest` of the three digests below."""
    kind: AttemptKind
    workflow: str
    trial: str
    """`identity.trial_key` of the trial that pays."""
    tool: str
    provider: str
    """Who bills; empty where it is not known."""
    model: str
    tool_digest: str
    prompt_digest: str
    case_digest: str
    ceiling_usd: Decimal | None
    """The most that it was reserved for; None where no ceiling is known."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How a call ended."""

    attempt_id: str
    ended: Ended
    finished_at: datetime
    what: str = ""
    """Of a failure, in plain words."""
    http_status: int | None = None
    answer_digest: str | None = None
    usage: TokenUsage | None = None
    cost_usd: Decimal | None = None
    """None is not known, which is never zero."""
    cost_source: CostSource = "none"
    confidence: float | None = None
    model: str = ""
    upstream_id: str = ""
    service_tier: str = ""
    speed: str = ""
    geo: str = ""
    latency_ms: int | None = None

    @property
    def may_have_cost(self) -> bool:
        """Whether somebody may bill it: all but failures that are known to have cost nothing.

        Those are calls that an endpoint refused without telling usage, and calls that were never
        sent. One that timed out, broke off or was lost may have been worked on.
        """
        return self.ended != "failed" or self.cost_usd is None or self.cost_usd > 0


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """An answer that arrived once, from whatever trial: it is never bought again."""

    attempt_id: str
    trial: str
    answer_digest: str
    cost_usd: Decimal | None
    confidence: float | None
    text: str | None
    """None where the trial that asked kept no texts: then only its grades are left of it."""


@dataclass(frozen=True, slots=True)
class HeldGrade:
    """What is known of an answer under one grader."""

    graded: str
    """`identity.graded_digest`: the answer, the case and the grader."""
    canonical_digest: str
    """Of the answer in the grader's own normal form: equal digests are equal answers."""
    score: float | None = None
    """None while it is not graded, which equal answers never need to be."""
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What one trial has spent so far, over all its runs."""

    usd: Decimal = Decimal(0)
    """Of the calls whose cost is known."""
    calls: int = 0
    """Calls that ended and may have cost something."""
    unpriced_calls: int = 0
    unpriced_ceiling_usd: Decimal = Decimal(0)
    """The most that calls of unknown cost can have cost, where a ceiling was reserved."""
    lost_calls: int = 0
    dearest_usd: Decimal = Decimal(0)
    """What a call has cost at most."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of an answer."""

    workflow: str
    case_digest: str
    answer_digest: str
    score: float
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """All that a trial need not ask again when it begins."""

    answers: Mapping[str, Sequence[HeldAnswer]] = field(default_factory=dict)
    """By `asked`, those with a text first, then the oldest first; more than one only where an
    answer was left without a grade and a text."""
    given_up: Mapping[str, str] = field(default_factory=dict)
    """`asked` -> what went wrong, in this trial."""
    grades: Mapping[str, HeldGrade] = field(default_factory=dict)
    """By `graded`."""
