"""Asks one endpoint and waits for its whole answer: for cascades and shadows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.allowance import Short
from clearbar.route.serving.call import Call, settings_of
from clearbar.route.serving.headers import header
from clearbar.route.serving.inquiry import as_sent, claim_of
from clearbar.route.serving.retrying import failed_by, failed_with
from clearbar.route.wire.texts import answer_text

if TYPE_CHECKING:
    import asyncio

    from clearbar.route.budgets.allowance import Holding
    from clearbar.route.http.upstream import Broken
    from clearbar.route.route import Arm
    from clearbar.route.serving.headers import Headers
    from clearbar.route.serving.inquiry import Claim, Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.route.serving.retrying import Failed
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import Tool

_FIRST_ERROR: Final = 400
_MOST_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """What came of asking a tool."""

    tool: str
    text: str | None = None
    """None where there was no answer."""
    confidence: float | None = None
    """The tool's own; None for what has none."""
    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    position: int = 0
    """In the journal, of its end."""
    what: str = ""
    """Of a failure, in our own words."""
    short: Short | None = None
    """Set where there was no money to ask."""
    failed: Failed | None = None
    """Set where the endpoint was asked and gave no answer."""


def claim_for(inquiry: Inquiry, tool: Tool, arm: Arm) -> Claim:
    """Return what a call to an endpoint may cost."""
    prices = None
    force, asked = inquiry.force, inquiry.asked
    if asked is not None:
        prices = force.prices.for_tool(tool, tool.model or asked.model)
        if settings := settings_of(tool, arm):
            asked = as_sent(inquiry.operation, asked, settings)
    return claim_of(inquiry.operation, asked, prices, force.table.settings)


async def ask_whole(
    means: Means, inquiry: Inquiry, tool: Tool, arm: Arm, attempt: int
) -> WholeAnswer:
    """Ask an endpoint once, if there is money; its call is settled when this returns."""
    claim = claim_for(inquiry, tool, arm)
    holding: Holding | None = None
    if inquiry.accounts and claim.wanted_nusd:
        found = await means.allowance.hold(
            inquiry.accounts, claim.wanted_nusd, claim.least_nusd, begun=inquiry.begun
        )
        if isinstance(found, Short):
            return WholeAnswer(tool.name, short=found, what="the budget is spent")
        holding = found
    gathering = _Gathering(means, inquiry.operation)
    call = Call(means, inquiry, tool, arm, attempt, gathering)
    call.start(inquiry.force.endpoints[tool.name], claim, holding)
    try:
        return await gathering.done
    except BaseException:
        call.cancel()
        raise


class _Gathering:
    """Owns a call whose answer is wanted whole."""

    def __init__(self, means: Means, operation: Operation) -> None:
        self.done: asyncio.Future[WholeAnswer] = means.loop.create_future()
        self._now_us = means.now_us
        self._operation = operation
        self._headers: Headers = []
        self._pieces: list[bytes] = []
        self._size = 0

    def on_head(self, call: Call, status: int, headers: Headers) -> None:  # noqa: ARG002 - of Owner
        """Keep the headers."""
        self._headers = headers

    def on_body(self, call: Call, piece: bytes) -> None:
        """Keep a piece, up to a size."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MOST_BYTES:
            call.cancel()
            self._finish(WholeAnswer(call.tool.name, what="the answer is too large"))

    def on_end(self, call: Call, rest: bytes) -> None:
        """Settle, and hand over what came."""
        body = b"".join((*self._pieces, rest))
        sound = call.status < _FIRST_ERROR
        position = call.end("ok" if sound else "error", "" if sound else f"HTTP {call.status}")
        kind = header(self._headers, b"content-type")
        text = answer_text(self._operation, body, kind) if sound else None
        failed = None if sound else failed_with(call.status, self._headers, self._now_us())
        self._finish(
            WholeAnswer(
                call.tool.name,
                text,
                status=call.status,
                headers=self._headers,
                body=body,
                position=position,
                what="" if sound else f"HTTP {call.status}",
                failed=failed,
            )
        )

    def on_broken(self, call: Call, broken: Broken) -> None:
        """Settle, and hand over that nothing came."""
        position = call.end("cut" if broken.sent else "unsent", broken.what)
        failed = failed_by(broken)
        self._finish(
            WholeAnswer(call.tool.name, position=position, what=broken.what, failed=failed)
        )

    def _finish(self, found: WholeAnswer) -> None:
        if not self.done.done():
            self.done.set_result(found)
