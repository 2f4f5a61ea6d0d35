"""How a trial stands while it runs: what is shown live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.trial.race.race import Race
    from clearbar.trial.trial import Outcome, Reason


@dataclass(frozen=True, slots=True)
class Standing:
    """How one tool stands."""

    tool: str
    n: int
    """Cases that count so far."""
    cases: int
    """Cases it can have at most."""
    mean: float | None
    """Mean score (relative bar: mean difference); None without a case."""
    low: float | None
    high: float | None
    log_for: float
    log_for_needed: float
    log_against: float
    log_against_needed: float
    tool_usd: Decimal
    """Spent on this tool by this run, as far as it is known."""
    spent_usd: Decimal
    """By the whole trial so far, over all its runs and tools; calls of unknown cost at the most
    that they can have cost."""
    outcome: Outcome | None = None
    """None while it is asked."""
    reason: Reason | None = None


def standing_of(race: Race, tool: str, spent_usd: Decimal) -> Standing:
    """Return how a candidate stands that has had, or has, its turn.

    Raises:
        KeyError: when it has not.
    """
    lane = race.lanes[tool]
    test = lane.test
    low, high = test.interval() if test.n else (None, None)
    outcome, reason = lane.decided or (None, None)
    return Standing(
        tool,
        test.n,
        lane.max_cases,
        test.mean,
        low,
        high,
        test.log_for,
        test.log_for_needed,
        test.log_against,
        test.log_against_needed,
        race.tallies[tool].spent_usd,
        spent_usd,
        outcome,
        reason,
    )
