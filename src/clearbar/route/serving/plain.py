"""The straight way of a request: a lane that is known, one call, one whole answer.

It does what `Exchange` and `Call` do, and nothing else, for a request whose way is known before it
is read. At the first thing that is out of the ordinary it hands over to them, in the state in which
they would be: they retry, fall back, refuse, stream and break off, and alone know how. Until its
line is in the journal nothing has happened, and the ordinary way begins from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.budgets.allowance import Holding
from clearbar.route.http.repeated_reply import ReplyHeaders
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.serving.call import Call
from clearbar.route.serving.costing import MOST_COST_NUSD
from clearbar.route.serving.exchange import Exchange
from clearbar.route.serving.headers import header, reply_headers
from clearbar.route.serving.inquiry import Inquiry, as_sent, claim_of
from clearbar.route.serving.known_head import KnownHead
from clearbar.route.serving.refusals import no_journal
from clearbar.route.serving.refusing import refuse
from clearbar.route.serving.understanding import Known
from clearbar.route.wire.metering import whole_metered
from clearbar.route.wire.reading import BadBody, read_body
from clearbar.route.wire.rewriting import rewrite
from clearbar.route.wire.stored import is_plain, keeps_answer

if TYPE_CHECKING:
    from clearbar.route.http.message import Reply, Request
    from clearbar.route.http.upstream import Asking, Broken
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim
    from clearbar.route.serving.lane import Lane
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.reading import Asked

_OK: Final = 200
_ON_THE_LANE: Final = 1.0
"""A draw by which nothing happens: shares are at most one, and draws below it."""


def serve(means: Means, request: Request, reply: Reply) -> None:
    """Serve a request: on the straight way where it has one, else on the ordinary one."""
    memory = request.memory
    head = None if memory is None else memory.known
    if not isinstance(head, KnownHead) or not head.lanes or not head.is_of(means.in_force):
        Exchange(means, request, reply).begin()
        return
    try:
        asked = read_body(head.operation, request.body)
    except BadBody:
        Exchange(means, request, reply).begin()  # which says why
        return
    lane = head.lanes.get(asked.model)
    if not is_plain(head.operation.name, asked, request.body):
        lane = None  # what it does with objects at the provider is looked at
    if lane is None or asked.metadata or asked.user:
        Exchange(means, request, reply).begin(Known(asked, means.draw(), None))
    elif lane.by_chance and (known := _strayed(means, lane, asked)) is not None:
        Exchange(means, request, reply).begin(known)
    elif not Plain(means, request, reply, lane, asked).begin():
        # Chance has spoken already: on this lane, and unseen by any shadow.
        Exchange(means, request, reply).begin(Known(asked, _ON_THE_LANE, _ON_THE_LANE))


def _strayed(means: Means, lane: Lane, asked: Asked) -> Known | None:
    """Return how a request is to go that chance takes off its lane; None for one that stays."""
    arm_draw, shadow_draw = means.draw(), means.draw()
    route = lane.admitted.route
    shadowed = means.shadow is not None and bool(lane.admitted.shadow)
    if arm_draw < lane.holdout_share:
        return Known(asked, arm_draw, shadow_draw)
    if shadowed and means.shadow is not None and means.shadow.wants(route, shadow_draw):
        return Known(asked, arm_draw, shadow_draw)
    return None


class Plain:
    """One request in flight on the straight way; it hears of the answer itself."""

    __slots__ = (
        "_asked",
        "_asking",
        "_at_us",
        "_body",
        "_claim",
        "_first_s",
        "_headers",
        "_held",
        "_holding",
        "_lane",
        "_means",
        "_reply",
        "_request",
        "_started_s",
        "_status",
        "call_id",
        "request_id",
        "trace_id",
    )

    def __init__(
        self, means: Means, request: Request, reply: Reply, lane: Lane, asked: Asked
    ) -> None:
        self._means = means
        self._request = request
        self._reply = reply
        self._lane = lane
        self._asked = asked
        self._claim: Claim
        self._holding: Holding | None
        self._held: bytes
        self._asking: Asking | None = None
        self._headers: Headers
        self._status = 0
        self._body = b""

    def begin(self) -> bool:
        """Hold, write it down, ask; False, and nothing done, where the ordinary way has to."""
        means, lane, asked = self._means, self._lane, self._asked
        started_s = means.loop.time()
        if not means.journal.has_room or not means.breakers.is_closed(lane.tool.name):
            return False
        force, at_us = lane.force, means.now_us()
        sent = as_sent(lane.operation, asked, lane.settings) if lane.settings else asked
        claim = claim_of(lane.operation, sent, lane.prices, force.table.settings)
        accounts = lane.accounts_at(at_us)
        holding = None
        if accounts and claim.wanted_nusd:
            begun = lane.belongs_to_work and means.allowance.has_begun(lane.caller)
            found = means.allowance.try_hold(
                accounts, claim.wanted_nusd, claim.least_nusd, begun=begun
            )
            if not isinstance(found, Holding):
                return False
            holding = found
        self._at_us, self._started_s = at_us, started_s
        self._claim, self._holding = claim, holding
        try:
            body = self._sent_body(asked, claim, holding)
            span_id = self._write(at_us)
        except Exception:  # noqa: BLE001 - the ordinary way meets it too, and says so
            if holding is not None:
                means.allowance.release(holding)
            return False
        self._ask(body, span_id)
        return True

    def _sent_body(self, asked: Asked, claim: Claim, holding: Holding | None) -> bytes:
        lane = self._lane
        most = None
        if holding is not None and lane.enforced:
            most = claim.limit_within(holding.amount_nusd)
        return rewrite(
            lane.operation,
            self._request.body,
            asked,
            model=lane.renamed,
            max_tokens=most,
            ask_usage=asked.stream and not asked.wants_usage,
            settings=lane.settings,
        )

    def _write(self, at_us: int) -> str:
        """Write the beginning of the call into the journal; return its span."""
        means, lane, claim, holding = self._means, self._lane, self._claim, self._holding
        ids = means.ids
        self.request_id = ids.next(at_us)
        self.call_id = call_id = ids.next(at_us)
        self.trace_id, span_id = ids.trace_and_span()
        self._held = held = lane.held_line(
            call_id,
            at_us,
            self.request_id,
            self.trace_id,
            span_id,
            self._asked.stream,
            None if holding is None else holding.amount_nusd,
            claim.input_tokens,
            claim.output_tokens,
            means.worker if holding is None else holding.worker,
        )
        means.journal.append_begun(held)
        return span_id

    def _ask(self, body: bytes, span_id: str) -> None:
        means, lane, reply = self._means, self._lane, self._reply
        means.exchanges.add(self)
        reply.on_gone = self._gone
        before, behind = lane.head
        trace = f"{self.trace_id}-{span_id}".encode()
        head = b"%b%b%b%d\r\n\r\n" % (before, trace, behind, len(body))
        try:
            if lane.belongs_to_work:
                means.allowance.mark_begun(lane.caller)
            self._asking = means.upstreams.ask(
                lane.endpoint.origin, head, body, self, lane.patience
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            exchange, call = self._hand_over()
            call.undo()
            exchange.fail(error)

    # Heard from the endpoint.

    def on_head(self, status: int, headers: Headers) -> None:
        """Hear from the endpoint."""
        kind = header(headers, b"content-type") if status == _OK else b""
        if kind.startswith(b"application/json") and not self._asked.stream:
            self._first_s = self._means.loop.time()
            self._headers, self._status = headers, status
        else:
            self._hand_over()[1].on_head(status, headers)

    def on_body(self, piece: bytes) -> None:
        """Hear from the endpoint: all of it, or the ordinary way goes on with the pieces."""
        if self._asking is not None and self._asking.whole:
            self._body = piece
        else:
            self._told_call().on_body(piece)

    def on_end(self) -> None:
        """Hear from the endpoint: settle, write it down, and answer when that is durable."""
        means, lane, reply = self._means, self._lane, self._reply
        try:
            ended = self._ended()
            position = None if ended is None else means.journal.append(ended)
        except Exception:  # noqa: BLE001 - the ordinary way meets it too, and says so
            ended = position = None
        if ended is None or position is None:
            call = self._told_call()
            if self._body:
                call.on_body(self._body)
            call.on_end()
            return
        if self._holding is not None:
            means.allowance.settle(self._holding, ended.cost_nusd)
        means.worked(lane.tool.name)
        if lane.keeps_answers and ended.upstream_id:
            self._note_kept(ended.upstream_id)
        reply.on_gone = None
        means.exchanges.discard(self)
        means.journal.when_durable(position, self._send, self._lost)

    def _note_kept(self, answer_id: str) -> None:
        """Note whose an answer is that the provider keeps."""
        owners, lane = self._means.owners, self._lane
        if owners is not None and keeps_answer(lane.operation.name, self._asked):
            workflow, protocol = lane.caller.workflow, lane.operation.protocol
            owners.note_answer(workflow, protocol, answer_id, self._at_us)

    def on_broken(self, broken: Broken) -> None:
        """Hear from the transport."""
        call = self._told_call() if self._status else self._hand_over()[1]
        call.on_broken(broken)

    def _ended(self) -> Ended | None:
        """Return the line of the end; None where it is not the usual one: reported and priced."""
        lane, claim, body = self._lane, self._claim, self._body
        metered = whole_metered(lane.operation, body)
        usage, prices = metered.usage, claim.prices
        if usage is None or metered.failed or prices is None:
            return None
        if metered.model and metered.model != lane.model:
            prices = lane.force.prices.for_tool(lane.tool, metered.model, lane.model)
        tier, speed, geo = metered.service_tier, metered.speed, metered.geo
        cost = prices.cost_nusd(usage, self._at_us, tier, speed, geo)
        if cost is None or cost > MOST_COST_NUSD:
            return None
        ended_s, started_s = self._means.loop.time(), self._started_s
        return Ended(
            self.call_id,
            self._means.now_us(),
            "ok",
            _OK,
            usage if type(usage) is dict else dict(usage),
            "reported",
            cost,
            True,
            metered.model,
            metered.upstream_id,
            tier,
            speed,
            geo,
            metered.stop_reason,
            round((self._first_s - started_s) * 1000),
            round((ended_s - started_s) * 1000),
            len(self._request.body),
            len(body),
        )

    def _send(self) -> None:
        lane, headers, reply = self._lane, self._headers, self._reply
        if isinstance(headers, ReplyHeaders):
            lines = lane.reply_lines(headers) + self.request_id.encode()
            reply.send_lines(self._status, lines, self._body)
        else:
            ours = [*lane.our_headers(), (b"x-clearbar-request-id", self.request_id.encode())]
            reply.send(self._status, reply_headers(headers, ours), self._body)

    def _lost(self) -> None:
        """Refuse where the charge cannot be put on the disk."""
        caller = self._lane.caller
        refuse(
            self._means, self._reply, self._lane.operation, caller, self.request_id, no_journal()
        )

    # Out of the ordinary.

    def _gone(self) -> None:
        """Break the call off, as the client has left."""
        self._hand_over()[0].leave()

    def break_off(self) -> None:
        """End it now: the gateway itself has to end."""
        self._hand_over()[0].break_off()

    def _told_call(self) -> Call:
        """Hand over where the head of the answer has come."""
        _, call = self._hand_over()
        call.on_head(self._status, self._headers)
        call.first_byte_s = self._first_s
        return call

    def _hand_over(self) -> tuple[Exchange, Call]:
        """Go on in the ordinary way: with its exchange and its call, as they would be by now."""
        means, lane, request = self._means, self._lane, self._request
        inquiry = Inquiry(
            request,
            lane.operation,
            self._asked,
            lane.caller._replace(trace_id=self.trace_id),
            lane.force,
            lane.enforced,
            self.request_id,
            lane.accounts_at(self._at_us),
            lane.belongs_to_work and means.allowance.has_begun(lane.caller),
            lane.passes_credentials,
            self._at_us,
            self._started_s,
        )
        exchange = Exchange(means, request, self._reply)
        held = msgspec.json.decode(self._held, type=Held)
        call = Call(means, inquiry, lane.tool, held.arm, 1, exchange)
        call.take_over(held, self._claim, self._holding, self._asking, self._started_s)
        means.exchanges.discard(self)
        exchange.take_over(inquiry, lane.admitted, call)
        return exchange, call
