"""A stream on the straight way: from the head of the answer to its last event.

It does for a stream what `Plain` does for a whole answer, and hands over as it does: where the
stream breaks off, tells no usage or an error, or the client leaves, the ordinary way goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.http.repeated_reply import ReplyHeaders
from clearbar.route.serving.answering import Answering
from clearbar.route.serving.flow import flow_from
from clearbar.route.serving.headers import reply_headers
from clearbar.route.wire.metering import events_of

if TYPE_CHECKING:
    from clearbar.route.http.message import Reply
    from clearbar.route.http.upstream import Asking, Broken
    from clearbar.route.serving.call import Call
    from clearbar.route.serving.flow import Flow
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.lane import Lane
    from clearbar.route.serving.means import Means
    from clearbar.route.serving.plain import Plain
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.metering import Events

_OK: Final = 200


class Streaming:
    """One stream in flight; it hears of the answer once its head has come."""

    __slots__ = (
        "_asking",
        "_bytes",
        "_first_s",
        "_flow",
        "_headers",
        "_last",
        "_lines",
        "_means",
        "_meter",
        "_plain",
        "_reply",
    )

    def __init__(
        self,
        means: Means,
        plain: Plain,
        asking: Asking,
        reply: Reply,
        headers: Headers,
    ) -> None:
        self._means = means
        self._plain = plain
        self._first_s = means.loop.time()
        self._asking = asking
        self._reply = reply
        self._meter: Events
        self._headers = headers
        self._flow: Flow | None = None
        self._bytes = 0
        """Of content, but for what flowed."""
        self._last = b""
        self._lines = b""
        """The head, until it goes out."""
        asking.listener = self
        reply.on_full = asking.pause
        reply.on_drained = asking.resume

    def start(self, lane: Lane, asked: Asked, request_id: str) -> None:
        """Send the head on, in one write with what came with it."""
        self._meter = events_of(lane.operation, asked, lane.alike)
        headers, own = self._headers, request_id.encode()
        if isinstance(headers, ReplyHeaders):
            self._lines = lane.reply_lines(_OK, headers) + own
            if self._asking.bare:
                self._start(b"")
        else:
            ours = [*lane.our_headers(), (b"x-clearbar-request-id", own)]
            self._reply.start(_OK, reply_headers(headers, ours), None)

    def _start(self, piece: bytes) -> None:
        lines, self._lines = self._lines, b""
        self._reply.start_lines(lines, piece)

    def on_head(self, status: int, headers: Headers) -> None:
        """Hear from the endpoint: nothing more, as the head has come."""

    def on_body(self, piece: bytes) -> None:
        """Hear from the endpoint: pass a piece on, and let what is like it flow."""
        asking, meter, reply = self._asking, self._meter, self._reply
        self._bytes += len(piece)
        passed = meter.feed(piece)
        if asking.whole:
            self._last = passed  # `on_end` follows at once
            return
        if self._lines:
            self._start(passed)
        elif passed:
            reply.write(passed)
        if reply.full:
            asking.pause()
        asking.flow = self._flow = flow_from(self._flow, meter, reply)

    def on_end(self) -> None:
        """Hear from the endpoint: settle, write it down, and end the reply when that is durable."""
        plain, meter = self._plain, self._meter
        self._last += meter.finish()
        position = plain.settle(meter.metered, self._bytes + meter.flowed_bytes, self._first_s)
        if position is None:
            plain.hand_over()[1].on_end()
            return
        del self._plain  # which knows its stream: nothing is to wait for the garbage collector
        reply = self._reply
        reply.on_full = reply.on_drained = None
        self._means.journal.when_durable(position, self._send, reply.cut)

    def on_broken(self, broken: Broken) -> None:
        """Hear from the transport."""
        self._plain.hand_over()[1].on_broken(broken)

    def _send(self) -> None:
        if self._lines:
            self._start(b"")
        self._reply.end(self._last)

    def hand_over(self, call: Call) -> Answering:
        """Let the ordinary way go on with what has come; return the answer, which has begun."""
        if self._lines:
            self._start(b"")
        call.go_on_with(_OK, self._first_s, self._meter, self._flow, self._bytes, self._last)
        if not self._asking.whole:
            call.let_flow(self._reply)
        return Answering(self._means, self._reply, _OK, self._headers, [], started=True)
