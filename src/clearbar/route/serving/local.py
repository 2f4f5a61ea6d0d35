"""Tools that are no endpoint: rules, classifiers, functions and commands answer in this process.

A tool of tier `none` answers in the wire format of the client's protocol, for nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.entry import Ended
from clearbar.route.serving.call import mark_begun
from clearbar.route.serving.call_lines import held_of
from clearbar.route.serving.inquiry import FREE
from clearbar.route.serving.whole import WholeAnswer
from clearbar.route.wire.answering import answer
from clearbar.route.wire.texts import request_of
from clearbar.tools.address import PROTOCOLS
from clearbar.tools.call import Caller
from clearbar.tools.tool import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.route.journal.entry import Held, Outcome
    from clearbar.route.route import Arm
    from clearbar.route.serving.inquiry import Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.tools.tool import Answer, Request, Tool


_NOTHING_USED: Final = {"input_tokens": 0, "output_tokens": 0}


class LocalTools:
    """Asks tools that have no endpoint; a fault of theirs is a `Failure`, never an exception."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._caller = Caller(folder, environment)

    def forget(self) -> None:
        """Load rules and classifiers anew when they are asked next."""
        self._caller = Caller(self._folder, self._environment)

    async def ask(self, tool: Tool, request: Request) -> Answer | Failure:
        """Ask a tool once, within its time."""
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await self._caller.ask(tool, request)
        except TimeoutError:
            return Failure(f"no answer within {tool.timeout_s:g} s", retry=True, sent=False)
        except ClearbarError as error:
            return Failure(error.message, retry=False, sent=False)


async def ask_here(
    means: Means, inquiry: Inquiry, tool: Tool, arm: Arm, attempt: int
) -> WholeAnswer:
    """Ask a tool in this process; the answer stands in the client's own wire format.

    A tool that is an endpoint, but of an address or a key that cannot be used, is not asked: there
    nothing would be held, and nothing metered.
    """
    if tool.kind in PROTOCOLS:
        return WholeAnswer(tool.name, what="its address or its key cannot be used")
    held = held_of(
        means,
        inquiry.caller,
        tool,
        FREE,
        None,
        request_id=inquiry.request_id,
        operation=inquiry.operation.name,
        stream=inquiry.asked is not None and inquiry.asked.stream,
        provider="",
        model=tool.name,
        arm=arm,
        attempt=attempt,
    )
    means.journal.append(held)
    mark_begun(means, inquiry)
    started_s = means.loop.time()
    try:
        found = await means.local.ask(tool, request_of(inquiry.operation, inquiry.request.body))
    except BaseException:
        _end(means, inquiry, held, started_s, "cut", "the client left")
        raise
    failed = isinstance(found, Failure)
    outcome: Outcome = "error" if failed else "ok"
    what = "the tool failed" if failed else ""
    position = _end(means, inquiry, held, started_s, outcome, what)
    if isinstance(found, Failure) or inquiry.asked is None:
        return WholeAnswer(tool.name, position=position, what="the tool did not answer")
    at_s = inquiry.at_us // 1_000_000
    kind, body = answer(inquiry.operation, inquiry.asked, found.text, tool.name, held.call_id, at_s)
    return WholeAnswer(
        tool.name,
        found.text,
        found.confidence,
        200,
        [(b"content-type", kind)],
        body,
        position,
    )


def _end(
    means: Means, inquiry: Inquiry, held: Held, started_s: float, outcome: Outcome, what: str
) -> int:
    """Write the end of a call into the journal; return its position."""
    latency_ms = round((means.loop.time() - started_s) * 1000)
    answered = outcome == "ok"
    return means.journal.append(
        Ended(
            held.call_id,
            means.now_us(),
            outcome,
            0,
            dict(_NOTHING_USED) if answered else {},
            "reported" if answered else "none",
            0,
            priced=True,
            model=held.model,
            first_byte_ms=latency_ms,
            latency_ms=latency_ms,
            bytes_in=len(inquiry.request.body),
            what=what,
        )
    )
