"""Export requests to what they tell of calls: spans, and the events that stand for one call each.

Reads OTLP as JSON or from protobuf has it, and the flat lines of programs that write a span or an
event a line, as Copilot does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import fields, items
from clearbar.spend.shapes.otel_names import EVENTS, Known, bills, has_usage, known
from clearbar.spend.shapes.otel_protobuf import WHOLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.files.entry import Provenance
    from clearbar.spend.shapes.nesting import Key

_CLIENT: Final = ("3", "SPAN_KIND_CLIENT")
_FLAT_CLIENT: Final = "2"
"""The programs that write flat lines number the kinds from 0."""
_ERROR: Final = ("2", "STATUS_CODE_ERROR")
_MOMENT_PARTS: Final = 2
_NANO: Final = 10**9


class Span(NamedTuple):
    """One span, or one event that tells of a call."""

    key: Key
    parent: Key
    bills: str
    """`inference` or `embeddings`; empty for a span that is no call of a model."""
    known: Known
    resource: Known
    start: object
    """Nanoseconds since 1970."""
    end: object
    failed: bool
    where: Provenance
    event: str = ""
    """The event's name; empty for a span."""

    @property
    def counted(self) -> bool:
        """Whether it tells how much was used."""
        return has_usage(self.known)


def is_flat(line: dict[str, Any]) -> bool:
    """Return whether an object is a span or an event by itself."""
    is_here = isinstance(line.get("attributes"), dict)
    return is_here and any(name in line for name in ("traceId", "spanContext", "hrTime", "type"))


def spans_of(where: Provenance, request: dict[str, Any]) -> Iterator[Span]:
    """Yield what an export request, or a flat line, tells."""
    if is_flat(request):
        yield from _of_flat(where, request)
        return
    for resource, span in _items(request, *WHOLES["traces"]):
        yield _span(where, span, resource)
    for resource, record in _items(request, *WHOLES["logs"]):
        yield from _event(where, record, resource)


def points_of(request: dict[str, Any]) -> int:
    """Return how many metrics a request has."""
    return sum(1 for _ in _items(request, *WHOLES["metrics"]))


def _items(
    request: dict[str, Any], outer: str, scope: str, inner: str
) -> Iterator[tuple[Known, dict[str, Any]]]:
    for whole in map(fields, items(request.get(outer))):
        resource = known(fields(whole.get("resource")).get("attributes"))
        for part in map(fields, items(whole.get(scope))):
            for each in map(fields, items(part.get(inner))):
                yield resource, each


def _span(where: Provenance, span: dict[str, Any], resource: Known) -> Span:
    trace = text(span.get("traceId")).lower()
    told = known(span.get("attributes"))
    status = text(fields(span.get("status")).get("code"))
    return Span(
        key=(trace, text(span.get("spanId")).lower()),
        parent=(trace, text(span.get("parentSpanId")).lower()),
        bills=bills(text(span.get("kind")) in _CLIENT, told),
        known=told,
        resource=resource,
        start=span.get("startTimeUnixNano"),
        end=span.get("endTimeUnixNano"),
        failed=status in _ERROR or "error" in told,
        where=where,
    )


def _event(where: Provenance, record: dict[str, Any], resource: Known) -> Iterator[Span]:
    told = known(record.get("attributes"))
    body = text(fields(record.get("body")).get("stringValue"))
    said = (text(record.get("eventName")), text(told.get("event")), body)
    name = next((each for each in said if each in EVENTS), "")
    if not name:
        return
    moment = record.get("timeUnixNano")
    if text(moment) in ("", "0"):
        moment = record.get("observedTimeUnixNano")
    yield Span(
        key=(text(record.get("traceId")).lower(), text(record.get("spanId")).lower()),
        parent=("", ""),
        bills=bills(is_client=False, told=told) or "inference",
        known=told,
        resource=resource,
        start=moment,
        end=moment,
        failed="error" in told,
        where=where,
        event=name,
    )


def _of_flat(where: Provenance, line: dict[str, Any]) -> Iterator[Span]:
    context = fields(line.get("spanContext"))
    resource = known(fields(line.get("resource")).get("attributes"))
    trace = line.get("traceId") or context.get("traceId")
    parent = line.get("parentSpanId") or fields(line.get("parentSpanContext")).get("spanId")
    ids = {"traceId": trace, "spanId": line.get("spanId") or context.get("spanId")}
    kind = text(line.get("type"))
    if kind == "span" or (not kind and "startTime" in line):
        status = fields(line.get("status")).get("code")
        times = {
            "startTimeUnixNano": _nanoseconds(line.get("startTime")),
            "endTimeUnixNano": _nanoseconds(line.get("endTime")),
        }
        span_kind = 3 if text(line.get("kind")) in (_FLAT_CLIENT, "CLIENT") else 0
        rest = {"parentSpanId": parent, "kind": span_kind, "status": {"code": status}}
        yield _span(where, {**ids, **times, **rest, "attributes": line["attributes"]}, resource)
    elif kind != "metric":
        body = line.get("body") or line.get("_body")
        moment = _nanoseconds(line.get("hrTime") or line.get("time") or line.get("timestamp"))
        record = {"timeUnixNano": moment, "body": {"stringValue": body}}
        yield from _event(where, {**ids, **record, "attributes": line["attributes"]}, resource)


def _nanoseconds(value: object) -> object:
    """Return a moment as flat lines have it, seconds and nanoseconds in a pair, as one number."""
    if isinstance(value, list) and len(value) == _MOMENT_PARTS:
        seconds, nanoseconds = value
        if isinstance(seconds, int) and isinstance(nanoseconds, int):
            return seconds * _NANO + nanoseconds
    return value
