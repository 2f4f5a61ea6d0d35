"""Model invocation logs of Amazon Bedrock: JSON Lines, one call a line.

Where: the bucket of the logging configuration, `AWSLogs/ACCOUNT/BedrockModelInvocationLogs/
REGION/YEAR/MONTH/DAY/HOUR/*.json.gz`, or an export of the CloudWatch log group, whose events hold
the same object as text in `message`. Each line is a call.

`inputTokenCount` is fresh input alone; cache reads and writes stand beside it. How long a written
cache lives, and the tier that served the call, are told in the usage of the answer's body only:
that usage is read, the body is not.

Traps:
- `modelId` may be an ARN of a model, an inference profile or a provisioned model. The prefix of a
  profile (`us.`, `eu.`, `global.`) stays in the model's name: prices differ by it. An application's
  own profile names no model; the answer's body may.
- The account is the one that called: a bill calls it a sub-account, so here it is the project.
- The answer of a stream is a list of events, each with a part of the usage; the last one counts.
- Bodies of more than 100 KB stand in files of their own, with neither split nor tier here.
- A caller's metadata becomes labels, but ids of traces, requests and sessions do not: they would
  make each call an origin of its own.
- Calls that failed are logged, mostly without tokens.

Never here: `inputBodyJson`, and of `outputBodyJson` anything but id, model, tier and usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, label_text
from clearbar.spend.files.entry import Entry, each_record, provenance, text
from clearbar.spend.files.json_records import decode, entries, fields, items
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.aws_caller import caller
from clearbar.spend.shapes.provider_names import service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.entry import Counts
    from clearbar.spend.files.source_file import SourceFile

NAME: Final = "bedrock"
PARSER_VERSION: Final = 1
TITLE: Final = "Amazon Bedrock model invocation logs"
WHERE: Final = "AWSLogs/*/BedrockModelInvocationLogs/ in the bucket of the log, or CloudWatch Logs"
CONVENTION: Final = (
    "Cache reads and writes stand beside the input; reasoning is counted inside the output."
)

_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".log")
_MARKS: Final = (b"ModelInvocationLog", b"modelId", b"requestId")
_SESSION_KEYS: Final = frozenset({"sessionid", "session_id", "conversationid", "conversation_id"})
_TRACE_KEYS: Final = frozenset({"traceid", "trace_id"})
_ID_KEYS: Final = frozenset({"requestid", "request_id", "spanid", "span_id", "messageid"})
_PLAIN: Final = frozenset({"", "foundation-model", "inference-profile"})


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes hold a model invocation log."""
    return file.name.endswith(_ENDINGS) and all(mark in file.head for mark in _MARKS)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each call.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    return each_record(_entries(file), _record)


