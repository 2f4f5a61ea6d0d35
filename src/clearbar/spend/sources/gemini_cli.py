"""Session files of Gemini CLI: one JSON document a session, or JSON lines.

Where: `~/.gemini/tmp/<project>/chats/session-*.json` and `.jsonl`, with subagents in folders below.
A message of the type `gemini` with `tokens` is a call.

Traps:

- `input` holds the cached tokens; `thoughts` and `tool` are counted beside input and output. So
  fresh input is input without cached, and tool; output is output and thoughts. Where a `total` is
  told, they have to sum to it.
- A message is appended again when its tokens or tools are known: the last telling with tokens
  counts. The list that a `$set` repeats tells of the same messages, and so does the JSON file that
  stays when a session is carried on as JSON lines.
- `$rewindTo` takes messages out of the conversation; they were billed, and stay. From a document
  they are gone, unless it was read before.
- What the answer does not tell is written as 0. A message of which all is 0 is a call of unknown
  usage, not a free one. A message without `tokens` is no call of its own: an answer with thoughts,
  text and tools becomes several messages, and one of them has the tokens.
- The `stats` of headless output are the total of a process, without a time, and its session file
  tells of the same calls one by one: they are refused, never added.

Never here: text of prompts, answers and thoughts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import MAX_QUANTITY, Origin, Record, label_text
from clearbar.spend.files.entry import Entry, provenance
from clearbar.spend.files.json_records import CUT_SHORT, NOT_JSON, without_lone_surrogates
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.entry import Counts, Provenance
    from clearbar.spend.files.source_file import Line, SourceFile

NAME: Final = "gemini_cli"
PARSER_VERSION: Final = 1
TITLE: Final = "Gemini CLI session files"
WHERE: Final = "~/.gemini/tmp/*/chats/**/*.json and *.jsonl"
CONVENTION: Final = (
    "Cached tokens are counted inside the input; thoughts beside the output, and what tools put "
    "into the prompt beside the input."
)

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_QUANTITY)]
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BEGINNING: Final = 4096
_MAX_PENDING: Final = 50_000
_STATS: Final = "the total of a headless run, which its session file tells call by call"
_ADD_SESSION: Final = "add the session's file, in ~/.gemini/tmp/*/chats"


class _Tokens(msgspec.Struct, gc=False):
    input: _Count | None = None
    output: _Count | None = None
    cached: _Count | None = None
    thoughts: _Count | None = None
    tool: _Count | None = None
    total: _Count | None = None


class _Message(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    timestamp: Any = None
    model: str | None = None
    tokens: _Tokens | None = None


class _Head(msgspec.Struct, gc=False, rename="camel"):
    """A document, a line, or what a `$set` sets."""

    session_id: str | None = None
    project_hash: str | None = None
    kind: str | None = None
    type: str | None = None
    messages: list[msgspec.Raw] | None = None
    set: _Head | None = msgspec.field(default=None, name="$set")
    stats: msgspec.Raw = msgspec.Raw()


class _Telling(msgspec.Struct, gc=False):
    """The latest telling of a message that has tokens."""

    message: _Message
    tokens: _Tokens
    place: Provenance
    origin: Origin
    session_id: str
    began_us: int
    lines: int = 1


_decode_head: Final = msgspec.json.Decoder(_Head).decode
_decode_message: Final = msgspec.json.Decoder(_Message).decode


class _Session:
    """What a file has told so far."""

    def __init__(self) -> None:
        self.tellings: dict[str, _Telling] = {}
        self._id = self._project = self._agent = ""

    def hear(self, payload: bytes, line: Line | None) -> Iterator[Problem]:
        """Take a document or a line; yield what of it does not add up."""
        number = line.number if line else None
        try:
            head = _decoded(_decode_head, payload)
        except QuarantineError as error:
            yield error.problem(number)
            return
        if bytes(head.stats) and head.messages is None and head.type in {None, "result"}:
            yield Problem(_STATS, _ADD_SESSION, number)
            return
        self._note(head)
        messages = head.messages or (head.set and head.set.messages) or []
        if head.type == "gemini":
            messages = [msgspec.Raw(payload)]
        for place, message in enumerate(messages, 1):
            entry = Entry(None, place if line is None else number, line)
            try:
                self._take(_decoded(_decode_message, bytes(message)), entry)
            except QuarantineError as error:
                yield error.problem(entry.number)

    def records(self) -> Iterator[Record]:
        """Yield the record of each message, and forget them."""
        for telling in self.tellings.values():
            yield _record(telling)
        self.tellings.clear()

    def _note(self, head: _Head) -> None:
        for told in (head, head.set or head):
            self._id = told.session_id or self._id
            self._project = told.project_hash or self._project
            self._agent = "subagent" if told.kind == "subagent" else self._agent

    def _take(self, message: _Message, entry: Entry) -> None:
        tokens = message.tokens
        if message.type != "gemini" or tokens is None:
            return
        if not message.id:
            raise QuarantineError("a call without an id")
        began_us = moment_us(message.timestamp, "timestamp")
        _meters(tokens)
        origin = _origin(message.model or "", self._project, self._agent)
        telling = _Telling(message, tokens, provenance(entry), origin, self._id, began_us)
        if held := self.tellings.get(message.id):
            telling.lines += held.lines
            telling.began_us = min(held.began_us, began_us)
        self.tellings[message.id] = telling


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes are those of a session or of headless output."""
    if not file.name.endswith((".json", ".jsonl")):
        return False
    head = file.head[:_BEGINNING]
    if b'"projectHash"' in head:
        return b'"sessionId"' in head
    if file.name.endswith(".jsonl"):
        first = head.partition(b"\n")[0].replace(b" ", b"")
        return b'"type":"init"' in first and b'"session_id"' in first and b'"model"' in first
    return all(name in file.head for name in (b'"stats"', b'"models"', b'"totalLatencyMs"'))


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each message with tokens.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    session, damage = _Session(), Damage()
    if file.name.endswith(".jsonl"):
        for line in damage.noted(file.lines()):
            yield from session.hear(line.payload, line)
            if len(session.tellings) > _MAX_PENDING:
                yield from session.records()
    else:
        yield from session.hear(file.document(), None)
    yield from session.records()
    damage.tell()


