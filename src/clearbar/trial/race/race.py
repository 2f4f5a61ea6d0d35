"""The search for the cheapest tool that clears the bar: cheapest first, stop at the first.

All candidates see the same cases in the same order. A tool that fails, or is too unlikely to clear,
leads on to the next; a tool dearer than one that has cleared is never asked. Each candidate has its
own share of the error rate (`RacePlan.alpha`), so the probability that any tool below the bar is
certified stays below the whole, whatever tools have in common.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from clearbar.trial.race.lane import Lane
from clearbar.trial.race.race_plan import Ask, Candidate, Graded, Parts, RacePlan
from clearbar.trial.race.race_prices import RacePrices
from clearbar.trial.race.tally import Tallies

if TYPE_CHECKING:
    from clearbar.trial.proof.sequential import Decision, SequentialTest

__all__ = ["Ask", "Candidate", "Graded", "Parts", "Race", "RacePlan"]


class Race:
    """What to ask next, and what follows from the answers: a pure function of them."""

    def __init__(self, plan: RacePlan) -> None:
        self.plan = plan
        self.tallies = Tallies()
        self.notes: dict[str, str] = {}
        self.lanes: dict[str, Lane] = {}
        """Of the candidates that have had their turn, in the order in which they were tried."""
        self.settled: dict[str, Decision] = {}
        """Candidates that are out without a turn, or by a stop."""
        self.answers: dict[tuple[str, int], Graded] = {}
        """(tool, index of the case) -> what was given."""
        self.prices = RacePrices(plan, self.lanes, self.answers)
        self._wanted: set[tuple[str, int]] = set()
        self._waiting = list(plan.tested)
        self._lane: Lane | None = None
        self._next_lane()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask."""
        return self._lane is None

    @property
    def current(self) -> str | None:
        """The candidate whose turn it is."""
        return None if self._lane is None else self._lane.candidate.name

    @property
    def test(self) -> SequentialTest | None:
        """The test of the current candidate: what is known of it so far."""
        return None if self._lane is None else self._lane.test

    @property
    def winner(self) -> str | None:
        """The cheapest candidate that has cleared the bar so far; None where none has.

        A cascade wins only below the price of any other that cleared, and below that of the tool
        in use where that is compared with.
        """
        best: tuple[Decimal, int, str] | None = None
        for place, lane in enumerate(self.lanes.values()):
            if lane.decided and lane.decided[0] == "clears" and self._may_win(lane):
                usd = self.prices.of(lane)
                key = (Decimal("Infinity") if usd is None else usd, place, lane.candidate.name)
                best = min(best, key) if best else key
        return best[2] if best else None

    def wanted(self, limit: int) -> list[Ask]:
        """Return at most `limit` asks that were not returned or given before, earliest case first.

        Empty when all that can be told is in flight, or the race is over.
        """
        found: list[Ask] = []
        lane = self._lane
        index = lane.at if lane else 0
        while lane and len(found) < limit and index < self.plan.cases:
            for tool in lane.look(index).ask:
                if (tool, index) not in self._wanted and len(found) < limit:
                    self._wanted.add((tool, index))
                    found.append(Ask(tool, index))
            index += 1
        return found

    def grades_wanted(self) -> list[Ask]:
        """Return the given answers whose scores the next case waits for.

        Two answers that are equal never need one. Give the answer again, with its score.
        """
        if self._lane is None or self._lane.at >= self.plan.cases:
            return []
        index = self._lane.at
        return [Ask(tool, index) for tool in self._lane.look(index).grade]

    def give(self, ask: Ask, graded: Graded) -> None:
        """Take an answer, in any order, wanted or not (one that was stored before).

        An answer given without a score may be given once more with it; costs and labels add up.

        Raises:
            ValueError: when the answer has been given already.
        """
        key = (ask.tool, ask.index)
        before = self.answers.get(key)
        if before is not None and (before.score is not None or before.failed or before.absent):
            raise ValueError("this answer has been given before")
        self._wanted.add(key)
        self.answers[key] = graded
        self.tallies.add(ask.tool, graded, again=before is not None)
        self._advance()

    def pass_over(self, ask: Ask) -> None:
        """Say that this tool has no answer to the case and will have none: it is left out."""
        self.give(ask, Graded(None, None, bought=False, absent=True))

    def stop(
        self, reason: Literal["budget", "broken"], tool: str | None = None, note: str = ""
    ) -> None:
        """End one tool's part in the race, or the whole race.

        With a tool go the cascades that it is a part of, and all that are compared with it.
        """
        decision: Decision = ("undecided", reason)
        for candidate in self.plan.tested:
            if tool is None or self.plan.depends(candidate, tool):
                self._stop(candidate, decision, note)
        if tool is not None and note:
            self.notes[tool] = note
        self._advance()

    def _stop(self, candidate: Candidate, decision: Decision, note: str) -> None:
        name = candidate.name
        lane = self.lanes.get(name)
        if lane is not None and lane.decided is None:
            lane.stop(decision)
        elif lane is None and name not in self.settled:
            self.settled[name] = decision
            self._waiting = [other for other in self._waiting if other.name != name]
        else:
            return
        if note:
            self.notes[name] = note

    def _advance(self) -> None:
        while self._lane is not None:
            self._lane.feed()
            if self._lane.decided is None:
                return
            self._next_lane()

    def _next_lane(self) -> None:
        self._lane = None
        while self._waiting and self._lane is None:
            candidate = self._waiting.pop(0)
            if self._is_dearer(candidate):
                self.settled[candidate.name] = ("undecided", "dearer")
                continue
            lane = Lane(self.plan, candidate, self.answers)
            self.lanes[candidate.name] = lane
            self._lane = lane if lane.decided is None else None

    def _is_dearer(self, candidate: Candidate) -> bool:
        """Say whether a cheaper candidate has cleared."""
        cleared = [
            lane
            for lane in self.lanes.values()
            if lane.decided and lane.decided[0] == "clears" and self._may_win(lane)
        ]
        return any(not self._may_undercut(candidate, lane) for lane in cleared)

    def _may_undercut(self, candidate: Candidate, cleared: Lane) -> bool:
        """Say whether a later one may be cheaper: only a cascade costs what it turns out to."""
        usd, found = candidate.expected_usd, self.prices.of(cleared)
        return (
            cleared.candidate.parts is not None
            and usd is not None
            and (found is None or usd < found)
        )

    def _may_win(self, lane: Lane) -> bool:
        if lane.candidate.parts is None or self.plan.against is None:
            return True
        usd, against = self.prices.of(lane), self.plan.against_usd
        return usd is not None and against is not None and usd < against