def _entries(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the log's objects: a first line may be longer than what a file is judged by."""
    first = file.head.lstrip()[:1024].split(b"\n", 1)[0].rstrip()
    if first in {b"{", b"["} or first.startswith((b"[", b'{"events"')):
        yield from _events(file)
        return
    for line in file.lines():
        try:
            yield Entry(decode(line.payload), line.number, line)
        except QuarantineError as error:
            yield error.problem(line.number)


def _events(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the events of a whole document, as the CloudWatch Logs API answers."""
    for entry in entries(file):
        if isinstance(entry, Problem):
            yield entry
            continue
        try:
            events = fields(entry.value).get("events")
            told = None if events is None else items(events)
        except QuarantineError as error:
            yield error.problem(entry.number)
            continue
        if told is None:
            yield entry
        else:
            yield from (Entry(event, number) for number, event in enumerate(told, 1))


def _record(found: Entry) -> Record:
    log = _log(found.value)
    request_id = text(log.get("requestId"))
    if not request_id or not log.get("modelId"):
        raise QuarantineError("no model invocation", "each line needs a requestId and a modelId")
    given, answer = fields(log.get("input")), fields(log.get("output"))
    told = _Told(answer.get("outputBodyJson"))
    metadata = {text(key): text(value) for key, value in fields(log.get("requestMetadata")).items()}
    who = caller(text(fields(log.get("identity")).get("arn")))
    meters = _meters(given, answer, told.usage)
    counted = meters["input_tokens"] is not None or meters["output_tokens"] is not None
    return Record(
        identity=identity.upstream("aws", request_id),
        aliases=identity.alias_text(identity.upstream("aws", told.id) if told.id else ""),
        evidence="provider",
        origin=_origin(log, told.model, who.principal, metadata),
        started_at_us=moment_us(log.get("timestamp"), "timestamp"),
        status="error" if log.get("errorCode") else "ok",
        usage="final" if counted else "missing",
        service_tier=told.tier,
        **meters,
        upstream_id=request_id,
        trace_id=_first(metadata, _TRACE_KEYS),
        session_id=_first(metadata, _SESSION_KEYS) or who.session,
        latency_ms=told.latency_ms,
        **provenance(found),
    )


def _log(value: object) -> dict[str, Any]:
    """Return the log's object, also where an event of CloudWatch Logs holds it as text."""
    entry = fields(value)
    message = entry.get("message") or entry.get("@message")
    return fields(message) if message and "modelId" not in entry else entry


class _Told:
    """What the answer's body tells beside its text, whole or as a stream's events."""

    def __init__(self, body: object) -> None:
        events = body if isinstance(body, list) else [body]
        self.usage: dict[str, Any] = {}
        self.id = self.model = self.tier = ""
        self.latency_ms: int | None = None
        for event in events:
            self._take(fields(event))

    def _take(self, event: dict[str, Any]) -> None:
        for part in (fields(event.get("message")), event, fields(event.get("metadata"))):
            usage = part.get("usage")
            if isinstance(usage, dict):
                self.usage |= usage
            if isinstance(part.get("model"), str):
                self.id, self.model = text(part.get("id")) or self.id, text(part["model"])
            metrics = fields(part.get("metrics"))
            self.latency_ms = quantity(metrics.get("latencyMs"), "latencyMs") or self.latency_ms
            tier = part.get("serviceTier") or fields(usage).get("service_tier")
            named = tier.get("type") if isinstance(tier, dict) else tier
            self.tier = service_tier_named(text(named)) or self.tier


def _meters(given: dict[str, Any], answer: dict[str, Any], usage: dict[str, Any]) -> Counts:
    written = _first_count(
        (given, "cacheWriteInputTokenCount"),
        (usage, "cacheWriteInputTokens"),
        (usage, "cache_creation_input_tokens"),
    )
    writes_5m, writes_1h = _lifetimes(usage)
    split = {"5m": writes_5m, "1h": writes_1h} if written is not None else {}
    return {
        "input_tokens": _first_count((given, "inputTokenCount")),
        "cache_read_tokens": _first_count(
            (given, "cacheReadInputTokenCount"),
            (usage, "cacheReadInputTokens"),
            (usage, "cache_read_input_tokens"),
        ),
        "cache_write_5m_tokens": split.get("5m"),
        "cache_write_1h_tokens": split.get("1h"),
        "cache_write_tokens": rest_of(written, "cacheWriteInputTokenCount", **split),
        "output_tokens": _first_count((answer, "outputTokenCount")),
        "web_searches": _first_count(
            (fields(usage.get("server_tool_use")), "web_search_requests"),
        ),
    }


def _lifetimes(usage: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return what was written for five minutes and for an hour, in either spelling of the usage."""
    split = fields(usage.get("cache_creation"))
    found = {
        "5m": quantity(split.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens"),
        "1h": quantity(split.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens"),
    }
    for detail in map(fields, items(usage.get("cacheDetails"))):
        lifetime = text(detail.get("ttl"))
        if lifetime in found:
            tokens = quantity(detail.get("inputTokens"), "inputTokens")
            found[lifetime] = quantity((found[lifetime] or 0) + (tokens or 0), "inputTokens")
    return found["5m"], found["1h"]


def _first_count(*places: tuple[dict[str, Any], str]) -> int | None:
    found = (quantity(values.get(name), name) for values, name in places)
    return next((number for number in found if number is not None), None)


def _first(metadata: dict[str, str], names: frozenset[str]) -> str:
    return next((value for key, value in metadata.items() if key.lower() in names), "")


def _origin(log: dict[str, Any], answered: str, principal: str, metadata: dict[str, str]) -> Origin:
    kind, model = _model(text(log.get("modelId")))
    own_ids = _SESSION_KEYS | _TRACE_KEYS | _ID_KEYS
    labels = {key: value for key, value in metadata.items() if key.lower() not in own_ids}
    labels["region"] = text(log.get("region"))
    if kind not in _PLAIN:
        labels["profile"] = f"{kind}/{model}"
        model = answered or model
    return Origin(
        source=NAME,
        provider="aws",
        model=model,
        project=text(log.get("accountId")),
        principal=principal,
        labels=label_text(labels),
    )


def _model(model_id: str) -> tuple[str, str]:
    """Return what kind of thing a model's id names, empty for a plain model, and its name."""
    if not model_id.startswith("arn:"):
        return "", model_id
    kind, _, name = model_id.split(":", 5)[-1].partition("/")
    return kind, name
