"""One call to a tool's endpoint: journalled before it leaves, metered as it answers, settled once.

Its owner hears of the answer piece by piece, and decides what becomes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from clearbar.route.http.upstream import Patience
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.serving.headers import header, request_head
from clearbar.route.trace_context import read_tracestate, traceparent
from clearbar.route.wire.metering import meter_for
from clearbar.route.wire.rewriting import rewrite

if TYPE_CHECKING:
    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.http.upstream import Asking, Broken
    from clearbar.route.journal.entry import Known, Outcome
    from clearbar.route.route import Arm
    from clearbar.route.serving.endpoint import Endpoint
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim, Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.metering import Meter, Metered
    from clearbar.tools.tool import Tool

_FIRST_ERROR: Final = 400
_BYTES_A_TOKEN: Final = 4
"""By which usage is estimated where none was reported: about right for English text."""
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
        "_asking",
        "_bytes_out",
        "_claim",
        "_ended",
        "_first_byte_s",
        "_held",
        "_holding",
        "_inquiry",
        "_last",
        "_means",
        "_meter",
        "_owner",
        "_started_s",
        "arm",
        "attempt",
        "cost_nusd",
        "status",
        "tool",
    )

    def __init__(
        self, means: Means, inquiry: Inquiry, tool: Tool, arm: Arm, attempt: int, owner: Owner
    ) -> None:
        self.tool = tool
        self.arm = arm
        self.attempt = attempt
        self.status = 0
        self.cost_nusd = 0
        self._means = means
        self._inquiry = inquiry
        self._owner = owner
        self._meter: Meter | None = None
        self._asking: Asking | None = None
        self._first_byte_s = 0.0
        self._started_s = 0.0
        self._bytes_out = 0
        self._last = b""
        self._ended = False

    def start(self, endpoint: Endpoint, claim: Claim, holding: Holding | None) -> None:
        """Write it into the journal, then send it."""
        means, inquiry = self._means, self._inquiry
        operation, asked, request = inquiry.operation, inquiry.asked, inquiry.request
        self._claim, self._holding = claim, holding
        amount = 0 if holding is None else holding.amount_nusd
        body, model = request.body, ""
        if asked is not None:
            model = self.tool.model or asked.model
            body = self._body(claim, amount)
        self._held = held_of(
            means,
            inquiry,
            self.tool,
            endpoint.provider,
            model,
            self.arm,
            self.attempt,
            claim,
            holding,
        )
        means.journal.append(self._held)
        trace = _trace(inquiry, self._held.span_id)
        head = request_head(
            request.method,
            endpoint,
            operation.upstream_path,
            request.query,
            request.headers,
            len(body),
            trace,
            passes_credentials=passes_credentials(means, inquiry, self.tool),
        )
        settings = means.in_force.table.settings
        patience = Patience(
            _CONNECT_S, settings.first_byte_timeout_s, settings.stall_timeout_s, _LONGEST_CALL_S
        )
        self._started_s = means.loop.time()
        self._asking = means.upstreams.ask(endpoint.origin, head, body, self, patience)

    def _body(self, claim: Claim, amount_nusd: int) -> bytes:
        inquiry, tool = self._inquiry, self.tool
        asked = inquiry.asked
        if asked is None:
            return inquiry.request.body
        cap = None
        if inquiry.accounts and claim.prices is not None:
            cap = claim.cap(amount_nusd)
            if cap is not None and asked.max_tokens is not None and cap >= asked.max_tokens:
                cap = None
        return rewrite(
            inquiry.operation,
            inquiry.request.body,
            asked,
            model=tool.model if tool.model and tool.model != asked.model else None,
            max_tokens=cap,
            ask_usage=asked.stream and not asked.wants_usage,
            settings=tool.settings if self.arm != "passed" else {},
        )

    def pause(self) -> None:
        """Let the endpoint wait: the client reads too slowly."""
        if self._asking is not None:
            self._asking.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._asking is not None:
            self._asking.resume()

    def cancel(self) -> None:
        """Break it off; it counts as cut."""
        if self._asking is not None:
            self._asking.cancel()
        self.end("cut", "the client left")

    def on_head(self, status: int, headers: Headers) -> None:
        """Hear from the endpoint."""
        self.status = status
        self._first_byte_s = self._means.loop.time()
        inquiry = self._inquiry
        kind = header(headers, b"content-type")
        self._meter = meter_for(inquiry.operation, inquiry.asked, status, kind)
        self._owner.on_head(self, status, headers)

    def on_body(self, piece: bytes) -> None:
        """Hear from the endpoint."""
        self._bytes_out += len(piece)
        if self._meter is None:
            return
        passed = self._meter.feed(piece)
        if self._asking is not None and self._asking.whole:
            self._last = passed  # `on_end` follows at once, and may send both in one write
        elif passed:
            self._owner.on_body(self, passed)

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
        means = self._means
        metered = None if self._meter is None else self._meter.metered()
        now_us = means.now_us()
        outcome = "error" if outcome == "ok" and self._failed(metered) else outcome
        usage, known = self._usage(outcome, metered)
        cost, priced = self._cost(outcome, usage, known, metered)
        self.cost_nusd = cost
        ended_s = means.loop.time()
        first_s = self._first_byte_s or ended_s
        position = means.journal.append(
            Ended(
                self._held.call_id,
                now_us,
                outcome,
                self.status,
                usage,
                known,
                cost,
                priced,
                *_reported(metered),
                round((first_s - self._started_s) * 1000),
                round((ended_s - self._started_s) * 1000),
                len(self._inquiry.request.body),
                self._bytes_out,
                what,
            )
        )
        if self._holding is not None:
            means.allowance.settle(self._holding, cost)
        return position

    def _failed(self, metered: Metered | None) -> bool:
        return self.status >= _FIRST_ERROR or (metered is not None and metered.failed)

    def _usage(self, outcome: Outcome, metered: Metered | None) -> tuple[dict[str, int], Known]:
        """Return the meters, and whether they were reported; estimated where tokens were spent."""
        reported = None if metered is None else metered.usage
        if reported is not None:
            return dict(reported), "reported"
        asked = self._inquiry.asked
        spent = outcome == "cut" or (outcome == "ok" and self._inquiry.operation.spends)
        if not spent or asked is None or metered is None or not metered.output_bytes:
            return {}, "none"
        estimate = {
            "input_tokens": asked.input_tokens // _BYTES_A_TOKEN + 1,
            "output_tokens": metered.output_bytes // _BYTES_A_TOKEN + 1,
        }
        return estimate | dict(metered.partial), "estimated"

    def _cost(
        self,
        outcome: Outcome,
        usage: dict[str, int],
        known: Known,
        metered: Metered | None,
    ) -> tuple[int, bool]:
        """Return what it cost, and whether by a price: what is not known costs what was held."""
        held = self._held.amount_nusd
        if outcome == "unsent" or not self._inquiry.operation.spends:
            return 0, True
        if outcome == "error" and known == "none":
            return 0, True  # refused by the endpoint, whole: nothing was used
        if known == "none" or self._claim.prices is None:
            return held, self._claim.prices is not None
        prices, served = self._claim.prices, ("", "", "")
        if metered is not None:
            served = metered.service_tier, metered.speed, metered.geo
            if metered.model and metered.model != self._held.model:
                price_list = self._means.in_force.prices
                prices = price_list.for_tool(self.tool, metered.model, self._held.model)
        cost = prices.cost_nusd(usage, self._held.at_us, *served)
        return (held, False) if cost is None else (cost, True)


def held_of(
    means: Means,
    inquiry: Inquiry,
    tool: Tool,
    provider: str,
    model: str,
    arm: Arm,
    attempt: int,
    claim: Claim,
    holding: Holding | None,
) -> Held:
    """Return the line of the journal for a call about to be made."""
    caller, asked, now_us = inquiry.caller, inquiry.asked, means.now_us()
    return Held(
        means.ids.next(now_us),
        now_us,
        inquiry.request_id,
        attempt,
        arm,
        inquiry.operation.name,
        asked is not None and asked.stream,
        caller.workflow,
        tool.name,
        provider,
        model,
        caller.key,
        caller.team,
        caller.user,
        caller.task,
        caller.run,
        caller.environment,
        caller.labels,
        caller.trace_id,
        means.ids.span_id(),
        caller.parent_span_id,
        () if holding is None else holding.account_ids,
        0 if holding is None else holding.amount_nusd,
        claim.input_tokens,
        claim.output_tokens,
        means.worker if holding is None else holding.worker,
        caller.sampled or not caller.parent_span_id,
    )


def passes_credentials(means: Means, inquiry: Inquiry, tool: Tool) -> bool:
    """Return whether the client's own credentials go on: only to a default upstream."""
    return inquiry.passes_credentials and tool.name in means.in_force.table.settings.upstreams


def _trace(inquiry: Inquiry, span_id: str) -> bytes:
    """Return the trace context for the tool: the client's, with the span of this call."""
    caller = inquiry.caller
    trace = traceparent(caller.trace_id, span_id, sampled=caller.sampled)
    if not caller.parent_span_id:
        return trace
    states = [value for name, value in inquiry.request.headers if name == b"tracestate"]
    state = read_tracestate(states) if states else b""
    return trace + b"\r\ntracestate: " + state if state else trace


def _reported(metered: Metered | None) -> tuple[str, str, str, str, str, str]:
    if metered is None:
        return "", "", "", "", "", ""
    return (
        metered.model,
        metered.upstream_id,
        metered.service_tier,
        metered.speed,
        metered.geo,
        metered.stop_reason,
    )
