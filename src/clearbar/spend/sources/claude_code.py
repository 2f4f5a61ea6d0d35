"""Session logs of Claude Code: JSON lines, one file a session.

Where: `~/.claude/projects/<project>/<session>.jsonl`, with `subagents/` below; also under
`~/.config/claude/projects`. A line with `message.usage` tells of a call to the Messages API; so
does one that wraps such a line in `data.message` (the progress of an agent). Other lines are no
charges.

One call stands on several lines, one per block of content or stage of the stream, with the same
`message.id` but early figures for the output, and again in the logs of side chains and resumed
sessions. Of the lines of a message the best one is the record, whole: not of a side chain, then
with a stop reason, then the highest output, then the latest. The call began at the earliest time
that any of its lines tells. `requestId` is no key: it is missing behind some gateways and new in
a replay. It is an alias, as others may know the call by it.

Some relays give one `message.id` to all calls. Where its lines tell of more than two inputs, or of
two that are ten minutes apart, each input is a call (see `spend.worn`).

Fresh input, cache reads and cache writes stand beside each other; thinking is a part of the
output. Compaction and advice are calls of their own, in `usage.iterations` only. Messages of the
model `<synthetic>` were written by the client; they count as calls without tokens. `costUSD`
(old versions) is the client's own estimate.

Other agents write lines with a session, ids and messages too; they are not taken for these. What
Claude Code tells its status line is the sum of a session, and is refused; so are lines with counts
beside the message and no id of it (`inputTokens`), which no version is known to have written.

Never here: text of prompts or answers.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from functools import lru_cache
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of, label_text
from clearbar.spend.files.json_records import CUT_SHORT
from clearbar.spend.files.quarantine import QuarantineError, usd
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import microseconds, moment_us
from clearbar.spend.shapes.message_calls import further_records
from clearbar.spend.shapes.messages_usage import MessageUsage, cache_writes, thinking
from clearbar.spend.shapes.session_lines import Line, Message, layout_of, line_of, unwrapped
from clearbar.spend.worn import is_worn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "claude_code"
PARSER_VERSION: Final = 2
TITLE: Final = "Claude Code session logs"
WHERE: Final = "~/.claude/projects/**/*.jsonl and ~/.config/claude/projects/**/*.jsonl"
CONVENTION: Final = (
    "Cached tokens are counted beside the input; thinking is counted inside the output."
)

_USAGE: Final = b'"usage"'
_STATUS_LINE: Final = (b'"transcript_path"', b'"total_cost_usd"', b'"session_id"')
_TRANSCRIPT: Final = "add the session's own log instead, which transcript_path names"
_WITHOUT_ID: Final = "counts beside a message without its id: lines may repeat a call"
_ORIGINAL: Final = "add the logs as Claude Code writes them: a message with its id and its usage"
_MAX_PENDING: Final = 50_000
_MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
_CLOUDS: Final = {"msg_bdrk_": "aws", "msg_vrtx_": "google"}
_NO_GEO: Final = (None, "not_available")


class _Telling(msgspec.Struct, gc=False):
    """The best line so far that tells of a message."""

    line: Line
    message: Message
    usage: MessageUsage
    moment: datetime
    final: int
    raw: bytes
    """Empty once its length and digest are known."""
    number: int
    offset: int
    first: datetime
    lines: int = 1
    length: int = 0
    digest: str = ""

    def yields_to(self, final: int, output: int, moment: datetime, raw: bytes) -> bool:
        """Return whether a line of this standing is better."""
        if final != self.final:
            return final > self.final
        if output != (held := self.usage.output_tokens or 0):
            return output > held
        if moment != self.moment:
            return moment > self.moment
        self.let_go()
        return digest_of(_payload(raw)) > self.digest

    def let_go(self) -> None:
        """Take length and digest of the bytes and hold them no longer."""
        if self.raw:
            payload = _payload(self.raw)
            self.length, self.digest, self.raw = len(payload), digest_of(payload), b""


class _Session:
    """What a file has told so far: the best line of each message."""

    def __init__(self) -> None:
        self._tellings: dict[str, _Telling] = {}
        self._others: dict[str, dict[int, _Telling]] = {}
        """Of messages whose lines tell of several inputs: those of other inputs than the first."""
        self._latest: _Telling | None = None
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether more should not be held at once."""
        return len(self._tellings) > _MAX_PENDING or self._bytes > _MAX_PENDING_BYTES

    def hear(self, line: Line, raw: bytes, number: int, offset: int) -> None:
        """Keep a line where it is the best of its message."""
        message = line.message
        if message is None or message.usage is None:
            if inner := unwrapped(line):
                self.hear(inner, raw, number, offset)
            return
        usage, moment = message.usage, line.timestamp
        key = message.id or line.request_id or line.uuid
        if moment is None or not key:
            raise QuarantineError(f"a usage without {'an id' if moment else 'a timestamp'}")
        final = (0 if line.is_sidechain else 2) + (1 if message.stop_reason else 0)
        tellings, place = self._place(key, usage)
        telling = tellings.get(place)
        if self._latest is not None and telling is not self._latest:
            self._latest.let_go()  # the lines of a message mostly follow each other
        if telling is None:
            telling = _Telling(line, message, usage, moment, final, raw, number, offset, moment)
            tellings[place] = telling
        else:
            telling.lines += 1
            telling.first = min(telling.first, moment)
            if telling.yields_to(final, usage.output_tokens or 0, moment, raw):
                telling.line, telling.message, telling.usage = line, message, usage
                telling.moment, telling.final = moment, final
                telling.raw, telling.number, telling.offset = raw, number, offset
        self._latest = telling
        self._bytes += len(raw)

    def _place(self, key: str, usage: MessageUsage) -> tuple[dict[Any, _Telling], str | int]:
        """Return where the best line of a call is kept: by message; other inputs by input."""
        first = self._tellings.get(key)
        if first is None or usage.is_given_as(first.usage):
            return self._tellings, key
        given = usage.given
        if given == first.usage.given:
            return self._tellings, key
        return self._others.setdefault(key, {}), given

    def records(self) -> Iterator[Record | Problem]:
        """Yield the record of each message, and of each further call inside it."""
        for telling in self._called():
            telling.let_go()
            try:
                record = _record(telling)
                yield record
                if telling.usage.iterations:
                    yield from further_records(record, telling.usage)
            except QuarantineError as error:
                yield error.problem(telling.number)

    def _called(self) -> Iterator[_Telling]:
        """Yield the best line of each message; of an id that a relay gave to many, of each call."""
        for key, telling in self._tellings.items():
            if key not in self._others:
                yield telling
                continue
            all_told = [telling, *self._others[key].values()]
            inputs = {each.usage.given for each in all_told} - {0}
            began = [each.first for each in all_told]
            if is_worn(inputs, round((max(began) - min(began)).total_seconds() * 1e6)):
                yield from all_told
            else:
                yield _best(all_told)


