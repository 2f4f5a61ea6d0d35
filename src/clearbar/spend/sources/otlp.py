"""OpenTelemetry: traces, and the events that tell of one call, in JSON or in protobuf.

Where: what a collector's file exporter writes (an export request a line; or, in protobuf, each
request behind its length in four bytes), one request as a document, what `clearbar spend receive`
keeps, and the lines that Copilot writes to `COPILOT_OTEL_FILE_EXPORTER_PATH` (a span or an event a
line). Names of OpenTelemetry, OpenInference, OpenLLMetry, the Vercel AI SDK, Claude Code and
Copilot, old and new, are understood: `spend/shapes/otel_names.py` says which, with dates.

A span is a record when it is one call of a model: its operation is chat, generate_content,
text_completion or embeddings (of the Vercel AI SDK: `.doGenerate`, `.doStream`, `.doEmbed`); or it
names no operation, and OpenInference calls it LLM or EMBEDDING, or it is of kind CLIENT with a
model and usage. Spans of agents, workflows and tools repeat the sums of what is inside them and
are no records; nor is a call that encloses another call with usage. Where the enclosing span
stands in another file, the inner one leaves a record of no calls in its name, which goes before a
record of it; so a call counts once whichever file is read first. `fetch_response` asks for an old
answer and uses nothing. All spans say whose the calls inside them are: workflow, agent, task,
session and user are taken from the span, else from the nearest one around it in the same file,
else from the resource.

An event is a record when it is Claude Code's `api_request`, or `gen_ai.client.inference.operation.
details` where its trace holds no span of a call. A call of which Claude Code sends an event and a
span is one charge by the request's id, in whatever files they are. A span without that id is left
to its event; where the span alone names it, the two cannot be known for one and count twice: then
export the events or the traces, not both. Metrics count the same calls again: they are
never read, so that with events beside them nothing is counted twice.

`clearbar.workflow` and `clearbar.task` go before the standard's own names. Ids are hexadecimal,
unlike in other protobuf JSON. Input includes what was read from or written to a cache, except in
Claude Code's own names, and in those of the Vercel AI SDK before its version 6 for Anthropic and
Bedrock; output includes reasoning. Programs differ: where a total is told, it says whether cached
tokens and reasoning were counted beside; where it says neither, or parts exceed the whole, the
span is refused. Where input of some kind and cached input are both told, their overlap is not, so
that the kinds are left out.

Never here: messages, instructions, tool arguments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from clearbar.core.errors import Problem
from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record
from clearbar.spend.files.entry import Counts, Entry, provenance, text
from clearbar.spend.files.json_records import decode, entries, fields
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of, usd
from clearbar.spend.files.source_file import Damage
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.nesting import Traces, around, enclosing, missing_parents
from clearbar.spend.shapes.otel_files import is_protobuf, protobuf_entries
from clearbar.spend.shapes.otel_names import (
    CLAUDE_CODE_EVENTS,
    CLAUDE_CODE_SPAN,
    TOKENS,
    Known,
    counts_beside,
    provider_of,
)
from clearbar.spend.shapes.otel_spans import is_flat, points_of, spans_of
from clearbar.spend.shapes.provider_names import service_tier_named

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.shapes.nesting import Key
    from clearbar.spend.shapes.otel_spans import Span

NAME: Final = "otlp"
PARSER_VERSION: Final = 2
TITLE: Final = "OpenTelemetry GenAI traces and events (OTLP, JSON or protobuf)"
WHERE: Final = "the file exporter of an OpenTelemetry collector, or clearbar spend receive"
CONVENTION: Final = (
    "Cached tokens are counted inside the input, but for Claude Code, which counts them beside it; "
    "reasoning is counted inside the output."
)

_KINDS_OF_INPUT: Final = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_OPENINGS: Final = (b'"resourceSpans"', b'"resourceLogs"', b'"resourceMetrics"')
_FLAT: Final = (b'"gen_ai.', b'"github.copilot.', b'"copilot_chat.')
_FLAT_OPENING: Final = re.compile(rb'\{"(type|hrTime|traceId|spanContext)":')
_LONG_LINE: Final = 60_000
_REPEATS: Final = "metrics repeat what spans and events say"
_WITH_ID, _ENCLOSING, _WITHOUT_ID = 2, 1, 0
"""Which record of one charge wins: one that names the provider's id; then the note that the span
only encloses a call; then one that is known by its span alone."""


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes open an export request, or hold a span on a line."""
    head = file.head
    if any(name in head for name in _OPENINGS):
        return True
    if b'"attributes"' in head and any(name in head for name in _FLAT):
        return _is_flat_line(head.lstrip().partition(b"\n")[0])
    return is_protobuf(head)


