"""OpenTelemetry traces with GenAI attributes, as OTLP/JSON.

Where: what a collector's file exporter writes (an export request a line), or one request as a
document. A span is a record when it is one call of a model: `gen_ai.operation.name` is chat,
generate_content, text_completion or embeddings; or names no operation, and OpenInference calls
it LLM or EMBEDDING, or it is of kind CLIENT with a model and usage. Spans of agents, workflows
and tools repeat the sums of what is inside them and are no records; nor is a call that encloses
another call with usage. All spans say whose the calls inside them are: workflow, agent, task,
session and user are taken from the span, else from the nearest one around it in the same file,
else from the resource.

`clearbar.workflow` and `clearbar.task` go before the standard's own names. Ids are hexadecimal,
unlike in other protobuf JSON. Input includes what was read from or written to a cache; output
includes reasoning. Older spellings of the attributes are understood; where parts exceed the
whole, the writer counted them beside it, and the span is refused. Where input of some kind and
cached input are both told, their overlap is not, so that the kinds are left out.

Metrics and logs tell of the same calls and are not read.

Never here: messages, instructions, tool arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record
from clearbar.spend.entry import Counts, Provenance, provenance, text
from clearbar.spend.json_records import entries, fields, items
from clearbar.spend.provider_names import provider_named, service_tier_named
from clearbar.spend.quarantine import QuarantineError, quantity, rest_of, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clearbar.spend.source_file import SourceFile

NAME: Final = "otlp"
PARSER_VERSION: Final = 1
TITLE: Final = "OpenTelemetry GenAI traces (OTLP/JSON)"
WHERE: Final = "the file exporter of an OpenTelemetry collector"
CONVENTION: Final = (
    "Cached tokens are counted inside the input; reasoning is counted inside the output."
)

_OPERATIONS: Final = {
    "chat": "inference",
    "generate_content": "inference",
    "text_completion": "inference",
    "embeddings": "embeddings",
}
_KINDS: Final = {"LLM": "inference", "EMBEDDING": "embeddings"}
_NAMES: Final = {
    "operation": ("gen_ai.operation.name",),
    "kind": ("openinference.span.kind",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "model": (
        "gen_ai.response.model",
        "llm.response.model_name",
        "gen_ai.request.model",
        "llm.request.model_name",
        "llm.model_name",
    ),
    "response_id": ("gen_ai.response.id",),
    "service_tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    "error": ("error.type",),
    "cost_usd": ("gen_ai.usage.cost", "llm.cost.total"),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "input_audio_tokens": ("gen_ai.usage.audio.input_tokens",),
    "input_image_tokens": ("gen_ai.usage.image.input_tokens",),
    "input_video_tokens": ("gen_ai.usage.video.input_tokens",),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "output_audio_tokens": ("gen_ai.usage.audio.output_tokens",),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "workflow": ("clearbar.workflow", "gen_ai.workflow.name"),
    "agent": ("gen_ai.agent.name", "agent.name", "gen_ai.agent.id"),
    "task": ("clearbar.task",),
    "session": ("gen_ai.conversation.id", "session.id"),
    "principal": ("user.id", "enduser.id"),
    "service": ("service.name",),
    "environment": ("deployment.environment.name", "deployment.environment"),
}
"""What we call it -> the attributes that say it, the newest name first."""
_ALIASES: Final = {
    alias: (name, rank) for name, aliases in _NAMES.items() for rank, alias in enumerate(aliases)
}
_KINDS_OF_INPUT: Final = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_CLIENT: Final = ("3", "SPAN_KIND_CLIENT")
_ERROR: Final = ("2", "STATUS_CODE_ERROR")

_Known = dict[str, Any]
_Key = tuple[str, str]


class _Span(NamedTuple):
    key: _Key
    parent: _Key
    bills: str
    """`inference` or `embeddings`; empty for a span that is no call of a model."""
    known: _Known
    resource: _Known
    start: object
    end: object
    failed: bool
    where: Provenance


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes open an export request."""
    names = (b'"resourceSpans"', b'"resourceLogs"', b'"resourceMetrics"')
    return any(name in file.head for name in names)


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each span that is a call of a model.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    spans: dict[_Key, _Span] = {}
    repeats_said = False
    for found in entries(file):
        if isinstance(found, Problem):
            yield found
            continue
        request = fields(found.value)
        if "resourceSpans" in request:
            for span in _spans(provenance(found), request):
                if all(span.key):
                    spans[span.key] = span
                elif span.bills:
                    yield Problem("a span without a trace id or a span id", "", found.number)
        elif "resourceLogs" not in request and "resourceMetrics" not in request:
            yield Problem("not an OTLP export request", "export as OTLP/JSON", found.number)
        elif not repeats_said:
            repeats_said = True
            hint = "export traces; nothing is lost without these"
            yield Problem("metrics and logs repeat what spans say", hint, found.number)
    yield from _records(spans)


def _spans(where: Provenance, request: dict[str, Any]) -> Iterator[_Span]:
    for resource_spans in map(fields, items(request["resourceSpans"])):
        resource = _known(fields(resource_spans.get("resource")).get("attributes"))
        for scope_spans in map(fields, items(resource_spans.get("scopeSpans"))):
            for span in map(fields, items(scope_spans.get("spans"))):
                yield _span(where, span, resource)


