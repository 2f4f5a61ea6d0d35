"""Logs of raw answers of OpenAI's APIs, and of the many that answer in their shape.

Where: files that your own program writes: an answer a line, a list of answers, the events of
streams (a line each, or server-sent events as text), the output file of a batch, or any of these in
a wrapper such as `{"timestamp": ..., "request": ..., "response": ...}`. Read are chat completions,
completions, responses, realtime responses, embeddings, images, transcriptions and moderations.

Traps:

- Cached tokens, cache writes, sound and images are counted inside the input, reasoning and
  rejected predictions inside the output. Some hosts count reasoning beside it: the total tells.
- Of a stream only one event tells the usage: the chunk with `choices: []`, the response in
  `response.completed`. Where a host repeats a growing usage in each chunk, the last one counts and
  never the sum. A stream that was cut may tell none: then its usage is missing, not zero.
- Many streams may be mixed in one file, in any order: the id of the answer keeps them apart.
- The tier is the one in the answer, not the one that was asked for; a line of a batch's output is
  a batch whatever its body says. The batch object repeats what its items tell, and is refused.
- Fees of tools are in no usage: they are counted from `output[]`. Images that a tool drew are a
  charge of their own.
- Embeddings, transcriptions and realtime responses carry no time: it must stand in the wrapper.
- Azure, OpenRouter and others answer in this shape. Who bills is told where it is certain: by the
  id, by Azure's filters, by the wrapper, by the address, or by a model that only OpenAI serves.
- Local servers give short ids (`chatcmpl-42`) again and again; such an id is nobody's identity.

Never here: prompts, answers, embeddings, images. Errors cost nothing and are passed over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of, label_text
from clearbar.spend.files.entry import provenance, text
from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError, usd
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.answer_context import named_dimensions
from clearbar.spend.shapes.answer_log import bodies, opens_with
from clearbar.spend.shapes.answer_shapes import answer_in, is_answer, is_part, tells
from clearbar.spend.shapes.answer_streams import AnswerStreams, Rank
from clearbar.spend.shapes.completions_usage import counts_of, drawn_by, fees_of
from clearbar.spend.shapes.openai_hosts import filters_of_azure, host_of
from clearbar.spend.shapes.provider_names import service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from clearbar.spend.files.entry import Counts
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.answer_log import Body

NAME: Final = "openai_answers"
PARSER_VERSION: Final = 2
TITLE: Final = "OpenAI answers"
WHERE: Final = "JSON Lines, JSON or server-sent events that your own program writes"
CONVENTION: Final = (
    "Cached tokens and cache writes are counted inside the input; reasoning is counted inside the "
    "output, unless the total says that it is beside it."
)

_WHAT: Final = "answer of OpenAI's APIs, nor one in their shape"
_DRAWN: Final = ("image_generation.completed", "image_edit.completed")
_FINISHED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_MARKERS: Final = (b'"object"', b'object\\"', b'"modr-', b'"usage"', b'"created"', b'"type"')
_SHORT: Final = 16
"""Shorter ids are not random: a few figures that a local server chose."""
_HINT: Final = (
    'write the time beside each: {"timestamp": "2026-09-14T08:30:00Z", "response": {...}}'
)


def recognises(file: SourceFile) -> bool:
    """Return whether one of the first records is, or wraps, an answer in OpenAI's shape."""
    if _is_cassette(file):
        return True
    return any(marker in file.head for marker in _MARKERS) and opens_with(file, is_answer)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield a record for each answer, and for what tools drew in it.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    if _is_cassette(file):
        yield Problem("a cassette in YAML", "convert it to JSON: its `interactions`, one a line")
        return
    streams, damage = AnswerStreams(), Damage()
    for body in damage.noted(bodies(file, is_answer, _WHAT)):
        if isinstance(body, Problem):
            yield body
            continue
        try:
            yield from _take(body, streams)
        except QuarantineError as error:
            yield error.problem(body.entry.number)
        if streams.is_full:
            yield from streams.hand_out()
    yield from streams.hand_out()
    damage.tell()


def _take(body: Body, streams: AnswerStreams) -> Iterator[Record | Problem]:
    answer = answer_in(body.value)
    key = _key(answer)
    if key in streams or is_part(body.value, answer):
        if key:
            _hear(streams, key, body, answer)
    elif tells(body.value):
        yield from _records(body, answer)


def _is_cassette(file: SourceFile) -> bool:
    head = file.head
    return (
        file.name.endswith((".yaml", ".yml"))
        and head.startswith(b"interactions:")
        and (b"openai" in head or b"anthropic" in head)
    )


def _key(answer: dict[str, Any]) -> str:
    answer_id = answer.get("id")
    if not isinstance(answer_id, str) or len(answer_id) >= _SHORT:
        return text(answer_id)
    return f"{answer_id}:{text(answer.get('created'))}" if answer_id else ""


def _hear(streams: AnswerStreams, key: str, body: Body, answer: dict[str, Any]) -> None:
    usage = _usage(answer)
    timed = bool(_own_time(answer))
    if timed and not usage and streams.knows_usage(key):
        streams.count(key, host="azure" if filters_of_azure(answer) else "")
        return
    ended = answer.get("choices") == [] or text(answer.get("status")) in _FINISHED
    output = usage.get("completion_tokens") or usage.get("output_tokens")
    prompt = usage.get("prompt_tokens") or usage.get("input_tokens")
    line = body.entry.line
    rank = Rank(
        used=bool(usage),
        ended=ended,
        output=output if isinstance(output, int) else -1,
        prompt=prompt if isinstance(prompt, int) else -1,
        digest=digest_of(line.payload) if line else "",
    )
    host = host_of(answer, body.around)
    began = None if timed else _logged(body)
    streams.hear(key, rank, host, began, lambda: list(_records(body, answer)))


