"""W3C trace context, as it came in and as it is passed on. Pure.

Levels 1 and 2 of the recommendation: what is malformed is as good as not there, and a `tracestate`
without a sound `traceparent` means nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TRACEPARENT: Final = re.compile(
    rb"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\x00-\x20\x7f]*)?[ \t]*"
)
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
_MAX_TRACEPARENT: Final = 512
_MAX_MEMBERS: Final = 32
_MAX_TRACESTATE: Final = 8192
_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)


class TraceParent(NamedTuple):
    """What a `traceparent` says."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits: the caller's span."""
    sampled: bool


def read_traceparent(value: bytes) -> TraceParent | None:
    """Return what the header says; None where it is malformed, so that a new trace begins.

    Of a version above 00 the known fields are read; version 00 has nothing after its flags.
    """
    if len(value) > _MAX_TRACEPARENT or (found := _TRACEPARENT.fullmatch(value)) is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceParent(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & 1))


def traceparent(trace_id: str, span_id: str, *, sampled: bool) -> bytes:
    """Return the header that tells the next one of this span."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}".encode("ascii")


def read_tracestate(values: list[bytes]) -> bytes:
    """Return the members of all `tracestate` headers as one; empty where any of it is malformed."""
    try:
        text = b",".join(values).decode("ascii")
    except UnicodeDecodeError:
        return b""
    members = [member for each in text.split(",") if (member := each.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    sound = len(text) <= _MAX_TRACESTATE and len(members) <= _MAX_MEMBERS
    if not sound or len(keys) < len(members) or not all(map(_MEMBER.fullmatch, members)):
        return b""
    return ",".join(members).encode("ascii")
