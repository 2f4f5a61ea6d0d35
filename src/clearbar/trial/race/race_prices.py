"""What candidates cost a case in use, as far as a race has measured it.

Only answers count that a decision could rest on: those that were in flight beyond the last case
differ from run to run, and the same answers must give the same certificate.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from clearbar.trial.race.cascade import price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.trial.race.lane import Lane
    from clearbar.trial.race.race_plan import Graded, RacePlan


@dataclass(frozen=True, slots=True)
class RacePrices:
    """Prices by what a race holds now."""

    plan: RacePlan
    lanes: Mapping[str, Lane]
    answers: Mapping[tuple[str, int], Graded]
    """(tool, index of the case) -> what was given."""

    def measured_usd(self, tool: str) -> Decimal | None:
        """Return the mean price of a tool's answers whose price is known; None without one."""
        lanes = (each for each in self.lanes.values() if self.plan.depends(each.candidate, tool))
        reach = max((lane.reached for lane in lanes), default=0)
        answers = (self.answers.get((tool, index)) for index in range(reach))
        costs = [each.cost_usd for each in answers if each and each.cost_usd is not None]
        return sum(costs, Decimal(0)) / len(costs) if costs else None

    def of(self, lane: Lane) -> Decimal | None:
        """Return what a candidate costs a case in use.

        Of a tool, what was expected, else what was measured: the order of the race stands. Of a
        cascade, its parts' prices and the share of cases that its threshold accepts.
        """
        parts, accepted = lane.candidate.parts, lane.accepted()
        if parts is None:
            expected = lane.candidate.expected_usd
            return self.measured_usd(lane.candidate.name) if expected is None else expected
        if accepted is None:
            return None
        measured = [self.measured_usd(tool) for tool in parts.confidence_tools]
        known = [usd for usd in measured if usd is not None]
        first = sum(known, Decimal(0)) if len(known) == len(measured) else parts.first_usd
        then = self.measured_usd(parts.then)
        return price(first, parts.then_usd if then is None else then, accepted)
