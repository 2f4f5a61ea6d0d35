"""Sessions of opencode: its SQLite database, its older JSON files, and exported sessions.

Where: `~/.local/share/opencode/opencode*.db`; `storage/message/**/msg_*.json` of versions before
1.2; what `opencode export` prints. A message of the assistant with `tokens` is a call.

Traps:

- A call stands in its message and again in the message's `step-finish` parts: only messages are
  read. In older versions a message may be of several steps; its tokens are then those of the
  last, and only `cost` is of all.
- `output` leaves reasoning out, and both are billed as output: they are added. Cache reads and
  writes stand beside `input`. `total` is what the provider called so, with or without the cache,
  and is not looked at.
- `cost` is opencode's own estimate; 0 stands where it knew no price and on a subscription, so that
  0 beside tokens is no cost at all.
- A message that is not completed tells what it had used so far; one of zeros alone is a call of
  unknown usage. Ids that begin with `msg_` are opencode's own, not Anthropic's.
- A forked session copies its messages under new ids, with their times and tokens. So a message is
  known by its times, model and tokens, in JSON and in the database alike; its id is an alias.
- What opencode wrote last may stand in the database's `-wal` file, which is not read: the database
  is opened as it stands, never written to, and no file appears beside it. Quit opencode first.

Never here: parts, and so the text of prompts and answers.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of, label_text
from clearbar.spend.files.entry import Counts, each_record, text
from clearbar.spend.files.json_records import decode, fields, items
from clearbar.spend.files.quarantine import QuarantineError, quantity, usd
from clearbar.spend.files.sqlite_rows import SQLITE_MAGIC, SqliteTables
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "opencode"
PARSER_VERSION: Final = 1
TITLE: Final = "opencode sessions"
WHERE: Final = "~/.local/share/opencode/opencode*.db, storage/message/**/*.json, opencode export"
CONVENTION: Final = (
    "Cache reads and writes are counted beside the input; reasoning beside the output."
)

_ROLE: Final = (b'"role"', b'"assistant"', b'"sessionID"', b'"tokens"', b'"providerID"')
_EXPORTED: Final = (b'"info"', b'"messages"', b'"sessionID"', b'"directory"')
_TABLES: Final = ("message", "session_message")
_MAX_SESSIONS: Final = 200_000
_UNSEEN: Final = "what was written last is not in the database yet"
_QUIT: Final = "quit opencode, so that it writes its log into the database, and add it again"


def recognises(file: SourceFile) -> bool:
    """Return whether it is opencode's database, a message of the assistant, or an export."""
    head = file.head
    if head.startswith(SQLITE_MAGIC):
        named = file.name.startswith("opencode") and file.name.endswith(".db")
        return named or (b"CREATE TABLE `message`" in head and b"CREATE TABLE `part`" in head)
    if not file.name.endswith(".json"):
        return False
    return all(name in head for name in _ROLE) or all(name in head for name in _EXPORTED)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each message of the assistant that tells its tokens.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    is_database = file.head.startswith(SQLITE_MAGIC)
    return each_record(_of_database(file) if is_database else _of_document(file), _record)


class _Found(NamedTuple):
    """A message, and where it stands: `number` is its row, or its place in an export."""

    message: dict[str, Any]
    number: int | None
    key: str = ""
    session_id: str = ""
    directory: str = ""
    digest: str = ""


def _of_database(file: SourceFile) -> Iterator[_Found | Problem]:
    if _is_waiting(file):
        yield Problem(_UNSEEN, _QUIT)
    with SqliteTables(file.path) as tables:
        kept = tables.rows("session", ("id", "directory"))
        directories = {text(key): text(told) for _, key, told in islice(kept, _MAX_SESSIONS)}
        for table in _TABLES:
            names = ("id", "session_id", "data", *(("type",) if table != "message" else ()))
            for number, key, session_id, data, *kinds in tables.rows(table, names):
                row = number if isinstance(number, int) else None
                if kinds and kinds[0] != "assistant":
                    continue
                payload = data.encode("utf-8", "replace") if isinstance(data, str) else b""
                try:
                    message = fields(decode(payload))
                except QuarantineError as error:
                    yield error.problem(row)
                    continue
                if kinds or message.get("role") == "assistant":
                    session = text(session_id)
                    place = (row, text(key), session, directories.get(session, ""))
                    yield _Found(message, *place, digest_of(payload))


