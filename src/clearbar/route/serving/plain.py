"""The straight way of a request: a lane that is known, one call, one answer.

It does what `Exchange` and `Call` do, and nothing else, for a request whose way is known before it
is read. At the first thing that is out of the ordinary it hands over to them, in the state in which
they would be: they retry, fall back, refuse and break off, and alone know how. Until its
line is in the journal nothing has happened, and the ordinary way begins from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.route.budgets.allowance import Holding
from clearbar.route.http.repeated_reply import ReplyHeaders
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.serving.call import Call
from clearbar.route.serving.exchange import Exchange
from clearbar.route.serving.headers import header, reply_headers
from clearbar.route.serving.known_head import KnownHead
from clearbar.route.serving.making import note_kept
from clearbar.route.serving.refusals import no_journal
from clearbar.route.serving.refusing import refuse
from clearbar.route.serving.streaming import Streaming
from clearbar.route.serving.understanding import Known
from clearbar.route.wire.metering import whole_metered
from clearbar.route.wire.reading import BadBody, read_body
from clearbar.route.wire.rewriting import asking_usage, rewrite, with_model
from clearbar.route.wire.stored import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.message import Reply, Request
    from clearbar.route.http.repeated_reply import RepeatedReply
    from clearbar.route.http.upstream import Asking, Broken
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim
    from clearbar.route.serving.lane import Lane
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.metering import Metered
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked

_OK: Final = 200
_ON_THE_LANE: Final = 1.0
"""A draw by which nothing happens: shares are at most one, and draws below it."""


def serve(means: Means, request: Request, reply: Reply) -> None:
    """Serve a request: on the straight way where it has one, else on the ordinary one."""
    memory = request.memory
    head = None if memory is None else memory.known
    if not isinstance(head, KnownHead) or head.mark is not means.in_force.mark or not head.lanes:
        Exchange(means, request, reply).begin()
        return
    asked = head.alike.again(request.body)
    if asked is None:
        try:
            asked = read_body(head.operation, request.body)
        except BadBody:
            Exchange(means, request, reply).begin()  # which says why
            return
        if asked.is_plain:
            head.alike.remember(request.body, asked)
    lane = head.lanes.get(asked.model)
    if lane is None or not (asked.is_plain or _is_plain(head.operation, asked, request.body)):
        Exchange(means, request, reply).begin(Known(asked, means.draw(), None))
    elif lane.by_chance and (known := _strayed(means, lane, asked)) is not None:
        Exchange(means, request, reply).begin(known)
    elif not Plain(means, request, reply, lane, asked).begin():
        # Chance has spoken already: on this lane, and unseen by any shadow.
        Exchange(means, request, reply).begin(Known(asked, _ON_THE_LANE, _ON_THE_LANE))


def _is_plain(operation: Operation, asked: Asked, body: bytes) -> bool:
    """Return whether nothing has to be looked at but the model: no object, and nobody named."""
    named = asked.metadata or asked.user
    return not named and is_plain(operation.name, asked, body)


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
        "_stream",
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
        self._stream: Streaming | None = None
        self._headers: Headers
        self._status = 0
        self._body = b""

    def begin(self) -> bool:
        """Hold, write it down, ask; False, and nothing done, where the ordinary way has to."""
        means, lane, asked = self._means, self._lane, self._asked
        started_s = means.loop.time()
        if not means.journal.has_room:
            return False
        if means.breakers.ill and not means.breakers.is_closed(lane.tool.name):
            return False
        at_us = means.now_us()
        claim = lane.claim(asked)
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
        except Exception as error:  # noqa: BLE001 - the ordinary way answers
            means.report(error)
            if holding is not None:
                means.allowance.release(holding)
            return False
        self._ask(body, span_id)
        return True

    def _sent_body(self, asked: Asked, claim: Claim, holding: Holding | None) -> bytes:
        lane, body, most = self._lane, self._request.body, None
        if asked.is_plain and claim.is_limited and not lane.settings:
            if lane.renamed is not None and (place := asked.model_at) is not None:
                body = with_model(body, place, lane.renamed_json)
            return asking_usage(body) if asked.stream else body
        if holding is not None and lane.enforced:
            most = claim.limit_within(holding.amount_nusd)
        return rewrite(
            lane.operation,
            body,
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
        self.request_id, self.call_id = request_id, call_id = ids.two(at_us)
        self.trace_id, span_id = ids.trace_and_span()
        self._held = held = lane.held_line(
            call_id,
            at_us,
            request_id,
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
            self._asking = asking = means.upstreams.ask(
                lane.endpoint.origin, head, body, self, lane.patience
            )
            if not self._asked.stream:
                asking.on_whole = self.on_whole
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            exchange, call = self.hand_over()
            call.undo()
            exchange.fail(error)

    # Heard from the endpoint.

    def on_head(self, status: int, headers: Headers) -> None:
        """Hear from the endpoint."""
        kind = header(headers, b"content-type") if status == _OK else b""
        if kind.startswith(b"application/json") and not self._asked.stream:
            self._first_s = self._means.loop.time()
            self._headers, self._status = headers, status
        elif kind.startswith(b"text/event-stream") and self._asked.stream:
            self._begin_stream(headers)
        else:
            self.hand_over()[1].on_head(status, headers)

    def _begin_stream(self, headers: Headers) -> None:
        if self._asking is None:  # it is not yet returned: nobody is told that early
            raise RuntimeError("an answer has begun before it was asked for")
        self._stream = stream = Streaming(self._means, self, self._asking, self._reply, headers)
        stream.start(self._lane, self._asked, self.request_id)

    def on_body(self, piece: bytes) -> None:
        """Hear from the endpoint: all of it, or the ordinary way goes on with the pieces."""
        if self._asking is not None and self._asking.whole:
            self._body = piece
        else:
            self.hand_over()[1].on_body(piece)

    def on_whole(self, head: RepeatedReply, body: bytes) -> None:
        """Hear all of it at once."""
        self._first_s = self._means.loop.time()
        self._status, self._headers, self._body = head.status, head.headers, body
        self.on_end()

    def on_end(self) -> None:
        """Hear from the endpoint: settle, write it down, and answer when that is durable."""
        position = self.settle(self._metered, len(self._body), self._first_s)
        if position is not None:
            self._means.journal.when_durable(position, self._send, self._lost)
            return
        call = self.hand_over()[1]
        if self._body:
            call.on_body(self._body)
        call.on_end()

    def _metered(self) -> Metered:
        return whole_metered(self._lane.operation, self._body)

    def settle(
        self, metered_by: Callable[[], Metered], bytes_out: int, first_s: float
    ) -> int | None:
        """Write the usual end into the journal, and settle; return its position.

        None, and nothing done, where the end is not the usual one.
        """
        means, lane = self._means, self._lane
        try:
            metered = metered_by()
            ended = self._ended(metered, bytes_out, first_s)
            position = None if ended is None else means.journal.append(ended)
        except Exception as error:  # noqa: BLE001 - the ordinary way answers
            means.report(error)
            return None
        if ended is None or position is None:
            return None
        if self._holding is not None:
            means.allowance.settle(self._holding, ended.cost_nusd)
        if means.breakers.ill:
            means.worked(lane.tool.name)
        if lane.keeps_answers:
            who, made = lane.caller.workflow, ended.upstream_id
            note_kept(means, lane.operation, self._asked, who, made, self._at_us)
        if self._stream is not None:
            means.written.learn(lane.tool.name, lane.model, metered)
        self._reply.on_gone = None
        means.exchanges.discard(self)
        return position

    def on_broken(self, broken: Broken) -> None:
        """Hear from the transport."""
        self.hand_over()[1].on_broken(broken)

    def _ended(self, metered: Metered, bytes_out: int, first_s: float) -> Ended | None:
        """Return the line of the end; None where it is not the usual one: reported and priced."""
        lane, claim = self._lane, self._claim
        usage, cost = metered.usage, lane.cost_nusd(claim, metered, self._at_us)
        if usage is None or cost is None:
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
            metered.service_tier,
            metered.speed,
            metered.geo,
            metered.stop_reason,
            round((first_s - started_s) * 1000),
            round((ended_s - started_s) * 1000),
            len(self._request.body),
            bytes_out,
        )

    def _send(self) -> None:
        lane, headers, reply = self._lane, self._headers, self._reply
        if isinstance(headers, ReplyHeaders):
            lines = lane.reply_lines(self._status, headers) + self.request_id.encode()
            reply.send_lines(lines, self._body)
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
        self.hand_over()[0].leave()

    def break_off(self) -> None:
        """End it now: the gateway itself has to end."""
        self.hand_over()[0].break_off()

    def hand_over(self) -> tuple[Exchange, Call]:
        """Go on in the ordinary way: with its exchange and its call, as they would be by now."""
        means, lane, request = self._means, self._lane, self._request
        begun = lane.belongs_to_work and means.allowance.has_begun(lane.caller)
        inquiry = lane.inquiry(
            request,
            self._asked,
            self.request_id,
            self.trace_id,
            self._at_us,
            self._started_s,
            begun=begun,
        )
        if self._asking is not None:
            self._asking.on_whole = None
        exchange = Exchange(means, request, self._reply)
        held = msgspec.json.decode(self._held, type=Held)
        call = Call(means, inquiry, lane.tool, held.arm, 1, exchange)
        call.take_over(held, self._claim, self._holding, self._asking, self._started_s)
        means.exchanges.discard(self)
        stream, self._stream = self._stream, None
        answering = None if stream is None else stream.hand_over(call)
        exchange.take_over(inquiry, lane.admitted, call, answering)
        if self._status:  # the head of the answer has come
            call.on_head(self._status, self._headers)
            call.first_byte_s = self._first_s
        return exchange, call
