"""Session logs of Codex (CLI, IDE and app): JSON lines, one file a thread.

Where: `~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl` and `~/.codex/archived_sessions/`, also under
`CODEX_HOME`. A `token_count` event is a call where its running total rose; a `token_usage_record`
is a call, with the provider's own id.

Traps:

- `total_token_usage` is a running total, and events are written again whenever the display changes.
  Only what the total rose by is used; an event that repeats it adds nothing. `total_tokens` is not
  looked at: when the context is full, Codex fills it up to the window.
- A total that falls began anew, and all of it is used. It did not where an earlier event is
  repeated out of order, or where the call was added to an earlier total after a step back.
- A fork or a subagent begins with a copy of its parent's events, mostly with new timestamps. So a
  call is known by the thread that it happened in and the total after it. The turn's id tells the
  thread (a UUID of version 7 holds its time), else the time on the line. Both leave it open in the
  half minute after a fork; the oldest thread known then stands for it. What cannot be known there:
  whether equal totals of two forks are one call (they count once), and without turn ids whether a
  fork of a fork copied from its parent or from an older thread (it may count twice).
- A fork whose parent's file is gone still holds the parent's calls: they count, at the time that
  their line tells. One that holds no copy and goes on from the parent's total counts from its first
  own call. An archived copy is the same thread.
- A file that names no thread is known by its first line. A copy of it with other timestamps is the
  same from the fifth call on, if all totals before are; a shorter one cannot be told from a thread
  of its own.
- A compaction of its own is in `token_usage_record` only; the running total leaves it out.
- The model is the event's, else the latest turn's; none is guessed. The tier asked for, not known
  to be the one served, and the plan of a subscription are labels.

Never here: text of prompts or answers. `info: null` only tells of limits.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of
from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import decode, fields
from clearbar.spend.files.quarantine import QuarantineError, rest_of
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.codex_lines import (
    Circumstances,
    Info,
    Line,
    Told,
    check_whole,
    event_of,
    line_of,
    may_tell,
    milliseconds,
)
from clearbar.spend.shapes.cumulative_usage import (
    Addition,
    CumulativeCounter,
    TokenUsage,
    check_parts,
)
from clearbar.spend.shapes.thread_family import Descent, ThreadFamily, uuid7_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "codex"
PARSER_VERSION: Final = 1
TITLE: Final = "Codex session logs"
WHERE: Final = "~/.codex/sessions/**/*.jsonl and ~/.codex/archived_sessions/**/*.jsonl"
CONVENTION: Final = (
    "Running totals; cached tokens are counted inside the input, reasoning inside the output."
)

_MAX_PENDING: Final = 50_000
_KEPT: Final = 100
"""Calls of which the next lines may tell again."""
_LONG_PREFIX: Final = 5
_UNNAMED: Final = "first-line-"
_NAMED: Final = re.compile(r"rollout-.*-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl")
_OWN, _UNDECIDED, _COPIED = 2, 1, 0
"""Which telling of a call counts: that of the thread it happened in."""


class _Call(msgspec.Struct, gc=False):
    """A call, and the first line that told of it."""

    used: TokenUsage
    place: str
    """Its thread and the running total after it; empty where none is told."""
    descent: Descent
    started_at_us: int
    origin: Origin
    number: int
    offset: int
    length: int
    digest: str
    final: int
    response_id: str = ""
    lines: int = 1


class _Thread:
    """What a file has told so far."""

    def __init__(self, file: SourceFile) -> None:
        named = _NAMED.fullmatch(file.name)
        first_line = file.head.partition(b"\n")[0].rstrip()
        self._named = named[1] if named else ""
        self._unnamed = "" if named else _UNNAMED + digest_of(first_line)
        self._totals, self._chain = 0, sha256()
        self._family = ThreadFamily()
        self._counter = CumulativeCounter()
        self._calls: list[_Call] = []
        self._counted: _Call | None = None
        """The call that the running total told last."""
        self._by_response: dict[str, _Call] = {}
        self._unechoed: dict[tuple[int, int, int], list[_Call]] = {}
        self._turn_ms: int | None = None
        self._owner = ""
        self._now = Circumstances()
        self._hearers: dict[str, Callable[[Line, Told], None]] = {
            "session_meta": self._hear_meta,
            "turn_context": self._hear_turn,
            "event_msg": self._hear_event,
            "token_usage_record": self._hear_usage,
        }

    @property
    def is_full(self) -> bool:
        """Whether more should not be held at once."""
        return len(self._calls) > _MAX_PENDING

    def hear(self, line: Line, at: Told) -> None:
        """Take a line.

        Raises:
            QuarantineError: when it tells of a call that does not add up.
        """
        if hearer := self._hearers.get(line.type):
            hearer(line, at)

    def records(self, keep: int = 0) -> Iterator[Record]:
        """Yield the record of each call but the last few, and forget these calls."""
        done = len(self._calls) - keep
        yield from map(_record, self._calls[:done])
        self._calls = self._calls[done:]
        self._by_response = {call.response_id: call for call in self._calls if call.response_id}
        self._unechoed.clear()
        for call in self._calls:
            self._await_echo(call)

    def _hear_meta(self, line: Line, _: Told) -> None:
        meta = fields(decode(bytes(line.payload)))
        self._now.begin(meta, is_own=not len(self._family))
        own = text(meta.get("id")) or text(meta.get("session_id"))
        self._family.add(own, milliseconds(meta.get("timestamp") or line.timestamp))
        spawn = fields(fields(fields(meta.get("source")).get("subagent")).get("thread_spawn"))
        for name in ("forked_from_id", "parent_thread_id", "session_id"):
            self._family.add(text(meta.get(name)) or text(spawn.get(name)))

    def _hear_turn(self, line: Line, _: Told) -> None:
        turn = event_of(line)
        self._now.model, self._now.cwd = turn.model or self._now.model, turn.cwd or self._now.cwd
        self._turn_ms = uuid7_ms(turn.turn_id or "")

    def _hear_event(self, line: Line, at: Told) -> None:
        event = event_of(line)
        if event.type == "task_started":
            self._turn_ms = uuid7_ms(event.turn_id or "") or milliseconds(event.started_at)
        elif event.type == "thread_settings_applied" and event.thread_settings:
            self._now.tier_asked = event.thread_settings.service_tier or ""
        elif event.type == "token_count":
            self._now.plan = (event.rate_limits and event.rate_limits.plan_type) or self._now.plan
            if event.info:
                self._hear_count(event.info, line, at)

    def _hear_count(self, info: Info, line: Line, at: Told) -> None:
        total, last = info.total_token_usage, info.last_token_usage
        if total is None:
            what = "a count without its running total"
            raise QuarantineError(what, "it cannot be told from a repetition of an earlier one")
        alone = len(self._family) < 2  # noqa: PLR2004 - of a family, a repetition may be another's
        if alone and self._counter.repeats(total):
            self._repeat()
            return
        told_us = moment_us(line.timestamp, "timestamp")
        descent = self._descent(told_us)
        begins = descent.certain and self._owner not in ("", descent.owner)
        if begins and last is not None and last.key == total.key:
            self._counter.begin_anew()
        self._owner = descent.owner
        added = self._counter.add(total, last, elsewhere=not alone)
        if added is None:
            self._repeat()
        elif waiting := self._unechoed.get(added.used.key):
            self._counted = call = waiting.pop()
            call.place, call.descent = self._place(added, descent), descent
            call.lines += 1
        else:
            origin, place = self._now.origin(info.model), self._place(added, descent)
            self._counted = self._keep(added.used, place, descent, told_us, origin, at)

    def _repeat(self) -> None:
        if self._counted:
            self._counted.lines += 1

    def _hear_usage(self, line: Line, at: Told) -> None:
        event = event_of(line)
        if event.usage is None or not event.response_id:
            raise QuarantineError("a usage without its counts or without an id")
        call = self._by_response.get(event.response_id) or self._count_of(event.usage)
        if call is None:
            told_us = moment_us(line.timestamp, "timestamp")
            origin = self._now.origin(event.model)
            call = self._keep(event.usage, "", self._descent(told_us), told_us, origin, at)
            self._await_echo(call)
        else:
            call.lines += 1
        call.response_id = event.response_id
        self._by_response[event.response_id] = call

    def _await_echo(self, call: _Call) -> None:
        """Note that the running total has not told of a call yet."""
        if not call.place:
            self._unechoed.setdefault(call.used.key, []).append(call)

    def _count_of(self, usage: TokenUsage) -> _Call | None:
        """Return the call that was told last, where only its count is known so far."""
        latest = self._calls[-1] if self._calls else None
        known = latest is not None and not latest.response_id and latest.used.key == usage.key
        return latest if known else None

    def _descent(self, told_us: int) -> Descent:
        if not len(self._family):
            self._family.add(self._named or self._unnamed)
        return self._family.descent(self._turn_ms, told_us // 1000)

    def _keep(
        self,
        used: TokenUsage,
        place: str,
        descent: Descent,
        told_us: int,
        origin: Origin,
        at: Told,
    ) -> _Call:
        check_parts(used)
        own = _OWN if descent.owner == self._family.own else _COPIED
        payload = at.raw.rstrip(b"\r\n")
        call = _Call(
            used,
            place,
            descent,
            told_us,
            origin,
            at.number,
            at.offset,
            len(payload),
            digest_of(payload),
            own if descent.certain else _UNDECIDED,
        )
        self._calls.append(call)
        return call

    def _place(self, added: Addition, descent: Descent) -> str:
        """Return what names a call wherever a copy of it stands: its thread and the total after it.

        Without a thread, a long run of the same totals is one; a short one may be chance.
        """
        told = ":".join(map(str, added.total.key))
        self._totals += 1
        if descent.owner == self._unnamed:
            self._chain.update(f"{told}|{added.used.key}|".encode())
            if self._totals >= _LONG_PREFIX:
                return f"totals-{self._chain.hexdigest()[:32]}"
        began_anew = f"#{added.resets}" if added.resets else ""
        return f"{descent.owner}:{told}{began_anew}"


def recognises(file: SourceFile) -> bool:
    """Return whether the first lines look like those of a thread."""
    if not file.name.endswith((".jsonl", ".ndjson")):
        return False
    head = file.head
    if b'"payload"' not in head:
        return False
    if b'"token_count"' in head and b'"total_token_usage"' in head:
        return True
    return b'"session_meta"' in head or (b'"turn_context"' in head and b'"model"' in head)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each call.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    thread = _Thread(file)
    damage = Damage()
    for first, offset, lines in damage.noted(file.blocks()):
        for number, raw in enumerate(lines, first):
            try:
                if may_tell(raw):
                    thread.hear(line_of(raw), Told(raw, number, offset))
                else:
                    check_whole(raw)
            except QuarantineError as error:
                yield error.problem(number)
            offset += len(raw)  # noqa: PLW2901 - it runs along with the lines
        if thread.is_full:
            yield from thread.records(_KEPT)
    yield from thread.records()
    damage.tell()


def _record(call: _Call) -> Record:
    used, owner = call.used, call.descent.owner
    by_place = identity.client(NAME, call.place) if call.place else ""
    return Record(
        identity=identity.upstream(call.origin.provider, call.response_id)
        if call.response_id
        else by_place,
        aliases=by_place if call.response_id else "",
        evidence="client",
        origin=call.origin,
        started_at_us=call.started_at_us,
        final=call.final,
        input_tokens=rest_of(
            used.input_tokens, "input_tokens", cached_input_tokens=used.cached_input_tokens
        ),
        cache_read_tokens=used.cached_input_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_output_tokens,
        upstream_id=call.response_id,
        session_id="" if owner.startswith(_UNNAMED) else owner,
        line=call.number,
        offset=call.offset,
        length=call.length,
        digest=call.digest,
        lines=call.lines,
    )