def _is_waiting(file: SourceFile) -> bool:
    """Return whether a log beside the database holds anything."""
    log = file.path.with_name(f"{file.path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _of_document(file: SourceFile) -> Iterator[_Found | Problem]:
    try:
        value = fields(decode(file.document()))
        directory = text(fields(value.get("info")).get("directory"))
        messages = items(value.get("messages"))
    except QuarantineError as error:
        yield error.problem(None)
        return
    if "messages" not in value:
        yield _Found(value, None)
    for number, each in enumerate(messages, 1):
        try:
            message = fields(fields(each).get("info"))
        except QuarantineError as error:
            yield error.problem(number)
            continue
        if message.get("role") == "assistant":
            yield _Found(message, number, directory=directory)


def _record(found: _Found) -> Record | None:
    """Return the record of a message; None where it tells of no call yet."""
    message = found.message
    tokens, time = fields(message.get("tokens")), fields(message.get("time"))
    if not tokens or message.get("role", "assistant") != "assistant":
        return None
    meters = _meters(tokens)
    told, completed = any(meters.values()), bool(time.get("completed"))
    if not told and not completed:
        return None
    began_us = moment_us(time.get("created"), "time.created")
    ended_us = moment_us(time.get("completed"), "time.completed") if completed else None
    cost = usd(message.get("cost"), "cost")
    origin = _origin_of(found)
    key = text(message.get("id")) or found.key
    counts = [text(count) for count in meters.values()]
    alike = (str(began_us), str(ended_us), origin.provider, origin.model, *counts)
    return Record(
        identity=identity.client(NAME, _hash(alike)),
        aliases=identity.alias_text(identity.client(NAME, key) if key else ""),
        evidence="client",
        origin=origin,
        started_at_us=began_us,
        ended_at_us=ended_us,
        status=_status(message),
        usage=("final" if completed else "partial") if told else "missing",
        **(meters if told else {}),
        reported_cost_usd=cost or None,
        session_id=text(message.get("sessionID")) or found.session_id,
        latency_ms=_latency_ms(began_us, ended_us),
        line=found.number,
        digest=found.digest,
    )


def _meters(tokens: dict[str, Any]) -> Counts:
    cache = fields(tokens.get("cache"))
    output = quantity(tokens.get("output"), "tokens.output")
    reasoning = quantity(tokens.get("reasoning"), "tokens.reasoning")
    return {
        "input_tokens": quantity(tokens.get("input"), "tokens.input"),
        "cache_read_tokens": quantity(cache.get("read"), "tokens.cache.read"),
        "cache_write_tokens": quantity(cache.get("write"), "tokens.cache.write"),
        "output_tokens": output
        if reasoning is None
        else quantity((output or 0) + reasoning, "output and reasoning"),
        "reasoning_tokens": reasoning,
    }


def _status(message: dict[str, Any]) -> Literal["ok", "error", "cancelled"]:
    error = fields(message.get("error"))
    if not error:
        return "ok"
    return "cancelled" if "Abort" in text(error.get("name")) else "error"


def _latency_ms(began_us: int, ended_us: int | None) -> int | None:
    if ended_us is None:
        return None
    if ended_us < began_us:
        raise QuarantineError("a message is completed before it is created")
    return (ended_us - began_us) // 1000


def _hash(parts: tuple[str, ...]) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _origin_of(found: _Found) -> Origin:
    message = found.message
    model, path = fields(message.get("model")), fields(message.get("path"))
    return _origin(
        text(message.get("providerID")) or text(model.get("providerID")),
        text(message.get("modelID")) or text(model.get("id")),
        text(path.get("root")) or text(path.get("cwd")) or found.directory,
        text(message.get("agent")) or text(message.get("mode")),
    )


@lru_cache(maxsize=4096)
def _origin(provider: str, model: str, folder: str, agent: str) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    return Origin(
        source=NAME,
        provider=provider_named(provider),
        model=model,
        project=PureWindowsPath(folder).name,
        service="opencode",
        labels=label_text({"cwd": folder, "agent": agent}),
    )
