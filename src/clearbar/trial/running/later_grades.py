"""Grades that are asked of a judge or a person only where the answers differ.

Of a relative bar, equal answers are a difference of zero, whatever either is worth. So a case is
graded once both answers are there and are not the same. Answers that wait for a person, as grader
or to correct a judge, end the run once nothing else is left to ask.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from clearbar.trial.race.race_plan import Ask, Graded
from clearbar.trial.running.asking import Got
from clearbar.trial.running.purchase import NoAnswer
from clearbar.trial.running.questions import needed_tools

if TYPE_CHECKING:
    from clearbar.trial.race.race import Race
    from clearbar.trial.running.asking import Asking

_LABELS_AHEAD: Final = 40
"""With so many answers waiting for a person, nothing more is asked."""


class LaterGrades:
    """Answers of one run that were given to the race without a score."""

    def __init__(self, race: Race, asking: Asking) -> None:
        self._race, self._asking = race, asking
        self._given: dict[Ask, str] = {}
        """Of all answers, the digest of their canonical form."""
        self._open: dict[Ask, Got] = {}
        self._tasks: dict[Ask, asyncio.Task[Got | NoAnswer]] = {}
        self._for_people: set[Ask] = set()

    @property
    def may_ask_on(self) -> bool:
        """Whether it makes sense to ask for further answers."""
        return len(self._for_people) < _LABELS_AHEAD

    def take(self, ask: Ask, got: Got) -> None:
        """Note an answer that was given; have it graded once that is needed."""
        self._given[ask] = got.graded.same_as
        if got.graded.score is None and not got.graded.failed:
            self._open[ask] = got
        for tool in needed_tools(self._race):
            self._begin_where_needed(Ask(tool, ask.index))

    def waiting(self) -> set[asyncio.Task[Got | NoAnswer]]:
        """Return the grades that are being asked for, and ask for those that the race waits for."""
        for ask in self._race.grades_wanted():
            self._begin(ask)
        return {task for task in self._tasks.values() if not task.done()}

    @property
    def wants_people(self) -> bool:
        """Whether answers wait for a person."""
        return bool(self._for_people)

    def give(self) -> tuple[int, NoAnswer | None]:
        """Give the race the grades that have come.

        Return how many answers could not be graded and count as the worst, and why one had to be
        asked for anew and cannot be had.

        Raises:
            Exception: what grading raised.
        """
        ungraded, stopped = 0, None
        for ask in [ask for ask, task in self._tasks.items() if task.done()]:
            said = self._tasks[ask].result()
            if isinstance(said, NoAnswer) and not said.by_judge:
                stopped = said
            elif isinstance(said, NoAnswer):
                if not self._holds(said):
                    continue
                said = Got(Graded(None, None, failed=True), ungraded=said.what)
            del self._tasks[ask]
            if isinstance(said, Got):
                ungraded += self._give(ask, said)
        return ungraded, stopped

    def _give(self, ask: Ask, got: Got) -> bool:
        if got.graded.score is None and not got.graded.failed:
            self._for_people.add(ask)
            return False
        del self._open[ask]
        self._race.give(ask, got.graded)
        return bool(got.ungraded)

    def _holds(self, said: NoAnswer) -> bool:
        """Return whether a missing verdict is the answer's own fault: the judge works."""
        works = self._asking.judge.answers > said.answers_before
        return works or all(task.done() for task in self._tasks.values())

    async def close(self) -> None:
        """End all that is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin_where_needed(self, ask: Ask) -> None:
        against = self._race.plan.against
        if ask not in self._open:
            return
        others = needed_tools(self._race) - {ask.tool} if ask.tool == against else {against}
        forms = [self._given.get(Ask(tool, ask.index)) for tool in others if tool is not None]
        if any(form is not None and form != self._given[ask] for form in forms) or not forms:
            self._begin(ask)

    def _begin(self, ask: Ask) -> None:
        if ask in self._open and ask not in self._tasks and ask not in self._for_people:
            self._tasks[ask] = asyncio.create_task(self._asking.graded(ask, self._open[ask]))
