"""What a certificate has to say of the run that it ends: what was not as one would expect.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.money import usd
from clearbar.trial.running.ceiling import ASSUMED_OUTPUT_TOKENS, has_output_limit

if TYPE_CHECKING:
    from clearbar.trial.running.budget import Budget
    from clearbar.trial.running.runnable import Trial


def ungraded(count: int) -> list[str]:
    """Return what to say of answers that no grader could grade."""
    return [f"answers that could not be graded, and count as wrong: {count}"] if count else []


def over_budget(budget: Budget) -> list[str]:
    """Return what to say where a call cost more than was reserved for it."""
    if budget.limit_usd is None or budget.spent_usd <= budget.limit_usd:
        return []
    spent, limit = usd(budget.spent_usd), usd(budget.limit_usd)
    why = "answers were longer than the settings allow, or the budget was made smaller"
    return [f"it spent {spent} of a budget of {limit}: {why}"]


def open_ended(trial: Trial) -> list[str]:
    """Return what a budget cannot promise: tools whose longest answer nobody limits."""
    if trial.max_usd is None:
        return []
    names = [tool.name for tool in trial.tools.values() if not has_output_limit(tool)]
    return [
        f"{name} names no max_tokens: each call was reserved at {ASSUMED_OUTPUT_TOKENS:,} tokens of"
        " output, and a longer answer may pass the budget"
        for name in sorted(names)
    ]
