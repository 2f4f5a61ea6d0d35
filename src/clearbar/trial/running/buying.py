"""Buys one answer: paced, within the budget, tried again where that may help, recorded throughout.

Each call is durable in the store before its request leaves, and ends there as an answer, a failure
or lost. What a call can cost at most is reserved before and settled after.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

from clearbar.core.errors import ClearbarError
from clearbar.core.money import usd
from clearbar.tools.address import provider_of
from clearbar.tools.tool import Answer, Failure, GpuPrice, NoPrice
from clearbar.trial.attempts import Attempt, AttemptEnd
from clearbar.trial.identity import answer_digest, asked_digest
from clearbar.trial.running.pace import Circuit, Pace, retry_wait_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from random import Random

    from clearbar.tools.tool import Request, Tool
    from clearbar.trial.attempts import AttemptKind
    from clearbar.trial.grading.grader import Asker
    from clearbar.trial.running.budget import Budget
    from clearbar.trial.running.ceiling import Pricing
    from clearbar.trial.running.evidence import Evidence

SELF_HOSTED: Final = "self-hosted"
"""Who bills where nobody does: tools with a cost of their own that name no provider."""
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Time:
    """Time as arguments: what the clock says, what has passed, how to wait, and chance."""

    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    rng: Random


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom, for which trial."""

    tool: Tool
    request: Request
    kind: AttemptKind
    workflow: str
    trial: str
    tool_digest: str
    prompt_digest: str
    case_digest: str

    @property
    def asked(self) -> str:
        """The key of its answer."""
        return asked_digest(self.tool_digest, self.prompt_digest, self.case_digest)


@dataclass(frozen=True, slots=True)
class Bought:
    """An answer that has arrived and is not yet recorded: whoever gets it records it."""

    answer: Answer
    end: AttemptEnd


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer, and why."""

    what: str
    refused: bool = False
    """Asking again could never help: its declaration or the environment has to be changed."""
    unaffordable: bool = False
    """The budget does not allow the call."""
    unpriced: bool = False
    """It never will, since nobody knows what the call costs."""
    final: bool = False
    """This trial had given it up before."""
    by_judge: bool = False
    """There is an answer, and no verdict on it."""
    answers_before: int = 0
    """`Circuit.answers` when this was said, of who failed: with more, it is known to work since."""


class Take(Protocol):
    """Records an answer, with what else becomes known in the same moment."""

    async def __call__(self, bought: Bought) -> None:
        """On return it is durable."""
        ...


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
        attempt = self._attempt(question, ceiling)
        cost: Decimal | None = None
        if task is not None:
            self.sending.add(task)
        try:
            await self._evidence.begin([attempt])
            said = await self._ask(question)
            end = self._end(attempt, question.tool, said)
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

    def _attempt(self, question: Question, ceiling: Decimal | None) -> Attempt:
        tool = question.tool
        return Attempt(
            uuid4().hex,
            question.asked,
            question.kind,
            question.workflow,
            question.trial,
            tool.name,
            biller_of(tool),
            tool.model or "",
            question.tool_digest,
            question.prompt_digest,
            question.case_digest,
            ceiling,
            self._time.now(),
        )

    def _end(self, attempt: Attempt, tool: Tool, said: Answer | Failure | NoAnswer) -> AttemptEnd:
        now, attempt_id = self._time.now(), attempt.attempt_id
        if isinstance(said, NoAnswer):  # nothing was sent
            return AttemptEnd(
                attempt_id, "failed", now, said.what, cost_usd=_NOTHING, cost_source="declared"
            )
        cost, source = self._pricing.cost(tool, said, attempt.started_at)
        if isinstance(said, Failure):
            return AttemptEnd(
                attempt_id,
                "failed",
                now,
                said.what,
                http_status=said.status,
                usage=said.usage,
                cost_usd=cost,
                cost_source=source,
                upstream_id=said.upstream_id,
                latency_ms=said.latency_ms,
            )
        return AttemptEnd(
            attempt_id,
            "answered",
            now,
            answer_digest=answer_digest(said.text),
            usage=said.usage,
            cost_usd=cost,
            cost_source=source,
            confidence=said.confidence,
            model=said.model,
            upstream_id=said.upstream_id,
            service_tier=said.service_tier,
            speed=said.speed,
            geo=said.geo,
            latency_ms=said.latency_ms,
        )

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


def biller_of(tool: Tool) -> str:
    """Return who bills, as a charge names it; what has a cost of its own bills itself."""
    if tool.provider is None and isinstance(tool.cost, NoPrice | GpuPrice):
        return SELF_HOSTED
    return provider_of(tool)


def _unaffordable(tool: Tool, ceiling: Decimal | None, budget: Budget) -> str:
    if ceiling is None:
        return f"the price of {tool.name} is not known, so it fits under no budget: declare one"
    left = max((budget.limit_usd or _NOTHING) - budget.spent_usd, _NOTHING)
    return f"a call of {tool.name} can cost {usd(ceiling)}, and {usd(left)} of the budget is left"
