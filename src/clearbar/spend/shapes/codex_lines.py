"""The lines of Codex' logs, with only the fields that tell of usage, and what holds around them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PureWindowsPath
from typing import Any, Final

import msgspec

from clearbar.spend.charge import Origin, label_text
from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import CUT_SHORT, decode, fields, without_lone_surrogates
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.cumulative_usage import TokenUsage  # noqa: TC001 - msgspec reads the annotations
from clearbar.spend.shapes.provider_names import provider_named

_NEEDLES: Final = (
    b'"token_count"',
    b'"session_meta"',
    b'"turn_context"',
    b'"task_started"',
    b'"token_usage_record"',
    b'"thread_settings_applied"',
    b'"thread.started"',
    b'"turn.completed"',
)
_RESPONSE_ITEM: Final = b'"type":"response_item"'
_LATEST_TYPE: Final = 120
"""Bytes within which a line says its type: nearly all bytes of a log are in lines of one type."""
_TELLING: Final = frozenset({"token_count", "task_started", "thread_settings_applied"})


class Line(msgspec.Struct, gc=False):
    """Any line; `thread_id` and `usage` stand there in headless output only."""

    type: str = ""
    timestamp: Any = None
    payload: msgspec.Raw = msgspec.Raw(b"null")
    thread_id: str | None = None
    usage: TokenUsage | None = None


class Told(msgspec.Struct, gc=False):
    """Where a line stands."""

    raw: bytes
    number: int
    offset: int


class Info(msgspec.Struct, gc=False):
    """What a `token_count` counts."""

    total_token_usage: TokenUsage | None = None
    last_token_usage: TokenUsage | None = None
    model: str | None = None


class Limits(msgspec.Struct, gc=False):
    """What a `token_count` tells of the subscription."""

    plan_type: str | None = None


class Settings(msgspec.Struct, gc=False):
    """What a thread asks for from now on."""

    service_tier: str | None = None


class Event(msgspec.Struct, gc=False):
    """The payload of any line but `session_meta`."""

    type: str = ""
    info: Info | None = None
    rate_limits: Limits | None = None
    turn_id: str | None = None
    started_at: float | None = None
    model: str | None = None
    cwd: str | None = None
    thread_settings: Settings | None = None
    response_id: str | None = None
    usage: TokenUsage | None = None


_decode_line: Final = msgspec.json.Decoder(Line).decode
_decode_event: Final = msgspec.json.Decoder(Event).decode


def may_tell(raw: bytes) -> bool:
    """Return whether a line may be one that is of interest."""
    if raw.find(_RESPONSE_ITEM, 0, _LATEST_TYPE) >= 0:
        return False
    return any(needle in raw for needle in _NEEDLES)


def check_whole(raw: bytes) -> None:
    """Check that a line which is not looked into is an object at least.

    Raises:
        QuarantineError: when it was cut short.
    """
    if raw.startswith(b"{") and raw.endswith(b"}\n"):
        return  # nearly every line; stripping a long one copies it
    payload = raw.strip()
    if payload and not (payload.startswith(b"{") and payload.endswith(b"}")):
        raise QuarantineError("not a JSON object", CUT_SHORT)


def line_of(raw: bytes) -> Line:
    """Return a line; an empty one where it is JSON of another kind.

    Raises:
        QuarantineError: when it is no JSON, or tells a usage that cannot be.
    """
    try:
        return _decode_line(raw)
    except (ValueError, RecursionError):
        value = fields(decode(raw))
    if value.get("type") != "turn.completed" and not isinstance(value.get("payload"), dict):
        return Line()
    try:
        return _decode_line(without_lone_surrogates(raw))
    except (ValueError, RecursionError) as error:
        raise QuarantineError(f"the usage of a turn is broken: {error}") from error


def event_of(line: Line) -> Event:
    """Return the payload of a line; an empty one where it tells nothing of usage.

    Raises:
        QuarantineError: when it tells a usage that cannot be.
    """
    payload = bytes(line.payload)
    try:
        return _decode_event(payload)
    except (ValueError, RecursionError) as error:
        if line.type == "event_msg" and text(fields(decode(payload)).get("type")) not in _TELLING:
            return Event()
        try:
            return _decode_event(without_lone_surrogates(payload))
        except (ValueError, RecursionError):
            raise QuarantineError(f"an event of usage is broken: {error}") from error


def milliseconds(value: object) -> int | None:
    """Return a moment as milliseconds since 1970; None where it cannot be read."""
    try:
        return moment_us(value, "timestamp") // 1000
    except QuarantineError:
        return None


class Circumstances:
    """What holds for the calls that follow, as the lines before told it."""

    def __init__(self) -> None:
        self.provider = "openai"
        """Codex' own default, which old versions do not tell."""
        self.model = self.cwd = self.plan = self.tier_asked = ""
        self._branch = self._agent = ""

    def begin(self, meta: dict[str, Any], *, is_own: bool) -> None:
        """Take what a `session_meta` tells, of the file's own thread or of an older one."""
        self.cwd = text(meta.get("cwd")) or self.cwd
        if is_own:
            self.provider = provider_named(text(meta.get("model_provider"))) or self.provider
            self._branch = text(fields(meta.get("git")).get("branch"))
            told = fields(meta.get("source")).get("subagent")
            self._agent = told if isinstance(told, str) else "subagent" if told else ""

    def origin(self, model: str | None) -> Origin:
        """Return the origin of a call of this model, else of the turn's."""
        labels = (self.cwd, self._branch, self._agent, self.plan, self.tier_asked)
        return _origin(self.provider, model or self.model, labels)


_LABELS: Final = ("cwd", "branch", "agent", "plan", "tier_asked")


@lru_cache(maxsize=4096)
def _origin(provider: str, model: str, labels: tuple[str, ...]) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    return Origin(
        source="codex",
        provider=provider,
        model=model,
        project=PureWindowsPath(labels[0]).name,
        service="codex",
        labels=label_text(dict(zip(_LABELS, labels, strict=True))),
    )