def _is_flat_line(line: bytes) -> bool:
    try:
        return is_flat(fields(decode(line)))
    except QuarantineError:  # a line longer than the first bytes
        return bool(_FLAT_OPENING.match(line)) and len(line) >= _LONG_LINE


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each span or event that is a call of a model.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    traces: Traces[Span] = Traces()
    repeats_said = False
    damage = Damage()
    parts = protobuf_entries(file) if is_protobuf(file.head) else entries(file)
    for found in damage.noted(parts):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            repeats_said = yield from _of_request(found, traces, repeats_said=repeats_said)
        except QuarantineError as error:
            yield error.problem(found.number)
    for trace in traces.rest():
        yield from _records(trace)
    damage.tell()


def _of_request(
    found: Entry, traces: Traces[Span], *, repeats_said: bool
) -> Generator[Record | Problem, None, bool]:
    """Yield what can be told at once; return whether it is said that metrics are not read.

    Raises:
        QuarantineError: when what stands in it as text is no JSON.
    """
    request = fields(found.value)
    if not is_flat(request) and not any(name.decode()[1:-1] in request for name in _OPENINGS):
        yield Problem("not an OTLP export request", "export as OTLP", found.number)
        return repeats_said
    if not repeats_said and (points_of(request) or "resourceMetrics" in request):
        repeats_said = True
        hint = "nothing is lost without these; send traces, or events of Claude Code"
        yield Problem(_REPEATS, hint, found.number)
    yield from _taken(found, request, traces)
    return repeats_said


def _taken(
    found: Entry, request: dict[str, Any], traces: Traces[Span]
) -> Iterator[Record | Problem]:
    for span in spans_of(provenance(found), request):
        if span.event and (span.event in CLAUDE_CODE_EVENTS or not span.key[0]):
            yield from _tried(span, {})
        elif span.event:
            traces.add(span._replace(key=(span.key[0], f"event:{span.key[1]}")))
        elif all(span.key):
            traces.add(span)
        elif span.bills:
            yield Problem("a span without a trace id or a span id", "", found.number)
    for trace in traces.too_many():
        yield from _records(trace)


def _records(trace: Mapping[Key, Span]) -> Iterator[Record | Problem]:
    outer = enclosing(trace)
    calls = [span for span in trace.values() if span.bills and span.key not in outer]
    if any(span.counted and not span.event for span in calls):
        calls = [span for span in calls if not span.event]
    for span in calls:
        yield from _tried(span, trace)
    for key, span in missing_parents(trace, iter(calls)).items():
        yield from _tried(span, trace, parent=key)


def _tried(
    span: Span, trace: Mapping[Key, Span], parent: Key | None = None
) -> Iterator[Record | Problem]:
    try:
        yield _record(span, trace) if parent is None else _note(span, parent)
    except QuarantineError as error:
        if parent is None:
            yield error.problem(span.where.get("line"))


def _note(span: Span, parent: Key) -> Record:
    """Return a record that says of a span: it encloses a call, and is none itself."""
    return Record(
        identity=identity.span(*parent),
        evidence="trace",
        origin=Origin(source=NAME, provider=provider_of(span.known)),
        started_at_us=_microseconds(span.start, "startTimeUnixNano"),
        calls=0,
        usage="final",
        final=_ENCLOSING,
        reported_cost_usd=usd(0, "nothing"),
        trace_id=parent[0],
        **span.where,
    )


