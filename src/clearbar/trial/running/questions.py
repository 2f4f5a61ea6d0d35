"""The open questions of a race, in the order in which they were asked.

Answers are given in that order, and at most a fixed number of questions is open at a time. Then
what the race is given does not depend on who answers first. A candidate that is decided leaves
questions behind: those whose request is under way go on, since they are paid for, and are kept for
a later candidate that may ask the same; the others are called back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from clearbar.trial.running.pace import BROKEN_AFTER
from clearbar.trial.running.purchase import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.trial.race.race import Race
    from clearbar.trial.race.race_plan import Ask
    from clearbar.trial.running.asking import Asking, Got
    from clearbar.trial.running.buying import Buyer

_TOOLS_AT_ONCE: Final = 8
"""So many tools may be asked for one candidate, and still each shows whether it is broken."""


Answering: TypeAlias = "asyncio.Future[Got | NoAnswer]"
"""A task, or an answer that was known before."""


@dataclass(slots=True)
class Turn:
    """A question and what answers it."""

    ask: Ask
    task: Answering | None = None
    """None while nobody does."""

    @property
    def done(self) -> bool:
        """Whether its answer is there."""
        return self.task is not None and self.task.done()


class Questions:
    """The questions of one run."""

    def __init__(self, race: Race, asking: Asking, buyer: Buyer, concurrency: int) -> None:
        self._race, self._asking, self._buyer = race, asking, buyer
        self._most = max(2 * concurrency, _TOOLS_AT_ONCE * BROKEN_AFTER)
        self._open: deque[Turn] = deque()
        self._parked: dict[Ask, Answering | None] = {}
        self._dropped: list[Answering] = []
        self._gone: list[Answering] = []
        """Called back: they end by themselves."""

    def fill(self) -> None:
        """Open as many questions as may be open."""
        needed = needed_tools(self._race)
        back = [ask for ask in self._parked if ask.tool in needed]
        for ask in sorted(back, key=lambda each: each.index)[: self._most - len(self._open)]:
            self._begin(ask, self._parked.pop(ask))
        while len(self._open) < self._most:
            asks = self._race.wanted(self._most - len(self._open))
            if not asks:
                return
            for ask in asks:
                self._begin(ask, None)

    @property
    def head(self) -> Turn | None:
        """The question whose answer is due."""
        return self._open[0] if self._open else None

    def pop(self) -> None:
        """Take the head away: its answer was given."""
        self._open.popleft()

    def start(self) -> None:
        """Have every open question answered. Known answers are given before that is needed."""
        for turn in self._open:
            if turn.task is None:
                turn.task = asyncio.create_task(self._asking.answer(turn.ask))

    def park(self) -> None:
        """Put aside what the candidate whose turn it is does not ask."""
        needed = needed_tools(self._race)
        for turn in self._open:
            if turn.ask.tool not in needed:
                self._parked[turn.ask] = self._called_back(turn)
        self._open = deque(turn for turn in self._open if turn.ask.tool in needed)

    def drop(self, tool: str) -> None:
        """Call back all questions to a tool: it is asked no more."""
        for turn in self._open:
            if turn.ask.tool == tool and (task := self._called_back(turn)) is not None:
                self._dropped.append(task)
        self._open = deque(turn for turn in self._open if turn.ask.tool != tool)

    def may_still_answer(self, tool: str) -> bool:
        """Return whether an open question to a tool has no answer yet."""
        return any(turn.ask.tool == tool and not turn.done for turn in self._open)

    @property
    def ungraded(self) -> list[str]:
        """Return why the open questions whose answers are there could not be graded."""
        said = [turn.task.result() for turn in self._open if turn.task is not None and turn.done]
        gots = (each for each in said if not isinstance(each, NoAnswer))
        return [each.ungraded for each in gots if each.ungraded and not each.passed_over]

    def waiting(self) -> set[Answering]:
        """Return the open questions without an answer.

        Raises:
            Exception: what answering one of them raised.
        """
        started = [turn.task for turn in self._open if turn.task is not None]
        for task in started:
            if task.done() and (error := task.exception()) is not None:
                raise error
        return {task for task in started if not task.done()}

    async def close(self, grace_s: float) -> None:
        """End all: requests that are under way get some time, since they are paid for."""
        self._buyer.close()
        tasks = {task for task in self._tasks() if not task.done()}
        for task in tasks - self._buyer.sending:
            task.cancel()
        under_way = tasks & self._buyer.sending
        if under_way and grace_s:
            await asyncio.wait(under_way, timeout=grace_s)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*self._tasks(), return_exceptions=True)

    def _tasks(self) -> Iterator[Answering]:
        yield from (turn.task for turn in self._open if turn.task is not None)
        yield from (*self._dropped, *self._gone)
        yield from (task for task in self._parked.values() if task is not None)

    def _begin(self, ask: Ask, task: Answering | None) -> None:
        if task is None and (known := self._asking.known(ask)) is not None:
            task = asyncio.get_running_loop().create_future()
            task.set_result(known)
        self._open.append(Turn(ask, task))

    def _called_back(self, turn: Turn) -> Answering | None:
        """Return what goes on answering a question, since it is paid for; None for nothing."""
        if turn.task is None or turn.task.done() or turn.task in self._buyer.sending:
            return turn.task
        turn.task.cancel()
        self._gone.append(turn.task)
        return None


def needed_tools(race: Race) -> set[str]:
    """Return the tools that the candidate asks whose turn it is."""
    if race.current is None:
        return set()
    candidate = race.lanes[race.current].candidate
    needed = {candidate.name}
    if candidate.parts is not None:
        needed = {*candidate.parts.confidence_tools, candidate.parts.then}
    return needed if race.plan.against is None else {*needed, race.plan.against}
