"""A route that captures, who calls, and what is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.route.route import Caller, Capture, Route
from clearbar.route.wire.operation import operation_of
from clearbar.tools.tool import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.wire.operation import Operation

AT_US: Final = 1_793_525_400_000_000
"""2026-11-01T09:30:00Z."""
CALLER: Final = Caller("support-replies", "k1", task="ticket-9", run="run-3")
CHAT: Final = operation_of("POST", "/v1/chat/completions", [])
ROUTE: Final = Route("support-replies", tool="gpt-mini", capture=Capture(redact=(r"\d{13,16}",)))


def captured_by(**settings: Any) -> Route:
    return replace(ROUTE, capture=Capture(**settings))


def body(asked: str, prompt: str = "Be brief.") -> bytes:
    return msgspec.json.encode({"input": asked, "prompt": prompt})


def read(operation: Operation, body: bytes) -> Request:
    """Stand for the reader of wire shapes: these bodies say input and prompt by name."""
    del operation
    told = msgspec.json.decode(body, type=dict[str, str])
    return Request(told["input"], told["prompt"])


def soon(what: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
