"""Tools that are no endpoint: rules, classifiers, functions and commands answer in this process.

A tool of tier `none` answers in the wire format of the client's protocol, for nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.entry import Ended
from clearbar.route.serving.call import held_of
from clearbar.route.serving.inquiry import FREE
from clearbar.route.serving.whole import WholeAnswer
from clearbar.route.wire.answering import answer
from clearbar.route.wire.texts import request_of
from clearbar.tools.call import Caller
from clearbar.tools.tool import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    """Ask a tool in this process; the answer stands in the client's own wire format."""
    held = held_of(means, inquiry, tool, "", tool.name, arm, attempt, FREE, None)
    means.journal.append(held)
    started_s = means.loop.time()
    found = await means.local.ask(tool, request_of(inquiry.operation, inquiry.request.body))
    latency_ms = round((means.loop.time() - started_s) * 1000)
    failed = isinstance(found, Failure)
    ended = Ended(
        held.call_id,
        means.now_us(),
        "error" if failed else "ok",
        0,
        {} if failed else dict(_NOTHING_USED),
        "none" if failed else "reported",
        0,
        priced=True,
        model=tool.name,
        first_byte_ms=latency_ms,
        latency_ms=latency_ms,
        bytes_in=len(inquiry.request.body),
        what="the tool failed" if failed else "",
    )
    position = means.journal.append(ended)
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
