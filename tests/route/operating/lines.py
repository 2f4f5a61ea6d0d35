"""Lines of a journal, with what a test does not care about filled in."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from clearbar.route.journal.entry import Ended, Held

AT_US: Final = 1_795_000_000_000_000
NANO: Final = 10**9

_HELD: Final = Held(
    call_id="call-1",
    at_us=AT_US,
    request_id="req-1",
    attempt=1,
    arm="passed",
    operation="chat",
    stream=False,
    workflow="support-replies",
    tool="openai",
    provider="openai",
    model="gpt-4o-mini",
    key="abcdefgh",
    team="support",
    user="u-17",
    task="ticket-9",
    run="",
    environment="production",
    labels='{"city":"Oslo"}',
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    parent_span_id="00f067aa0ba902b7",
    accounts=("workflow:support-replies/2026-11",),
    amount_nusd=4_000_000,
    input_tokens=100,
    output_tokens=500,
    worker="w1",
)
_ENDED: Final = Ended(
    call_id="call-1",
    at_us=AT_US + 1_250_000,
    outcome="ok",
    status=200,
    usage={"input_tokens": 90, "cache_read_tokens": 10, "output_tokens": 20},
    known="reported",
    cost_nusd=2_100_000,
    priced=True,
    model="gpt-4o-mini-2024-07-18",
    upstream_id="chatcmpl-77",
    service_tier="default",
    stop_reason="stop",
    first_byte_ms=420,
    latency_ms=1_250,
    bytes_in=800,
    bytes_out=600,
)


def held(**changes: Any) -> Held:
    return replace(_HELD, **changes)


def ended(**changes: Any) -> Ended:
    return replace(_ENDED, **changes)