def _span(where: Provenance, span: dict[str, Any], resource: _Known) -> _Span:
    trace = text(span.get("traceId")).lower()
    known = _known(span.get("attributes"))
    status = text(fields(span.get("status")).get("code"))
    return _Span(
        key=(trace, text(span.get("spanId")).lower()),
        parent=(trace, text(span.get("parentSpanId")).lower()),
        bills=_bills(text(span.get("kind")), known),
        known=known,
        resource=resource,
        start=span.get("startTimeUnixNano"),
        end=span.get("endTimeUnixNano"),
        failed=status in _ERROR or "error" in known,
        where=where,
    )


def _known(attributes: object) -> _Known:
    """Return the attributes that we understand under our names, and no others."""
    ranked: dict[str, tuple[int, Any]] = {}
    for attribute in map(fields, items(attributes)):
        name, rank = _ALIASES.get(text(attribute.get("key")), ("", 0))
        value = next(iter(fields(attribute.get("value")).values()), None)
        if name and value not in (None, "") and rank <= ranked.get(name, (rank,))[0]:
            ranked[name] = (rank, value)
    return {name: value for name, (_, value) in ranked.items()}


def _bills(span_kind: str, known: _Known) -> str:
    operation, kind = text(known.get("operation")), text(known.get("kind"))
    if operation or kind:
        return _OPERATIONS.get(operation, "") or (not operation and _KINDS.get(kind.upper())) or ""
    client = span_kind in _CLIENT
    return "inference" if client and "model" in known and _has_usage(known) else ""


def _has_usage(known: _Known) -> bool:
    return "input_tokens" in known or "output_tokens" in known


def _records(spans: dict[_Key, _Span]) -> Iterator[Record | Problem]:
    enclosing = {
        (outer.key, outer.bills)
        for span in spans.values()
        if span.bills and _has_usage(span.known)
        for outer in _around(span, spans)
        if outer.bills == span.bills
    }
    for span in spans.values():
        if not span.bills or (span.key, span.bills) in enclosing:
            continue
        try:
            yield _record(span, spans)
        except QuarantineError as error:
            yield error.problem(span.where.get("line"))


def _around(span: _Span, spans: dict[_Key, _Span]) -> Iterator[_Span]:
    """Yield the spans around one, the nearest first."""
    seen = {span.key}
    while (outer := spans.get(span.parent)) and outer.key not in seen:
        seen.add(outer.key)
        yield outer
        span = outer


def _record(span: _Span, spans: dict[_Key, _Span]) -> Record:
    known = span.known
    provider = provider_named(text(known.get("provider")))
    response_id = text(known.get("response_id"))
    told = [known, *(outer.known for outer in _around(span, spans)), span.resource]
    started = _microseconds(span.start, "startTimeUnixNano")
    ended = _microseconds(span.end, "endTimeUnixNano")
    return Record(
        identity=(
            identity.upstream(provider, response_id) if response_id else identity.span(*span.key)
        ),
        evidence="trace",
        origin=Origin(
            source=NAME,
            provider=provider,
            model=text(known.get("model")),
            principal=_nearest(told, "principal"),
            environment=_nearest(told, "environment"),
            service=_nearest(told, "service"),
            agent=_nearest(told, "agent"),
            workflow=_nearest(told, "workflow"),
        ),
        started_at_us=started,
        ended_at_us=ended,
        status="error" if span.failed else "ok",
        usage="final" if _has_usage(known) else "missing",
        service_tier=service_tier_named(text(known.get("service_tier"))),
        **_meters(known),
        reported_cost_usd=usd(known.get("cost_usd"), "the cost"),
        upstream_id=response_id,
        trace_id=span.key[0],
        session_id=_nearest(told, "session"),
        task_id=_nearest(told, "task"),
        latency_ms=(ended - started) // 1000 if ended >= started else None,
        **span.where,
    )


def _meters(known: _Known) -> Counts:
    told = {name: quantity(known.get(name), name) for name in _NAMES if name.endswith("_tokens")}
    cached = {name: told[name] for name in ("cache_read_tokens", "cache_write_tokens")}
    if any(cached.values()):
        told.update(dict.fromkeys(_KINDS_OF_INPUT))
    kinds = {name: told[name] for name in _KINDS_OF_INPUT}
    told["input_tokens"] = rest_of(told["input_tokens"], "input_tokens", **cached, **kinds)
    audio = told["output_audio_tokens"]
    whole, reasoning = told["output_tokens"], told["reasoning_tokens"]
    told["output_tokens"] = rest_of(whole, "output_tokens", output_audio_tokens=audio)
    rest_of(whole, "output_tokens", reasoning_tokens=reasoning)
    return cast("Counts", told)


def _nearest(told: Iterable[_Known], name: str) -> str:
    return next((found for known in told if (found := text(known.get(name)))), "")


def _microseconds(value: object, name: str) -> int:
    digits = text(value)
    if not digits.isdecimal() or len(digits) > 19 or int(digits) == 0:  # noqa: PLR2004 - of 64 bits
        raise QuarantineError(f"{name} is no time", "write nanoseconds since 1970")
    return int(digits) // 1000
