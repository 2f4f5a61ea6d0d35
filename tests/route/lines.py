"""Lines of a journal, with what a test does not care about filled in."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from clearbar.route.journal.entry import Ended, Held

_HELD: Final = Held(
    call_id="call-1",
    at_us=0,
    request_id="req-1",
    attempt=1,
    arm="tool",
    operation="chat",
    stream=False,
    workflow="letters",
    tool="small",
    provider="openai",
    model="gpt-4o-mini",
    key="k1",
    team="",
    user="",
    task="",
    run="",
    environment="",
    labels="",
    trace_id="",
    span_id="",
    parent_span_id="",
    accounts=(),
    amount_nusd=0,
)
_ENDED: Final = Ended(
    call_id="call-1",
    at_us=0,
    outcome="ok",
    status=200,
    usage={},
    known="none",
    cost_nusd=0,
    priced=True,
)
TRACE: Final = {
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
}


def held(**values: Any) -> Held:
    """Return the line of a call about to be made."""
    return replace(_HELD, **values)


def ended(**values: Any) -> Ended:
    """Return the line of a call that ended."""
    return replace(_ENDED, **values)
