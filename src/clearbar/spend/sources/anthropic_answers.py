"""Logs of raw answers of Anthropic's Messages API.

Where: files that your own program writes: a message a line, a list of messages, the events of
streams (a line each, or server-sent events as text), the results of a batch, or any of these in a
wrapper such as `{"timestamp": ..., "request": ..., "response": ...}`.

Traps:

- **A message carries no time.** It has to stand in the wrapper (`timestamp`, `time`, `created_at`,
  the header `date`); of the results of a batch, in the batch object on a line before them. A
  message without is refused: when a call was made decides its price and its month.
- Fresh input, cache reads and cache writes stand beside each other; thinking is in the output.
- Figures in a stream are running totals: the start has the input and a placeholder for the output;
  of the deltas the last counts, and never the sum. A stream that was cut has told its input only.
- Events do not say which message they belong to. Streams that were written into each other need the
  request's id beside each event, or all of them are refused.
- `iterations` may hold calls that the message's own figures do not: compaction, advice, and a
  fallback, each with its own tokens and some with another model. They are charges of their own.
- Cache writes of five minutes and of an hour have prices of their own; so have the tier as served,
  the speed and the place.
- A retry that redeems a fallback's credit is billed as on the retry's model: `model` says it.

Never here: prompts, answers. Errors cost nothing and are passed over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of
from clearbar.spend.files.entry import provenance, text
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.answer_log import bodies, opens_with
from clearbar.spend.shapes.message_calls import further_records
from clearbar.spend.shapes.message_streams import EVENTS, Streamed, Streams, refuse_mixed
from clearbar.spend.shapes.messages_usage import MessageUsage, cache_writes, thinking
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.answer_context import Around
    from clearbar.spend.shapes.answer_log import Body

NAME: Final = "anthropic_answers"
PARSER_VERSION: Final = 2
TITLE: Final = "Anthropic answers"
WHERE: Final = "JSON Lines, JSON or server-sent events that your own program writes"
CONVENTION: Final = (
    "Cached tokens and cache writes are counted beside the input; thinking is counted inside the "
    "output."
)

_WHAT: Final = "answer of the Messages API"
_BATCH: Final = "message_batch"
_CLIENT_LOG: Final = (b'"sessionId"', b'"parentUuid"', b'"leafUuid"')
"""Claude Code writes the same messages; its own source knows what to make of them."""
_CLOUDS: Final = {"msg_bdrk_": "aws", "msg_vrtx_": "google"}
_CLOUD_LETTERS: Final = len("msg_bdrk_")
_NO_GEO: Final = (None, "not_available")
_SHORT: Final = 16
"""Shorter ids are not random: a few figures that a local server chose."""
_HINT: Final = (
    'write the time beside each: {"timestamp": "2026-09-14T08:30:00Z", "response": {...}}'
)
_BATCH_HINT: Final = "write the batch object on a line before its results: it tells when"


class _Message(NamedTuple):
    """What has been told of a message."""

    body: Body
    value: dict[str, Any]
    usage: dict[str, Any]
    whole: bool
    """Whether the message came to its end."""
    lines: int = 1
    ended: Any = None


def recognises(file: SourceFile) -> bool:
    """Return whether one of the first records is, or wraps, a message or an event of a stream."""
    head = file.head
    if b'"message' not in head and b'message\\"' not in head:
        return False
    return not any(name in head for name in _CLIENT_LOG) and opens_with(file, _is_answer)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield a record for each message, and for each further call inside it.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    streams, damage, batch_began = Streams(), Damage(), None
    for body in damage.noted(bodies(file, _is_answer, _WHAT)):
        if isinstance(body, Problem):
            yield body
            continue
        kind = body.value.get("type")
        if kind == _BATCH:
            batch_began = body.value.get("created_at")
        elif kind == "message":
            began = batch_began if body.around.batch else None
            yield from _records(_whole(body._replace(around=_begun(body.around, began))))
        else:
            try:
                for stream in streams.hear(body):
                    yield from _records_of_stream(stream)
            except QuarantineError as error:
                yield error.problem(body.entry.number)
    for stream in streams.rest():
        yield from _records_of_stream(stream)
    damage.tell()


def _begun(around: Around, began: Any) -> Around:
    return around if around.time or not began else around._replace(time=began)


def _is_answer(value: dict[str, Any]) -> bool:
    """Return whether this is a message with its usage, an event of a stream, or a batch."""
    kind = value.get("type")
    if not isinstance(kind, str):
        return False
    if kind == "message":
        return isinstance(value.get("usage"), dict) and "role" in value
    return kind in EVENTS or (kind == _BATCH and "request_counts" in value)


def _whole(body: Body) -> _Message:
    value = body.value
    return _Message(body, value, fields(value.get("usage")), bool(value.get("stop_reason")))


def _records_of_stream(stream: Streamed) -> Iterator[Record | Problem]:
    usage = stream.usage if stream.told else stream.usage | {"output_tokens": None}
    whole = stream.told and (stream.closed or bool(stream.stop_reason))
    ended = stream.last.time if stream.last and stream.closed else None
    message = _Message(stream.start, stream.message, usage, whole, stream.lines, ended)
    try:
        refuse_mixed(stream)
    except QuarantineError as error:
        yield error.problem(stream.start.entry.number)
    else:
        yield from _records(message)


def _records(message: _Message) -> Iterator[Record | Problem]:
    try:
        usage = msgspec.convert(message.usage, MessageUsage)
        record = _record(message, usage)
        further = list(further_records(record, usage))
    except msgspec.ValidationError as error:
        what = f"the usage of a message is broken: {error}"
        yield QuarantineError(what).problem(message.body.entry.number)
    except QuarantineError as error:
        yield error.problem(message.body.entry.number)
    else:
        yield record
        yield from further


def _record(message: _Message, usage: MessageUsage) -> Record:
    around = message.body.around
    message_id, model = text(message.value.get("id")), text(message.value.get("model"))
    provider = _provider(message_id, model or around.model, around)
    began = _began(around)
    known = len(message_id) >= _SHORT
    request_id = around.request_id if message.body.alone else ""
    asked_of = identity.upstream(provider or "anthropic", request_id) if request_id else ""
    writes_5m, writes_1h, writes_other = cache_writes(usage)
    tools = usage.server_tool_use
    return Record(
        identity=(identity.upstream(provider, message_id) if known else "")
        or asked_of
        or identity.content(NAME, message_id, str(began), _fingerprint(message)),
        aliases=asked_of if known else "",
        evidence="provider",
        origin=_origin(provider, model or around.model, around.project, around.named),
        started_at_us=began,
        ended_at_us=_ended(message.ended, began),
        usage=_told(message, usage),
        final=2 if message.whole else 1,
        service_tier="batch" if around.batch else usage.service_tier or "",
        speed=usage.speed or "",
        geo="" if usage.inference_geo in _NO_GEO else usage.inference_geo,
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_5m_tokens=writes_5m,
        cache_write_1h_tokens=writes_1h,
        cache_write_tokens=writes_other,
        output_tokens=usage.output_tokens,
        reasoning_tokens=thinking(usage),
        web_searches=tools.web_search_requests if tools else None,
        upstream_id=message_id if known else "",
        trace_id=around.trace,
        session_id=around.session,
        task_id=around.task,
        lines=message.lines,
        **provenance(message.body.entry),
    )


def _began(around: Around) -> int:
    if not around.time:
        raise QuarantineError("a message without a time", _BATCH_HINT if around.batch else _HINT)
    return moment_us(around.time, "the time of a message")


def _ended(logged: Any, began: int) -> int | None:
    ended = moment_us(logged, "the time of the last event") if logged else None
    return ended if ended is not None and ended > began else None


def _told(message: _Message, usage: MessageUsage) -> Literal["final", "partial", "missing"]:
    if usage.input_tokens is usage.output_tokens is None:
        return "missing"
    return "final" if message.whole else "partial"


def _provider(message_id: str, model: str, around: Around) -> str:
    """Return who bills: the id tells of a cloud; others than Anthropic serve other models."""
    cloud = _CLOUDS.get(message_id[:_CLOUD_LETTERS], "")
    if cloud or around.provider:
        return cloud or provider_named(around.provider)
    return "anthropic" if model.startswith("claude") else ""


def _fingerprint(message: _Message) -> str:
    return digest_of(msgspec.json.encode(message.value))


@lru_cache(maxsize=4096)
def _origin(provider: str, model: str, project: str, named: tuple[tuple[str, str], ...]) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    dimensions = dict(named)
    return Origin(
        source=NAME,
        provider=provider,
        model=model,
        project=project,
        team=dimensions.get("team", ""),
        environment=dimensions.get("environment", ""),
        service=dimensions.get("service", ""),
        agent=dimensions.get("agent", ""),
        workflow=dimensions.get("workflow", ""),
    )
