"""One call to a tool's endpoint: journalled before it leaves, metered as it answers, settled once.

Its owner hears of the answer piece by piece, and decides what becomes of it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from clearbar.core.errors import ClearbarError
from clearbar.route.http.upstream import Patience
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.serving.call_lines import held_of, reported
from clearbar.route.serving.costing import outcome_of, spent_by
from clearbar.route.serving.flow import flow_from
from clearbar.route.serving.headers import finished_head, header, prepared_head
from clearbar.route.serving.making import note_kept
from clearbar.route.trace_context import read_tracestate, traceparent
from clearbar.route.wire.metering import Events, meter_for
from clearbar.route.wire.rewriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.http.message import Reply
    from clearbar.route.http.upstream import Asking, Broken
    from clearbar.route.journal.entry import Outcome
    from clearbar.route.route import Arm
    from clearbar.route.serving.endpoint import Endpoint
    from clearbar.route.serving.flow import Flow
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim, Inquiry
    from clearbar.route.serving.means import InForce, Means
    from clearbar.route.wire.metering import Meter
    from clearbar.route.wire.reading import Asked
    from clearbar.tools.tool import Tool

_LONGEST_CALL_S: Final = 3600.0
_CONNECT_S: Final = 10.0


class Owner(Protocol):
    """Who hears of a call. After `on_end` or `on_broken` it has to `end` the call."""

    def on_head(self, call: Call, status: int, headers: Headers) -> None:
        """Take the status and the headers of the answer."""

    def on_body(self, call: Call, piece: bytes) -> None:
        """Take a piece of the answer, as the client may see it."""

    def on_end(self, call: Call, rest: bytes) -> None:
        """Take the last piece; the answer is whole."""

    def on_broken(self, call: Call, broken: Broken) -> None:
        """Hear that the answer will not be whole."""


class Call:
    """A call in flight."""

    __slots__ = (
        "_asking", "_claim", "_ended", "_flow", "_held", "_holding", "_inquiry", "_into", "_last",
        "_means", "_meter", "_owner", "_started_s", "_written", "arm", "attempt", "bytes_out",
        "cost_nusd", "first_byte_s", "status", "tool", "upstream_id",
    )  # fmt: skip

    def __init__(
        self, means: Means, inquiry: Inquiry, tool: Tool, arm: Arm, attempt: int, owner: Owner
    ) -> None:
        self.tool = tool
        self.arm = arm
        self.attempt = attempt
        self.status = self.cost_nusd = 0
        self.upstream_id = ""
        self._means = means
        self._inquiry = inquiry
        self._owner = owner
        self._meter: Meter | None = None
        self._asking: Asking | None = None
        self._into: Reply | None = None
        self._flow: Flow | None = None
        self.first_byte_s = 0.0
        self._started_s = 0.0
        self.bytes_out = 0
        self._last = b""
        self._written = self._ended = False

    def start(self, endpoint: Endpoint, claim: Claim, holding: Holding | None) -> None:
        """Write it into the journal, then send it.

        Where that fails, nothing was sent, nothing stays held, and what failed is raised.
        """
        self._claim, self._holding = claim, holding
        try:
            self._send(endpoint, self._begin(endpoint))
        except BaseException:
            self.undo()
            raise

    def take_over(
        self,
        held: Held,
        claim: Claim,
        holding: Holding | None,
        asking: Asking | None,
        started_s: float,
    ) -> None:
        """Go on with a call that has been written into the journal, and mostly sent."""
        self._held, self._claim, self._holding = held, claim, holding
        self._asking, self._started_s = asking, started_s
        self._written = True
        if asking is not None:
            asking.listener = self

    def go_on_with(
        self,
        status: int,
        first_byte_s: float,
        meter: Events,
        flow: Flow | None,
        bytes_out: int,
        last: bytes,
    ) -> None:
        """Go on with an answer that has begun."""
        self.status, self.first_byte_s = status, first_byte_s
        self._meter, self._flow, self.bytes_out, self._last = meter, flow, bytes_out, last

    def _begin(self, endpoint: Endpoint) -> bytes:
        """Write it into the journal; return the body that is to be sent."""
        means, inquiry = self._means, self._inquiry
        asked, body, model = inquiry.asked, inquiry.request.body, ""
        if asked is not None:
            model = self.tool.model or asked.model
            body = self._body(asked)
        self._held = held_of(
            means,
            inquiry.caller,
            self.tool,
            self._claim,
            self._holding,
            request_id=inquiry.request_id,
            operation=inquiry.operation.name,
            stream=asked is not None and asked.stream,
            provider=endpoint.provider,
            model=model,
            arm=self.arm,
            attempt=self.attempt,
        )
        means.journal.append(self._held)
        self._written = True
        mark_begun(means, inquiry)
        return body

    def undo(self) -> None:
        """End a call that could not be sent."""
        if self._written:
            with suppress(ClearbarError):  # no room in the journal either
                self.end("unsent", "the gateway could not send it")
        elif self._holding is not None:
            self._means.allowance.release(self._holding)
        self._ended = True

    def _send(self, endpoint: Endpoint, body: bytes) -> None:
        means, inquiry = self._means, self._inquiry
        request = inquiry.request
        trace = _trace(inquiry, self._held.span_id)
        head = finished_head(request.method, self._prepared(endpoint), len(body), trace)
        patience = patience_of(inquiry.force)
        self._started_s = means.loop.time()
        self._asking = means.upstreams.ask(endpoint.origin, head, body, self, patience)

    def _prepared(self, endpoint: Endpoint) -> tuple[bytes, bytes]:
        """Return the head without what each call has of its own; what is known of it is kept."""
        inquiry, name = self._inquiry, self.tool.name
        known = inquiry.known
        found = None if known is None else known.prepared.get(name)
        if found is None:
            request = inquiry.request
            found = prepared_head(
                request.method,
                endpoint,
                inquiry.operation.upstream_path,
                request.query,
                request.headers,
                passes_credentials=passes_credentials(inquiry, self.tool),
            )
            if known is not None:
                known.prepared[name] = found
        return found

    def _body(self, asked: Asked) -> bytes:
        inquiry, tool = self._inquiry, self.tool
        return rewrite(
            inquiry.operation,
            inquiry.request.body,
            asked,
            model=tool.model if tool.model and tool.model != asked.model else None,
            max_tokens=self._cap(),
            ask_usage=asked.stream and not asked.wants_usage,
            settings=settings_of(tool, self.arm),
        )

    def _cap(self) -> int | None:
        """Return the limit to set, so that the call stays within its hold; None for none."""
        holding = self._holding
        if holding is None or not self._inquiry.enforced:
            return None
        return self._claim.limit_within(holding.amount_nusd)

    def pause(self) -> None:
        """Let the endpoint wait: the client reads too slowly."""
        if self._asking is not None:
            self._asking.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._asking is not None:
            self._asking.resume()

    def cancel(self) -> None:
        """Break it off; it counts as cut, unless it waited for a connection still."""
        sent = self._asking is not None and self._asking.connection is not None
        if self._asking is not None:
            self._asking.cancel()
        self.end("cut" if sent else "unsent", "the client left")

    def on_head(self, status: int, headers: Headers) -> None:
        """Hear from the endpoint."""
        self.status = status
        self.first_byte_s = self._means.loop.time()
        inquiry = self._inquiry
        kind = header(headers, b"content-type")
        self._meter = meter_for(inquiry.operation, inquiry.asked, status, kind)
        self._owner.on_head(self, status, headers)

    def on_body(self, piece: bytes) -> None:
        """Hear from the endpoint."""
        self.bytes_out += len(piece)
        meter, asking = self._meter, self._asking
        if meter is None:
            return
        passed = meter.feed(piece)
        if asking is not None and asking.whole:
            self._last = passed  # `on_end` follows at once, and may send both in one write
            return
        if passed:
            self._owner.on_body(self, passed)
        if asking is not None and self._into is not None and isinstance(meter, Events):
            self._flow = flow_from(self._flow, meter, self._into)
            asking.flow = self._flow

    def let_flow(self, reply: Reply) -> None:
        """Let what is known of a stream go into a reply past its owner."""
        self._into = reply
        reply.on_full = self.pause

    def on_end(self) -> None:
        """Hear from the endpoint."""
        self._asking = None
        rest = b"" if self._meter is None else self._meter.finish()
        self._owner.on_end(self, self._last + rest if rest else self._last)

    def on_broken(self, broken: Broken) -> None:
        """Hear from the transport."""
        self._asking = None
        self._owner.on_broken(self, broken)

    def end(self, outcome: Outcome, what: str = "") -> int:
        """Settle it and write its end into the journal; return the position of that, once.

        A second call changes nothing and returns 0.
        """
        if self._ended:
            return 0
        self._ended = True
        means, inquiry = self._means, self._inquiry
        if self._flow is not None:
            self._flow.pour()
        metered = None if self._meter is None else self._meter.metered()
        if isinstance(self._meter, Events):
            self.bytes_out += self._meter.flowed_bytes
        now_us = means.now_us()
        self.upstream_id = "" if metered is None else metered.upstream_id
        workflow, asked, at_us = inquiry.caller.workflow, inquiry.asked, inquiry.at_us
        note_kept(means, inquiry.operation, asked, workflow, self.upstream_id, at_us)
        outcome = outcome_of(outcome, self.status, metered)
        scale = means.written.scale(self._held, outcome, metered)
        spent = spent_by(
            self._held, self._claim, self._inquiry, self.tool, outcome, self.status, metered, scale
        )
        self.cost_nusd = spent.cost_nusd
        ended_s = means.loop.time()
        first_s = self.first_byte_s or ended_s
        ended = Ended(
            self._held.call_id,
            now_us,
            outcome,
            self.status,
            *spent,
            *reported(metered),
            round((first_s - self._started_s) * 1000),
            round((ended_s - self._started_s) * 1000),
            len(self._inquiry.request.body),
            self.bytes_out,
            what,
        )
        try:
            return means.journal.append(ended)
        finally:
            if self._holding is not None:
                means.allowance.settle(self._holding, spent.cost_nusd)


def patience_of(force: InForce) -> Patience:
    """Return how long a call may take."""
    settings = force.table.settings
    return Patience(
        _CONNECT_S, settings.first_byte_timeout_s, settings.stall_timeout_s, _LONGEST_CALL_S
    )


def mark_begun(means: Means, inquiry: Inquiry) -> None:
    """Note that the task or run of a request has begun: it may end, whatever is decided later."""
    if not inquiry.begun:
        means.allowance.mark_begun(inquiry.caller)


def settings_of(tool: Tool, arm: Arm) -> Mapping[str, object]:
    """Return the settings that a call is sent with; none where the client names the tool itself."""
    return tool.settings if arm != "passed" else {}


def passes_credentials(inquiry: Inquiry, tool: Tool) -> bool:
    """Return whether the client's own credentials go on: only to a default upstream."""
    return inquiry.passes_credentials and tool.name in inquiry.force.table.settings.upstreams


def _trace(inquiry: Inquiry, span_id: str) -> bytes:
    """Return the trace context for the tool: the client's, with the span of this call."""
    caller = inquiry.caller
    trace = traceparent(caller.trace_id, span_id, sampled=caller.sampled)
    if not caller.parent_span_id:
        return trace
    states = [value for name, value in inquiry.request.headers if name == b"tracestate"]
    state = read_tracestate(states) if states else b""
    return trace + b"\r\ntracestate: " + state if state else trace
