"""The nouns of a trial: what is asked of whom, what was found, and what may be claimed of it.

Never here: rules, network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - part of the declared type
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.own.workflow import Bar
    from clearbar.tools.tool import Tier

Outcome = Literal["clears", "fails", "undecided"]
Reason = Literal[
    "evidence",  # decided by the evidence
    "futile",  # too unlikely ever to clear within the cases and the budget
    "cases",  # ran out of cases
    "budget",  # ran out of money
    "dearer",  # never asked on: a cheaper tool had cleared
    "incumbent",  # the tool in use of a relative bar: what others are compared with
    "data_class",  # may not be given this workflow's data
    "broken",  # could not be asked: its failures are in `note`
]


@dataclass(frozen=True, slots=True)
class Case:
    """One input, with a reference answer where there is one."""

    id: str
    input: str
    reference: str | None = None
    cluster: str | None = None
    """What it shares with others (a document, a user): only one case of a cluster is tried."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers already logged: tool -> answer. They need not be bought."""
    at: datetime | None = None
    """When it was asked in real life."""
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The error rates of a trial, fixed before the first case."""

    certify: float
    """At most the probability that any tool below the bar is certified, over all tools."""
    drop: float
    """Per tool, of failing one that is `slack` or more above the bar by evidence."""
    slack: float = 0.01
    futility: float = 0.05
    """Stop asking a tool when the predictive probability that it still clears is below this."""


@dataclass(frozen=True, slots=True)
class Step:
    """A point of the evidence path: what was known after `n` cases."""

    n: int
    mean: float
    low: float
    high: float
    """Anytime-valid bounds of the mean score (relative bar: of the mean difference)."""
    log_for: float
    """Natural logarithm of the wealth of the bet that the tool is above its bar."""
    log_against: float
    """Of the bet that it is below."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial found of one tool."""

    tool: str
    tier: Tier
    outcome: Outcome
    reason: Reason
    n: int
    """Cases on which the decision rests."""
    mean: float | None
    """Mean score (relative bar: mean difference to the incumbent); None without a case."""
    low: float | None
    high: float | None
    """Anytime-valid interval at `level`; for reading, the decision rests on the bets."""
    level: float
    alpha: float
    """The share of the trial's error rate that this tool had."""
    log_for: float
    log_for_needed: float
    """`log_for` at which it clears."""
    log_against: float
    log_against_needed: float
    usd_per_case: Decimal | None
    """What it costs in use, measured over the cases asked; None where it is not known."""
    calls: int
    """Calls bought in this trial."""
    spent_usd: Decimal
    spent_unpriced_calls: int = 0
    labels: int = 0
    """Labels of people that its grades took."""
    more_cases: int | None = None
    """About how many more cases would decide, at the mean so far; None if none would."""
    more_usd: Decimal | None = None
    note: str = ""
    """What a reader has to know: broken evidence, failures, the threshold of a cascade."""
    path: tuple[Step, ...] = ()
    """At most a few hundred points."""
    threshold: float | None = None
    """Of a cascade: the least confidence at which the first tool's answer stands; None for other
    tools, and where none could be set."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a certificate is about: a change of any makes it stale."""

    workflow: str
    bar: Bar
    metric: str
    grader: str
    """Canonical text of the grader and its settings."""
    prompt_digest: str
    cases_digest: str
    """Of the ids and contents of all cases that could have been drawn."""
    cases: int
    cases_from: str
    """First and last day, or the name of the file: the window that the cases stand for."""
    tools: Mapping[str, str]
    """Tool -> digest of all that is declared of it, with its version."""
    error: Error
    seed: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """The end of a trial."""

    identity: Identity
    findings: tuple[Finding, ...]
    """In the order in which they were tried: cheapest first, the incumbent last."""
    winner: str | None
    """The cheapest tool that clears the bar; None where none does."""
    incumbent: str | None
    decided_at: datetime
    calls: int
    spent_usd: Decimal
    warnings: tuple[str, ...] = ()
    """Broken evidence, made visible."""

    @property
    def finding_of(self) -> dict[str, Finding]:
        """The findings by tool."""
        return {finding.tool: finding for finding in self.findings}


ZERO_USD = Decimal(0)