def _decoded(decode: Any, payload: bytes) -> Any:
    try:
        return decode(payload)
    except (ValueError, RecursionError):
        pass
    try:
        return decode(without_lone_surrogates(payload))
    except msgspec.ValidationError as error:
        raise QuarantineError(f"a message is broken: {error}") from error
    except (ValueError, RecursionError) as error:
        raise QuarantineError(NOT_JSON, CUT_SHORT) from error


def _record(telling: _Telling) -> Record:
    message, tokens = telling.message, telling.tokens
    told = (tokens.input, tokens.output, tokens.cached, tokens.thoughts, tokens.tool, tokens.total)
    key = message.id or ""
    meters: Counts = _meters(tokens) if any(told) else {}
    return Record(
        identity=identity.client(
            NAME, key if _UUID.fullmatch(key) else f"{telling.session_id}:{key}"
        ),
        evidence="client",
        origin=telling.origin,
        started_at_us=telling.began_us,
        usage="final" if meters else "missing",
        **meters,
        session_id=telling.session_id,
        lines=telling.lines,
        **telling.place,
    )


def _meters(tokens: _Tokens) -> Counts:
    parts = (tokens.input, tokens.output, tokens.thoughts, tokens.tool)
    if tokens.total and tokens.total != sum(part or 0 for part in parts):
        raise QuarantineError(
            "the kinds of tokens do not sum to the total",
            "input, output, thoughts and tool should; cached tokens are a part of the input",
        )
    return {
        "input_tokens": _sum(rest_of(tokens.input, "input", cached=tokens.cached), tokens.tool),
        "cache_read_tokens": tokens.cached,
        "output_tokens": _sum(tokens.output, tokens.thoughts),
        "reasoning_tokens": tokens.thoughts,
    }


def _sum(first: int | None, second: int | None) -> int | None:
    if first is second is None:
        return None
    return quantity((first or 0) + (second or 0), "the sum of two kinds of tokens")


@lru_cache(maxsize=4096)
def _origin(model: str, project: str, agent: str) -> Origin:
    return Origin(
        source=NAME,
        provider="google",
        model=model,
        service="gemini-cli",
        labels=label_text({"project_hash": project, "agent": agent}),
    )
