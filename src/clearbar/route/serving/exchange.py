"""One request of a client, from its first byte to its last: identify, admit, hold, ask, answer.

It is a chain of callbacks and not a task, because most requests wait only for their endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.budgets.allowance import BudgetStoreError, Short
from clearbar.route.route import Refusal
from clearbar.route.serving import refusals
from clearbar.route.serving.answering import Answering
from clearbar.route.serving.call import Call, passes_credentials
from clearbar.route.serving.cascade import ask_first
from clearbar.route.serving.costing import FIRST_WITHOUT_ANSWER
from clearbar.route.serving.lane import our_headers, remember_lane
from clearbar.route.serving.listing import listing
from clearbar.route.serving.local import ask_here
from clearbar.route.serving.making import made_by, refused_use, remember
from clearbar.route.serving.offering import offer, wants_shadow
from clearbar.route.serving.refusing import JSON, refusal_for, refuse
from clearbar.route.serving.retrying import failed_by, failed_with, wait_s
from clearbar.route.serving.understanding import Known, understand
from clearbar.route.serving.whole import claim_for
from clearbar.route.wire.operation import operation_of
from clearbar.route.wire.refusing import error_event

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Collection, Coroutine
    from typing import Any

    from clearbar.route.admit import Admitted, Step
    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.http.message import Reply, Request
    from clearbar.route.http.upstream import Broken
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim, Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.route.serving.retrying import Failed
    from clearbar.route.serving.whole import WholeAnswer
    from clearbar.tools.tool import Tool


class Exchange:
    """One request in flight."""

    __slots__ = (
        "_admitted", "_answering", "_attempt", "_call", "_failed", "_inquiry", "_means",
        "_operation", "_reply", "_request", "_shadowed", "_step", "_tries", "_waiting",
        "request_id",
    )  # fmt: skip

    def __init__(self, means: Means, request: Request, reply: Reply) -> None:
        self._means = means
        self._request = request
        self._reply = reply
        self._inquiry: Inquiry
        self._admitted: Admitted
        self._call: Call | None = None
        self._answering: Answering | None = None
        self._failed: Failed | None = None
        self._waiting: Task[None] | None = None
        self._step = 0
        self._attempt = 0
        """Calls so far."""
        self._tries = 0
        """Calls so far of the tool in turn."""
        self.request_id = ""

    def begin(self, known: Known | None = None) -> None:
        """Identify, admit, and ask the first tool, or refuse; `known` is not found out again."""
        means, request = self._means, self._request
        now_us = means.now_us()
        self.request_id = means.ids.next(now_us)
        self._operation = operation_of(request.method, request.path, request.headers)
        known = known or Known(None, means.draw(), None)
        found = understand(means, request, self._operation, self.request_id, now_us, known)
        if isinstance(found, Refusal):
            self._refuse(found)
            return
        self._inquiry, self._admitted = found
        self._shadowed = wants_shadow(means, self._admitted, known.shadow_draw)
        means.exchanges.add(self)
        self._reply.on_gone = self.leave
        self._reply.on_drained = self._drained
        if self._inquiry.use.named:
            self._begin(self._look_up())
        else:
            self._try(self._next if self._admitted.steps else self._list_models)

    async def _look_up(self) -> None:
        """Go on where the workflow made the objects that the request names."""
        refusal = await refused_use(self._means, self._inquiry)
        self._next() if refusal is None else self._refuse(refusal)

    def take_over(
        self, inquiry: Inquiry, admitted: Admitted, call: Call, answering: Answering | None
    ) -> None:
        """Go on where the straight way of `Plain` ends: with the first call of the first tool."""
        self._answering = answering
        self._operation, self.request_id = inquiry.operation, inquiry.request_id
        self._inquiry, self._admitted, self._call = inquiry, admitted, call
        self._shadowed = False
        self._attempt = self._tries = 1
        self._means.exchanges.add(self)
        self._reply.on_gone = self.leave
        self._reply.on_drained = self._drained

    def fail(self, error: Exception) -> None:
        """End this request, and no other, for a fault of our own."""
        self._means.report(error)
        self._failed_inside(error)

    def _list_models(self) -> None:
        """Answer for the upstreams, which are none: with the tools that may be named."""
        body = listing(self._operation.protocol, self._admitted.route, self._inquiry.force.table)
        self._reply.send(200, [JSON], body)
        self._leave()

    def _next(self) -> None:
        """Ask the tool in turn, or the next one that can be asked; refuse where none is left."""
        means, steps = self._means, self._admitted.steps
        if not means.journal.has_room:
            self._refuse(refusals.no_journal())
            return
        now = means.loop.time()
        while self._step < len(steps):
            step = steps[self._step]
            tool = self._inquiry.force.table.tools[step.tool]
            if step.arm == "first":
                self._begin(self._ask_first())
                return
            if tool.name not in self._inquiry.force.endpoints:
                self._begin(self._ask_here(tool, step))
                return
            if means.breakers.lets(tool.name, now):
                self._hold(tool, step)
                return
            self._turn()
        self._refuse(refusals.not_available(self._admitted, means.breakers, now))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something in a task, which ends when the client goes."""
        self._waiting = self._means.begin(work, self._failed_inside)

    def _failed_inside(self, error: BaseException) -> None:
        """Answer though what was waited for has failed: nobody waits for ever."""
        try:
            if self._call is not None:
                self._call.cancel()
            self._refuse(refusal_for(self._means, error))
        except Exception:  # noqa: BLE001 - it has begun to answer, or nothing can be written down
            self._reply.cut()
            self._leave()

    def _try(self, work: Callable[..., None], *given: object) -> None:
        """Do something; where it fails, this request ends, and no other."""
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self.fail(error)

    def _turn(self) -> None:
        """Turn to the next tool of the route."""
        self._step += 1
        self._tries = 0

    def _hold(self, tool: Tool, step: Step) -> None:
        """Hold the money of a call, then make it."""
        means, inquiry = self._means, self._inquiry
        endpoint = inquiry.force.endpoints[tool.name]
        if endpoint.missing_key and not passes_credentials(inquiry, tool):
            self._refuse(refusals.no_upstream_key(tool.name, endpoint.missing_key))
            return
        claim = claim_for(inquiry, tool, step.arm)
        if not inquiry.accounts or not claim.wanted_nusd:
            self._send(tool, step, claim, None)
            return
        found = means.allowance.try_hold(
            inquiry.accounts, claim.wanted_nusd, claim.least_nusd, begun=inquiry.begun
        )
        if found is None:
            self._begin(self._hold_later(tool, step, claim))
        elif isinstance(found, Short):
            self._short(found, tool, step, claim)
        else:
            self._send(tool, step, claim, found)

    async def _hold_later(self, tool: Tool, step: Step, claim: Claim) -> None:
        inquiry, allowance = self._inquiry, self._means.allowance
        try:
            found = await allowance.hold(
                inquiry.accounts, claim.wanted_nusd, claim.least_nusd, begun=inquiry.begun
            )
        except BudgetStoreError as error:
            if inquiry.enforced:
                raise
            self._means.note("budget_store", self._means.worker, error.message)
            found = allowance.overdraw(inquiry.accounts)
        if isinstance(found, Short):
            self._short(found, tool, step, claim)
        else:
            self._send(tool, step, claim, found)

    def _short(self, short: Short, tool: Tool, step: Step, claim: Claim) -> None:
        """Refuse for want of money; a route that only advises lets it pass, and counts it."""
        if self._inquiry.enforced:
            self._refuse(refusals.over_budget(short, self._admitted.route))
            return
        means = self._means
        means.note("would_refuse", short.account.id, self._admitted.route.workflow)
        self._send(tool, step, claim, means.allowance.overdraw(self._inquiry.accounts))

    def _send(self, tool: Tool, step: Step, claim: Claim, holding: Holding | None) -> None:
        self._attempt += 1
        self._tries += 1
        means = self._means
        self._call = Call(means, self._inquiry, tool, step.arm, self._attempt, self)
        self._call.start(self._inquiry.force.endpoints[tool.name], claim, holding)
        if self._attempt == 1:
            remember_lane(self._inquiry, self._admitted)

    def on_head(self, call: Call, status: int, headers: Headers) -> None:
        """Begin to answer; an error is kept back until it is sure that it is the answer."""
        if status >= FIRST_WITHOUT_ANSWER:
            self._failed = failed_with(status, headers, self._means.now_us())
        copied = self._shadowed or self._admitted.route.capture is not None
        ours = self._our_headers(call.tool.name)
        self._answering = Answering(
            self._means, self._reply, status, headers, ours, copied=copied and not self._failed
        )
        if self._failed and (asked := self._inquiry.force.endpoints.get(call.tool.name)):
            self._answering.hidden = asked.key
        if self._answering.flows:
            call.let_flow(self._reply)

    def on_body(self, call: Call, piece: bytes) -> None:
        """Pass a piece on, as fast as the client reads."""
        answering, reply = self._answering, self._reply
        if answering is None:
            return
        if answering.flows:
            reply.write(piece)
        else:
            answering.take(piece)
        if reply.full:
            call.pause()

    def on_end(self, call: Call, rest: bytes) -> None:
        """Settle the call; answer, or try again."""
        self._try(self._end, call, rest)

    def _end(self, call: Call, rest: bytes) -> None:
        failed, answering = self._failed, self._answering
        self._failed = None
        if failed is None:
            position = call.end("ok")
            self._means.worked(call.tool.name)
        else:
            position = call.end("error", f"HTTP {call.status}")
            self._means.failed(call.tool.name, failed)
            if answering is not None and not answering.started and self._again(failed):
                return
        if answering is None:
            self._leave()
        elif not failed and (made := made_by(self._inquiry, call, answering, rest)):
            self._begin(self._finish_made(made, call.tool.name, answering, rest, position))
        else:
            self._finish("" if failed else call.tool.name, answering, rest, position)

    async def _finish_made(self, made: Collection[str], *of: Any) -> None:
        """End an answer once the store knows whose the objects are that it made."""
        await remember(self._means, self._inquiry, made)
        self._finish(*of)

    def _finish(self, tool: str, answering: Answering, rest: bytes, position: int) -> None:
        """End an answer; what a tool has answered is offered to those who look on."""
        answering.finish(rest, position, self._lost)
        if tool:
            offer(self._means, self._inquiry, self._admitted, tool, answering, self._shadowed)
        self._leave()

    def _lost(self) -> None:
        """End a reply whose charge cannot be put on the disk: it must not seem whole."""
        if self._answering is not None and self._answering.started:
            self._reply.cut()
        else:
            self._refuse(refusals.no_journal())

    def on_broken(self, call: Call, broken: Broken) -> None:
        """Settle the call; try again where the client has seen nothing, else break off."""
        self._try(self._break, call, broken)

    def _break(self, call: Call, broken: Broken) -> None:
        answering, self._answering = self._answering, None
        call.end("cut" if broken.sent else "unsent", broken.what)
        failed = failed_by(broken)
        self._failed = None
        self._means.failed(call.tool.name, failed)
        if answering is not None and answering.started:
            refusal = refusals.broken_off(call.tool.name, broken)
            answering.cut(error_event(self._operation.protocol, refusal, self.request_id))
            self._leave()
        elif not self._again(failed):
            self._refuse(refusals.no_answer(call.tool.name, broken))

    def _again(self, failed: Failed) -> bool:
        """Ask once more, this tool or the next; False where there is nobody to ask."""
        means, steps = self._means, self._admitted.steps
        more = self._step + 1 < len(steps)
        again = failed.retry and self._tries <= self._inquiry.force.table.settings.retries
        if again and not (more and failed.wait_s is not None):
            pause = wait_s(failed, self._tries, means.draw())
            means.loop.call_later(pause, self._retry)
        elif more and failed.elsewhere:
            self._turn()
            self._next()
        else:
            return False
        return True

    def _retry(self) -> None:
        if self._reply.gone:
            self._leave()
        else:
            self._try(self._next)

    async def _ask_here(self, tool: Tool, step: Step) -> None:
        """Answer from this process."""
        self._attempt += 1
        found = await ask_here(self._means, self._inquiry, tool, step.arm, self._attempt)
        if found.text is not None:
            self._deliver(found)
        elif self._step + 1 < len(self._admitted.steps):
            self._turn()
            self._next()
        else:
            self._refuse(refusals.tool_failed(tool.name, found.what))

    async def _ask_first(self) -> None:
        """Ask the cheap steps of a cascade; the last one is asked where they are not sure."""
        steps, cascade = self._admitted.steps, self._admitted.route.cascade
        cheap = tuple(step for step in steps if step.arm in ("first", "agree"))
        threshold = 1.0 if cascade is None else cascade.threshold
        found, stands = await ask_first(self._means, self._inquiry, cheap, threshold)
        self._attempt = len(cheap)
        if stands:
            self._deliver(found)
        else:
            self._step = len(cheap)
            self._next()

    def _deliver(self, found: WholeAnswer) -> None:
        """Send a whole answer that is here already."""
        ours = self._our_headers(found.tool)
        copied = self._shadowed or self._admitted.route.capture is not None
        answering = Answering(
            self._means, self._reply, found.status, found.headers, ours, copied=copied
        )
        answering.take(found.body)
        self._finish(found.tool, answering, b"", found.position)

    def _our_headers(self, tool: str) -> Headers:
        """Return the headers that say what was done with the request."""
        ours = our_headers(self._inquiry.caller.workflow, tool, self._admitted.advice)
        return [*ours, (b"x-clearbar-request-id", self.request_id.encode())]

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in the protocol's own error shape, and write it into the journal."""
        inquiry: Inquiry | None = getattr(self, "_inquiry", None)
        caller = None if inquiry is None else inquiry.caller
        refuse(self._means, self._reply, self._operation, caller, self.request_id, refusal)
        self._leave()

    def leave(self) -> None:
        """Break the call off, as the client has left, and settle what it used."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._call is not None:
            self._call.cancel()
        self._leave()

    def break_off(self) -> None:
        """End it now: the gateway itself has to end."""
        self.leave()
        self._reply.cut()

    def _drained(self) -> None:
        if self._call is not None:
            self._call.resume()

    def _leave(self) -> None:
        self._call = None  # which knows its owner: nothing is to wait for the garbage collector
        self._reply.on_gone = self._reply.on_full = self._reply.on_drained = None
        self._means.exchanges.discard(self)