def _logged(body: Body) -> int | None:
    try:
        return moment_us(body.around.time, "the time of an event")
    except QuarantineError:
        return None  # the record says so


def _records(body: Body, answer: dict[str, Any]) -> Iterator[Record | Problem]:
    try:
        record = _record(body, answer)
        yield record
        drawn = drawn_by(answer)
        if drawn is not None:
            yield _drawing(record, *drawn)
    except QuarantineError as error:
        yield error.problem(body.entry.number)


def _record(body: Body, answer: dict[str, Any]) -> Record:
    around, usage = body.around, _usage(answer)
    if answer.get("object") == "batch":
        raise QuarantineError(
            "a batch repeats what its items tell", "add the batch's output file instead"
        )
    counts = _counts(answer, usage)
    host = host_of(answer, around)
    started = _time(answer, around.time)
    ended = answer.get("completed_at")
    answer_id = text(answer.get("id") or answer.get("item_id"))
    request_id = around.request_id if body.alone and "event_id" not in body.value else ""
    asked_of = identity.upstream(host or "openai", request_id) if request_id else ""
    known = len(answer_id) >= _SHORT
    return Record(
        identity=(identity.upstream(host, answer_id) if known else "")
        or asked_of
        or identity.content(NAME, answer_id, str(started), _fingerprint(body)),
        aliases=asked_of if known else "",
        evidence="provider",
        origin=_origin(
            host,
            text(answer.get("model")) or around.model,
            (around.account, around.project),
            text(answer.get("safety_identifier")) or text(answer.get("user")),
            around.named or named_dimensions(answer.get("metadata")),
            usage.get("is_byok") is True,
        ),
        started_at_us=started,
        ended_at_us=moment_us(ended, "completed_at") if ended else None,
        status=_status(answer),
        usage="final" if usage or counts else "missing",
        final=2 if usage or counts else 0,
        service_tier="batch"
        if around.batch
        else service_tier_named(text(answer.get("service_tier"))),
        **counts,
        reported_cost_usd=_charged(host, usage),
        reported_basis="billed" if host == "openrouter" else "estimated",
        upstream_id=answer_id if known else "",
        trace_id=around.trace,
        session_id=around.session,
        task_id=around.task,
        **provenance(body.entry),
    )


def _usage(answer: dict[str, Any]) -> dict[str, Any]:
    return fields(answer.get("usage")) or fields(fields(answer.get("x_groq")).get("usage"))


def _counts(answer: dict[str, Any], usage: dict[str, Any]) -> Counts:
    draws = "created" in answer and "data" in answer
    draws = draws or text(answer.get("type")) in _DRAWN
    counts: Counts = {}
    if usage:
        counts = counts_of(usage, draws=draws)
    elif draws and isinstance(answer.get("data"), list):
        counts = {"images": len(answer["data"])}
    return {**counts, **fees_of(answer)}


def _drawing(record: Record, model: str, usage: dict[str, Any]) -> Record:
    """Return the charge of images that a tool drew in an answer."""
    counts: Counts = counts_of(usage, draws=True) if usage else {}
    return Record(
        identity=f"{record.identity}#image_generation:0",
        evidence=record.evidence,
        origin=msgspec.structs.replace(record.origin, model=model),
        started_at_us=record.started_at_us,
        ended_at_us=record.ended_at_us,
        status=record.status,
        usage="final" if usage else "missing",
        final=record.final,
        service_tier=record.service_tier,
        **counts,
        upstream_id=record.upstream_id,
        trace_id=record.trace_id,
        session_id=record.session_id,
        task_id=record.task_id,
        line=record.line,
        offset=record.offset,
        length=record.length,
        digest=record.digest,
    )


def _time(answer: dict[str, Any], logged: Any) -> int:
    """Return when an answer began; its own time stands before the one that was logged."""
    told = _own_time(answer) or logged
    if not told:
        raise QuarantineError("an answer without a time", _HINT)
    return moment_us(told, "the time of an answer")


def _own_time(answer: dict[str, Any]) -> Any:
    return answer.get("created") or answer.get("created_at")


def _status(answer: dict[str, Any]) -> Literal["ok", "error", "cancelled"]:
    if answer.get("status") == "cancelled":
        return "cancelled"
    return "error" if answer.get("status") == "failed" or answer.get("error") else "ok"


def _charged(host: str, usage: dict[str, Any]) -> Decimal | None:
    """Return what OpenRouter has taken off the account; with a key of one's own, its fee."""
    return usd(usage.get("cost"), "usage.cost") if host == "openrouter" else None


def _fingerprint(body: Body) -> str:
    return digest_of(msgspec.json.encode(body.value))


@lru_cache(maxsize=4096)
def _origin(
    host: str,
    model: str,
    place: tuple[str, str],
    end_user: str,
    named: tuple[tuple[str, str], ...],
    own_key: bool,  # noqa: FBT001 - it is cached by place
) -> Origin:
    """Return the origin; equal ones are the same object, for they are met over and over."""
    account, project = place
    dimensions = dict(named)
    return Origin(
        source=NAME,
        provider=host,
        model=model,
        account=account,
        project=project,
        team=dimensions.get("team", ""),
        environment=dimensions.get("environment", ""),
        service=dimensions.get("service", ""),
        agent=dimensions.get("agent", ""),
        workflow=dimensions.get("workflow", ""),
        labels=label_text({"end_user": end_user, "byok": "true" if own_key else ""}),
    )
