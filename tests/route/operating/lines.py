"""Lines of a journal for those who watch it: one call, whole and reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.route import lines

if TYPE_CHECKING:
    from clearbar.route.journal.entry import Ended, Held

AT_US: Final = 1_795_000_000_000_000
NANO: Final = 10**9
_HELD: Final[dict[str, Any]] = lines.TRACE | {
    "at_us": AT_US,
    "arm": "passed",
    "workflow": "support-replies",
    "tool": "openai",
    "key": "abcdefgh",
    "team": "support",
    "user": "u-17",
    "task": "ticket-9",
    "environment": "production",
    "labels": '{"city":"Oslo"}',
    "parent_span_id": "00f067aa0ba902b7",
    "accounts": ("workflow:support-replies/2026-11",),
    "amount_nusd": 4_000_000,
    "input_tokens": 100,
    "output_tokens": 500,
    "worker": "w1",
}
_ENDED: Final[dict[str, Any]] = {
    "at_us": AT_US + 1_250_000,
    "usage": {"input_tokens": 90, "cache_read_tokens": 10, "output_tokens": 20},
    "known": "reported",
    "cost_nusd": 2_100_000,
    "model": "gpt-4o-mini-2024-07-18",
    "upstream_id": "chatcmpl-77",
    "service_tier": "default",
    "stop_reason": "stop",
    "first_byte_ms": 420,
    "latency_ms": 1_250,
    "bytes_in": 800,
    "bytes_out": 600,
}


def held(**changes: Any) -> Held:
    return lines.held(**(_HELD | changes))


def ended(**changes: Any) -> Ended:
    return lines.ended(**(_ENDED | changes))
