"""A kill rule: the condition, agreed beforehand, under which a workflow ends.

`usd_per_good > 0.30 for 28d`: a condition over the facts below, and the days over which they are
measured as a whole. It cannot hold for a workflow that is not yet known for that long.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.core.errors import ClearbarError
from clearbar.core.period import parse_days
from clearbar.gate.condition import Condition, read_condition

if TYPE_CHECKING:
    from collections.abc import Mapping


class KillFact(NamedTuple):
    """A fact that a kill rule may name."""

    unit: str
    meaning: str


FACTS: Final[Mapping[str, KillFact]] = MappingProxyType(
    {
        "known_days": KillFact("days", "Days since the first charge of the workflow."),
        "calls": KillFact("calls", "Calls made."),
        "tokens": KillFact("tokens", "All tokens, cached ones included."),
        "tokens_per_call": KillFact("tokens", "Tokens divided by calls."),
        "cost_usd": KillFact("US dollars", "Cost of the calls whose cost is known."),
        "share_unpriced": KillFact("share", "Share of the calls whose cost is not known."),
        "usd_per_call": KillFact("US dollars", "Cost divided by calls."),
        "outcomes": KillFact("outcomes", "Outcomes recorded, good or not."),
        "good": KillFact("outcomes", "Sum of the scores: a half-good outcome counts half."),
        "mean_score": KillFact("score, 0 to 1", "Good divided by outcomes."),
        "usd_per_outcome": KillFact("US dollars", "Cost divided by outcomes."),
        "usd_per_good": KillFact(
            "US dollars",
            "Cost divided by good; without end where all failed, unknown without outcomes.",
        ),
        "worth_usd": KillFact("US dollars", "Worth of the outcomes."),
        "return_usd": KillFact("US dollars", "Worth minus cost."),
    }
)
"""What a kill rule may name, each measured over the rule's own window."""


@dataclass(frozen=True, slots=True)
class KillRule:
    """A condition over facts that are measured over the last `window_days` as a whole."""

    text: str
    condition: Condition
    window_days: int

    @property
    def names(self) -> frozenset[str]:
        """The facts that the condition names."""
        return self.condition.names

    def holds(self, facts: Mapping[str, float | None]) -> bool | None:
        """Return whether it holds; None when a fact that it needs is unknown, which never kills.

        `facts` are measured over the rule's window. `known_days` has to be among them: a workflow
        that is known for a shorter time than the window cannot be judged, so the answer is None.
        """
        known_days = facts.get("known_days")
        if known_days is None or known_days < self.window_days:
            return None
        return self.condition.holds(facts)

    def __str__(self) -> str:
        return self.text


def parse_kill_rule(text: str) -> KillRule:
    """Return the kill rule that `text` writes, such as `usd_per_good > 0.30 for 28d`.

    Raises:
        ClearbarError: when it writes none; the message says the column, the hint marks it.
    """
    text = " ".join(text.split())
    condition, separator, duration = text.rpartition(" for ")
    if not separator:
        raise ClearbarError(f'"{text}" says no duration', 'end it with one, such as "for 28d"')
    return KillRule(text, read_condition(condition, FACTS), parse_days(duration))