def recognises(file: SourceFile) -> bool:
    """Return whether the first lines are of a session, or of a sum that is to be refused."""
    if file.name.endswith(".json"):
        return _is_of_status_line(file.head)
    return file.name.endswith(".jsonl") and bool(layout_of(file.head))


def _is_of_status_line(head: bytes) -> bool:
    return head.lstrip().startswith(b"{") and all(mark in head for mark in _STATUS_LINE)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each message and for each further call inside it.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    if _is_of_status_line(file.head):
        yield Problem("what Claude Code tells its status line: the sum of a session", _TRANSCRIPT)
        return
    if layout_of(file.head) == "beside":
        yield Problem(_WITHOUT_ID, _ORIGINAL)
        return
    session = _Session()
    damage = Damage()
    for first, offset, lines in damage.noted(file.blocks()):
        for number, raw in enumerate(lines, first):
            try:
                if _USAGE in raw:
                    session.hear(line_of(raw), raw, number, offset)
                else:
                    _check_whole(raw)
            except QuarantineError as error:
                yield error.problem(number)
            offset += len(raw)  # noqa: PLW2901 - it runs along with the lines
        if session.is_full:
            yield from session.records()
            session = _Session()
    yield from session.records()
    damage.tell()


def _best(tellings: list[_Telling]) -> _Telling:
    """Return the best line of several of one message."""
    for telling in tellings:
        telling.let_go()
    best = max(
        tellings, key=lambda it: (it.final, it.usage.output_tokens or 0, it.moment, it.digest)
    )
    best.first = min(telling.first for telling in tellings)
    best.lines = sum(telling.lines for telling in tellings)
    return best


