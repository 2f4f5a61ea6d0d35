"""Lines of a session that Claude Code logs: those fields of them that tell of a call."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal  # noqa: TC003 - msgspec reads the annotations
from typing import Annotated, Any, Final, Literal

import msgspec

from clearbar.spend.files.json_records import decode, fields, without_lone_surrogates
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.messages_usage import MessageUsage  # noqa: TC001 - as above

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Message(msgspec.Struct, gc=False):
    """An answer, or a stage of it."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: MessageUsage | None = None


class Line(msgspec.Struct, gc=False, rename="camel"):
    """A line of a session, or one that another wraps."""

    message: Message | None = None
    timestamp: _Moment | None = None
    is_sidechain: bool = False
    session_id: str | None = None
    request_id: str | None = None
    uuid: str | None = None
    cwd: str | None = None
    git_branch: str | None = None
    agent_id: str | None = None
    cost_usd: Decimal | None = msgspec.field(default=None, name="costUSD")
    data: _Progress | None = None


class _Progress(msgspec.Struct, gc=False, rename="camel"):
    message: Line | None = None
    agent_id: str | None = None


_LOOKED_AT: Final = 64
_HOUSEKEEPING: Final = frozenset(
    {"queue-operation", "custom-title", "agent-name", "last-prompt", "permission-mode", "pr-link"}
)
"""Types of lines that tell of a session and not of what was said in it."""
_COUNTS_BESIDE: Final = frozenset({"costUSD", "inputTokens", "outputTokens"})
_decode: Final = msgspec.json.Decoder(Line).decode


def layout_of(head: bytes) -> Literal["", "session", "beside"]:
    """Return what a file's first lines are of: a session, or calls with counts beside a message.

    Other agents name a session, ids and messages by the same words; only lines whose whole make is
    Claude Code's count. Of a line that is cut or damaged its text is looked at.
    """
    beside = False
    for line in head.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]:
        try:
            value = decode(line) if line.strip() else None
        except QuarantineError:
            if b'"isSidechain"' in line and (b'"sessionId"' in line or b'"parentUuid"' in line):
                return "session"
            continue
        if isinstance(value, dict):
            if _is_of_session(value):
                return "session"
            beside = beside or (value.get("type") == "assistant" and value.keys() >= _COUNTS_BESIDE)
    return "beside" if beside else ""


def _is_of_session(line: dict[str, Any]) -> bool:
    kind = line.get("type") if isinstance(line.get("type"), str) else ""
    if isinstance(line.get("isSidechain"), bool):
        return "sessionId" in line or "uuid" in line
    if kind == "file-history-snapshot":
        return "snapshot" in line
    if "leafUuid" in line:
        return kind in {"summary", *_HOUSEKEEPING}
    if "sessionId" not in line:
        return False
    message = line.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    return kind in _HOUSEKEEPING or (isinstance(usage, dict) and "input_tokens" in usage)


def line_of(raw: bytes) -> Line:
    """Return a line; where it is not as expected, an empty one unless it tells of a usage."""
    try:
        return _decode(raw)
    except (ValueError, RecursionError):
        value = fields(decode(raw))
    inner = fields(fields(value.get("data")).get("message"))
    if not any(fields(outer.get("message")).get("usage") for outer in (value, inner)):
        return Line()
    try:
        return _decode(without_lone_surrogates(raw))
    except (ValueError, RecursionError) as error:
        raise QuarantineError(f"the usage of a message is broken: {error}") from error


def unwrapped(line: Line) -> Line | None:
    """Return the line of an agent that a progress line wraps, with the session it belongs to."""
    inner = line.data and line.data.message
    if not line.data or not inner or not inner.message or not inner.message.usage:
        return None
    inner.is_sidechain = True
    inner.timestamp = inner.timestamp or line.timestamp
    inner.session_id = inner.session_id or line.session_id
    inner.agent_id = inner.agent_id or line.data.agent_id
    inner.cwd = inner.cwd or line.cwd
    inner.git_branch = inner.git_branch or line.git_branch
    return inner
