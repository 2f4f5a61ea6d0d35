"""What the answers of a race have cost, by tool.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearbar.trial.race.race_plan import Graded


@dataclass(slots=True)
class Tally:
    """The answers of one tool."""

    calls: int = 0
    spent_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0
    labels: int = 0

    def add(self, graded: Graded, *, again: bool) -> None:
        """Count an answer; `again`: only its grade is new."""
        self.labels += graded.labels
        if again or graded.absent:
            return
        if graded.bought:
            self.calls += 1
            self.spent_usd += graded.cost_usd or Decimal(0)
            self.unpriced_calls += graded.cost_usd is None


class Tallies:
    """The tallies of all tools, those without an answer too."""

    def __init__(self) -> None:
        self._of: defaultdict[str, Tally] = defaultdict(Tally)

    def __getitem__(self, tool: str) -> Tally:
        return self._of[tool]

    def add(self, tool: str, graded: Graded, *, again: bool) -> None:
        """Count an answer."""
        self._of[tool].add(graded, again=again)

    @property
    def calls(self) -> int:
        """Calls bought in this trial."""
        return sum(tally.calls for tally in self._of.values())

    @property
    def spent_usd(self) -> Decimal:
        """What the calls cost, as far as that is known."""
        return sum((tally.spent_usd for tally in self._of.values()), Decimal(0))