def _record(span: Span, trace: Mapping[Key, Span]) -> Record:
    told = span.known
    around_it = [told, *(outer.known for outer in around(span, trace)), span.resource]
    is_event = span.event in CLAUDE_CODE_EVENTS
    is_claude_code = is_event or text(told.get("operation")) == CLAUDE_CODE_SPAN
    provider = provider_of(told) or ("anthropic" if is_claude_code else "")
    names = _identities(span, provider)
    started, ended = _moments(span)
    return Record(
        identity=names[0],
        aliases=identity.alias_text(*names[1:]),
        evidence="client" if is_event else "trace",
        origin=Origin(
            source=NAME,
            provider=provider,
            model=text(told.get("model")),
            account=_nearest(around_it, "account"),
            principal=_nearest(around_it, "principal"),
            environment=_nearest(around_it, "environment"),
            service=_nearest(around_it, "service"),
            agent=_nearest(around_it, "agent"),
            workflow=_nearest(around_it, "workflow"),
        ),
        started_at_us=started,
        ended_at_us=ended,
        status="error" if span.failed else "ok",
        usage="final" if span.counted else "missing",
        final=_WITH_ID if names[0].startswith("upstream:") else _WITHOUT_ID,
        service_tier=service_tier_named(text(told.get("service_tier"))),
        speed=text(told.get("speed")),
        **_meters(span),
        reported_cost_usd=usd(told.get("cost_usd"), "the cost"),
        upstream_id=text(told.get("response_id")),
        trace_id=span.key[0],
        session_id=_nearest(around_it, "session"),
        task_id=_nearest(around_it, "task"),
        latency_ms=(ended - started) // 1000 if ended >= started else None,
        **span.where,
    )


def _identities(span: Span, provider: str) -> list[str]:
    """Return by what the call is known, the surest first."""
    told = span.known
    response_id, request_id = text(told.get("response_id")), text(told.get("request_id"))
    ids = (response_id, request_id)
    if text(told.get("operation")) == CLAUDE_CODE_SPAN:
        ids = (request_id, response_id)  # its event, in another file, knows the request's alone
    found = [identity.upstream(provider, each) for each in ids if each]
    trace, span_id = span.key[0], span.key[1].removeprefix("event:")
    if trace and span_id and span.event not in CLAUDE_CODE_EVENTS:
        found.append(identity.span(trace, span_id))
    session, sequence = text(told.get("session")), text(told.get("sequence"))
    if not found and session and sequence:
        found.append(identity.client("claude_code_event", f"{session}:{sequence}"))
    parts = (f"{name}={told[name]}" for name in sorted(told))
    return found or [identity.content(NAME, text(span.start), *parts)]


def _moments(span: Span) -> tuple[int, int]:
    """Return when it began and ended; an event comes at the end and tells how long it took."""
    ended = _microseconds(span.end, "endTimeUnixNano")
    if not span.event:
        return _microseconds(span.start, "startTimeUnixNano"), ended
    took = quantity(text(span.known.get("duration_ms")).partition(".")[0], "duration_ms") or 0
    return ended - took * 1000, ended


def _meters(span: Span) -> Counts:
    told = {name: quantity(span.known.get(name), name) for name in TOKENS}
    _take_in_what_is_beside(span, told)
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


def _take_in_what_is_beside(span: Span, told: dict[str, int | None]) -> None:
    """Make input and output hold all of theirs, whatever the program counted beside them."""
    fresh, total = told.pop("fresh_tokens"), told.pop("total_tokens")
    cached = (told["cache_read_tokens"] or 0) + (told["cache_write_tokens"] or 0)
    operation = text(span.known.get("operation"))
    has_own_names = operation.startswith("ai.") or operation == CLAUDE_CODE_SPAN
    if fresh is not None and (has_own_names or span.event in CLAUDE_CODE_EVENTS):
        told["input_tokens"] = fresh + cached
    elif told["input_tokens"] is None:
        told["input_tokens"] = fresh
    elif counts_beside(span.known):
        told["input_tokens"] += cached
    elif total is not None:
        _settle_by_total(told, total, cached)


def _settle_by_total(told: dict[str, int | None], total: int, cached: int) -> None:
    whole, output = told["input_tokens"] or 0, told["output_tokens"] or 0
    reasoning = told["reasoning_tokens"] or 0
    more = total - whole - output
    if more not in (0, cached, reasoning, cached + reasoning):
        raise QuarantineError(
            "input and output do not sum to the total", "the program counts in a way of its own"
        )
    if more and more in (cached, cached + reasoning):
        told["input_tokens"] = whole + cached
        more -= cached
    if more:
        told["output_tokens"] = output + reasoning


def _nearest(told: Iterable[Known], name: str) -> str:
    return next((found for known in told if (found := text(known.get(name)))), "")


def _microseconds(value: object, name: str) -> int:
    digits = text(value)
    if digits and not digits.isdecimal():
        return moment_us(digits, name)
    if not digits.isdecimal() or len(digits) > 19 or int(digits) == 0:  # noqa: PLR2004 - of 64 bits
        raise QuarantineError(f"{name} is no time", "write nanoseconds since 1970")
    return int(digits) // 1000