def _payload(raw: bytes) -> bytes:
    """Return a line without its end, which the last line of a file may lack."""
    return raw.rstrip(b"\r\n")


def _check_whole(raw: bytes) -> None:
    if raw.startswith(b"{") and raw.endswith(b"}\n"):
        return  # nearly every line; stripping a long one copies it
    payload = raw.strip()
    if payload and not (payload.startswith(b"{") and payload.endswith(b"}")):
        raise QuarantineError("not a JSON object", CUT_SHORT)


def _record(telling: _Telling) -> Record:
    line, message, usage = telling.line, telling.message, telling.usage
    message_id = message.id or ""
    upstream = message_id.startswith("msg_")
    client_key = message_id or line.request_id or line.uuid or ""
    provider = _CLOUDS.get(message_id[:9], "anthropic")
    writes_5m, writes_1h, writes_other = cache_writes(usage)
    began_us = moment_us(telling.first, "timestamp")
    once = telling.moment is telling.first
    return Record(
        identity=identity.upstream("anthropic", message_id)
        if upstream
        else identity.client(NAME, client_key),
        evidence="client",
        origin=_origin(
            provider,
            message.model or "",
            line.cwd or "",
            line.git_branch or "",
            line.agent_id or ("sidechain" if line.is_sidechain else ""),
        ),
        started_at_us=began_us,
        seen_at_us=began_us if once else microseconds(telling.moment),
        usage="missing" if usage.input_tokens is usage.output_tokens is None else "final",
        final=telling.final,
        service_tier=usage.service_tier or "",
        speed=usage.speed or "",
        geo="" if usage.inference_geo in _NO_GEO else usage.inference_geo,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_5m_tokens=writes_5m,
        cache_write_1h_tokens=writes_1h,
        cache_write_tokens=writes_other,
        output_tokens=usage.output_tokens,
        reasoning_tokens=thinking(usage),
        web_searches=usage.server_tool_use.web_search_requests if usage.server_tool_use else None,
        reported_cost_usd=usd(line.cost_usd, "costUSD"),
        aliases=_aliases(provider, message_id, line.request_id),
        upstream_id=message_id if upstream else "",
        session_id=line.session_id or "",
        line=telling.number,
        offset=telling.offset,
        length=telling.length,
        digest=telling.digest,
        lines=telling.lines,
    )


def _aliases(provider: str, message_id: str, request_id: str | None) -> str:
    """Return what others may call the message: the request's id; the id that a relay passed on."""
    asked = identity.upstream(provider, request_id) if request_id else ""
    relayed = not message_id.startswith("msg_") and identity.is_provider_id(message_id)
    if not relayed:
        return asked
    return identity.alias_text(asked, identity.upstream(provider, message_id))


@lru_cache(maxsize=4096)
def _origin(provider: str, model: str, cwd: str, branch: str, agent: str) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    return Origin(
        source=NAME,
        provider=provider,
        model=model,
        project=PureWindowsPath(cwd).name,
        service="claude-code",
        labels=label_text({"cwd": cwd, "branch": branch, "agent": agent}),
    )
