"""Buys one answer: paced, within the budget, tried again where that may help, recorded throughout.

Each call is durable in the store before its request leaves, and ends there as an answer, a failure
or lost. What a call can cost at most is reserved before and settled after.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.core.money import usd
from clearbar.tools.tool import Answer, Failure
from clearbar.trial.running.call_record import begun, ended, never_sent
from clearbar.trial.running.pace import Circuit, Pace, retry_wait_s
from clearbar.trial.running.purchase import Bought, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.tool import Tool
    from clearbar.trial.attempts import Attempt, AttemptEnd
    from clearbar.trial.grading.grader import Asker
    from clearbar.trial.running.budget import Budget
    from clearbar.trial.running.ceiling import Pricing
    from clearbar.trial.running.evidence import Evidence
    from clearbar.trial.running.purchase import Question, Take, Time

_NOTHING: Final = Decimal(0)


@dataclass(slots=True)
class _Lane:
    """What calls of one tool share."""

    slots: asyncio.Semaphore
    pace: Pace
    circuit: Circuit = field(default_factory=Circuit)
    refused: NoAnswer | None = None
    """Why it can never be asked, once that is known."""
    dearest_usd: Decimal = _NOTHING
    """What a call has cost at most."""


class Buyer:
    """Buys answers for one run of a trial."""

    def __init__(
        self,
        asker: Asker,
        evidence: Evidence,
        pricing: Pricing,
        budget: Budget,
        concurrency: int,
        time: Time,
        dearest_usd: Mapping[str, Decimal] | None = None,
    ) -> None:
        """`dearest_usd` is what calls have cost at most in earlier runs, by tool."""
        self._dearest_usd = dearest_usd or {}
        self._asker = asker
        self._evidence = evidence
        self._pricing = pricing
        self.budget = budget
        self._slots = asyncio.Semaphore(concurrency)
        self._time = time
        self._lanes: dict[str, _Lane] = {}
        self._settled = asyncio.Event()
        self.sending: set[asyncio.Future[Any]] = set()
        """Tasks with a request under way: what they ask is paid for, so they are not cut off."""
        self._closing = False

    def close(self) -> None:
        """Begin no further call."""
        self._closing = True
        self._settled.set()

    def circuit(self, tool: Tool) -> Circuit:
        """Return how a tool has fared in this run."""
        return self._lane(tool).circuit

    def cost_usd(self, tool: Tool, answer: Answer) -> Decimal | None:
        """Return what an answer costs in use."""
        cost, _ = self._pricing.cost(tool, answer, self._time.now())
        return cost

    async def buy(self, question: Question, take: Take) -> Bought | NoAnswer:
        """Ask until an answer comes or there is no use in asking; `take` records the answer.

        A call that is tried again keeps its place among the tool's calls: of a tool that is down
        few cases are asked, all tries of each, and not all cases once.
        """
        lane = self._lane(question.tool)
        async with lane.slots:
            return await self._tried(question, lane, take)

    async def _tried(self, question: Question, lane: _Lane, take: Take) -> Bought | NoAnswer:
        failed = 0
        while True:
            said = await self._once(question, lane, take)
            if isinstance(said, Bought):
                lane.circuit.answered()
                return said
            if isinstance(said, NoAnswer):
                lane.refused = said if said.refused else lane.refused
                return said
            failed += 1
            wait_s = retry_wait_s(failed, said.retry_after_s, self._time.rng)
            if not said.retry or wait_s is None or self._closing:
                lane.circuit.failed(said.what)
                return NoAnswer(said.what, answers_before=lane.circuit.answers)
            if said.retry_after_s is not None:
                lane.pace.hold_s(self._time.monotonic_s() + said.retry_after_s)
            await self._time.sleep(wait_s)

    async def _once(
        self, question: Question, lane: _Lane, take: Take
    ) -> Bought | Failure | NoAnswer:
        if lane.refused is not None:
            return lane.refused
        if (wait_s := lane.pace.wait_s(self._time.monotonic_s())) > 0:
            await self._time.sleep(wait_s)
        async with self._slots:
            ceiling = self._ceiling(question, lane)
            if (refused := await self._reserve(question.tool, ceiling)) is not None:
                return refused
            return await self._call(question, ceiling, take)

    def _ceiling(self, question: Question, lane: _Lane) -> Decimal | None:
        """Return the most that a call can cost: as it has turned out, if settings are ignored."""
        known = self._pricing.ceiling(question.tool, question.request, self._time.now())
        return None if known is None else max(known, lane.dearest_usd)

    async def _reserve(self, tool: Tool, ceiling: Decimal | None) -> NoAnswer | None:
        """Wait until the budget allows the call; say so where it never will."""
        while not self._closing:
            if self.budget.reserve(ceiling):
                return None
            if not (self.budget.reserved_usd and self.budget.could_ever(ceiling)):
                what, unpriced = _unaffordable(tool, ceiling, self.budget), ceiling is None
                return NoAnswer(what, unaffordable=True, unpriced=unpriced)
            self._settled.clear()
            await self._settled.wait()
        return NoAnswer("the trial is over")

    async def _call(
        self, question: Question, ceiling: Decimal | None, take: Take
    ) -> Bought | Failure | NoAnswer:
        task = asyncio.current_task()
        attempt = begun(question, ceiling, self._time.now())
        cost: Decimal | None = None
        if task is not None:
            self.sending.add(task)
        try:
            await self._evidence.begin([attempt])
            said = await self._ask(question)
            end = self._ended(attempt, question.tool, said)
            cost = end.cost_usd
            lane = self._lane(question.tool)
            lane.dearest_usd = max(lane.dearest_usd, cost or _NOTHING)
            if isinstance(said, Answer):
                bought = Bought(said, end)
                await take(bought)
                return bought
            await self._evidence.end(end)
            return said
        finally:
            self.budget.settle(ceiling, cost)
            self._settled.set()
            if task is not None:
                self.sending.discard(task)

    async def _ask(self, question: Question) -> Answer | Failure | NoAnswer:
        try:
            return await self._asker.ask(question.tool, question.request)
        except ClearbarError as error:
            what = f"{error.message} ({error.hint})" if error.hint else error.message
            return NoAnswer(what, refused=True)

    def _ended(self, attempt: Attempt, tool: Tool, said: Answer | Failure | NoAnswer) -> AttemptEnd:
        now = self._time.now()
        if isinstance(said, NoAnswer):
            return never_sent(attempt, said, now)
        return ended(attempt, said, now, self._pricing.cost(tool, said, attempt.started_at))

    def _lane(self, tool: Tool) -> _Lane:
        lane = self._lanes.get(tool.name)
        if lane is None:
            lane = _Lane(
                asyncio.Semaphore(tool.concurrency),
                Pace(tool.requests_per_minute),
                dearest_usd=self._dearest_usd.get(tool.name, _NOTHING),
            )
            self._lanes[tool.name] = lane
        return lane


def _unaffordable(tool: Tool, ceiling: Decimal | None, budget: Budget) -> str:
    if ceiling is None:
        return f"the price of {tool.name} is not known, so it fits under no budget: declare one"
    left = max((budget.limit_usd or _NOTHING) - budget.spent_usd, _NOTHING)
    return f"a call of {tool.name} can cost {usd(ceiling)}, and {usd(left)} of the budget is left"
