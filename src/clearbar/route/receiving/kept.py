"""What of an export request is kept: names, ids, times and counts, each from a list of those known.

Not: what is refused. Prompts and answers stand under ever new names, so that nothing goes by what
it is called that should stay out; what is not known to be wanted is not taken. Spans without any
known name are kept as bare ids, because a call may be found to be inside of them. A line of what is
kept tells of one trace, so that it can be put into one file with the rest of its trace.

Pure: no disk, network or clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import decode, fields, items
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.otel_names import EVENTS, MAX_VALUE_CHARS, RANKS, bills, known
from clearbar.spend.shapes.otel_protobuf import WHOLES, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.shapes.otel_protobuf import Signal

_KEPT: Final[tuple[Signal, ...]] = ("traces", "logs")
_HEX: Final = frozenset("0123456789abcdef")
_ID_CHARS: Final = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
_NUMBERS: Final = ("kind", "startTimeUnixNano", "endTimeUnixNano")
_MOMENTS: Final = ("timeUnixNano", "observedTimeUnixNano")
_VALUES: Final = ("stringValue", "intValue", "doubleValue", "boolValue")
_LONGEST_NUMBER: Final = 40
_CLIENT: Final = ("3", "SPAN_KIND_CLIENT")
_NO_IDS: Final = "a span needs a trace id of 32 and a span id of 16 hexadecimal digits"
_METRICS: Final = "metrics repeat what spans and events say, and are not kept; send those"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Line(NamedTuple):
    """What one trace says in one request, as a line of a file."""

    trace: str
    """Its id; empty for events that belong to none."""
    payload: bytes
    """OTLP in JSON, without the newline."""
    matters: bool
    """Whether it tells of a call, and not only of what may be around one."""


class Kept(NamedTuple):
    """What is kept of a request, and what was refused of it."""

    lines: list[Line]
    refused: int = 0
    """Spans, or points of metrics."""
    why: str = ""


def kept(signal: Signal, payload: bytes, *, is_json: bool) -> Kept:
    """Return what to keep of a request.

    Raises:
        QuarantineError: when the payload is no request of that signal.
    """
    request = _json(payload) if is_json else decoded(signal, payload)
    if signal == "metrics":
        points = sum(_points(metric) for _, metric in _items(signal, request))
        return Kept([], points, _METRICS if points else "")
    lines: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    calls: set[tuple[str, int]] = set()
    resources: dict[int, list[Any]] = {}
    refused = 0
    for resource, item in _items(signal, request):
        place = id(resource)
        if place not in resources:
            resources[place] = _attributes(fields(resource.get("resource")).get("attributes"))
        if signal == "traces":
            slim = _span(item)
            refused += slim is None
        else:
            slim = _event(item)
        if slim is not None:
            key = slim.get("traceId", ""), place
            lines[key].append(slim)
            if key not in calls and (signal == "logs" or _is_call(slim)):
                calls.add(key)
    found = [
        Line(key[0], _payload(signal, resources[key[1]], of), key in calls)
        for key, of in lines.items()
    ]
    return Kept(found, refused, _NO_IDS if refused else "")


def line_of(payload: bytes) -> Line | None:
    """Return a line as it was kept; None where it is none, as a crash may leave it."""
    try:
        request = _json(payload)
        for signal in _KEPT:
            if found := [item for _, item in _items(signal, request)]:
                matters = signal == "logs" or any(map(_is_call, found))
                return Line(text(found[0].get("traceId")), payload, matters)
    except QuarantineError:
        pass
    return None


def _json(payload: bytes) -> dict[str, Any]:
    found = decode(payload)
    if not isinstance(found, dict):
        raise QuarantineError("no OTLP export request")
    return found


def _items(
    signal: Signal, request: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each item with what it is of."""
    outer, scope, inner = WHOLES[signal]
    for whole in map(fields, items(request.get(outer))):
        for part in map(fields, items(whole.get(scope))):
            for item in map(fields, items(part.get(inner))):
                yield whole, item


def _payload(signal: Signal, resource: list[Any], of: list[dict[str, Any]]) -> bytes:
    outer, scope, inner = WHOLES[signal]
    whole = {"resource": {"attributes": resource}, scope: [{inner: of}]}
    return _encode({outer: [whole]})


def _is_call(span: dict[str, Any]) -> bool:
    return bool(bills(text(span.get("kind")) in _CLIENT, known(span.get("attributes"))))


def _span(span: dict[str, Any]) -> dict[str, Any] | None:
    ids = _ids(span)
    if "traceId" not in ids or "spanId" not in ids:
        return None
    slim = ids | _plain(span, _NUMBERS)
    code = text(fields(span.get("status")).get("code"))[:_LONGEST_NUMBER]
    if code and code not in ("0", "STATUS_CODE_UNSET"):
        slim["status"] = {"code": code}
    slim["attributes"] = _attributes(span.get("attributes"))
    return slim


def _event(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return an event that tells of a call; None for any other: nothing of it is wanted."""
    attributes = _attributes(record.get("attributes"))
    body = text(fields(record.get("body")).get("stringValue"))
    said = (text(record.get("eventName")), text(known(attributes).get("event")), body)
    name = next((each for each in said if each in EVENTS), "")
    if not name:
        return None
    slim = _ids(record) | _plain(record, _MOMENTS)
    return slim | {"eventName": name, "attributes": attributes}


def _ids(item: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, size in _ID_CHARS.items():
        told = text(item.get(name)).lower()
        if len(told) == size and _HEX.issuperset(told) and told.strip("0"):
            found[name] = told
    return found


def _plain(item: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    told = ((name, text(item.get(name))) for name in names)
    return {name: each for name, each in told if 0 < len(each) <= _LONGEST_NUMBER}


def _attributes(attributes: object) -> list[dict[str, Any]]:
    found = []
    for attribute in map(fields, items(attributes)):
        key = text(attribute.get("key"))
        if key not in RANKS:
            continue
        value = fields(attribute.get("value"))
        kind = next((name for name in _VALUES if value.get(name) is not None), "")
        if kind and len(str(value[kind])) <= MAX_VALUE_CHARS and not _is_nested(value[kind]):
            found.append({"key": key, "value": {kind: value[kind]}})
    return found


def _is_nested(value: object) -> bool:
    return isinstance(value, list | dict)


def _points(metric: dict[str, Any]) -> int:
    told = metric.get("points")
    if isinstance(told, int):
        return told
    kinds = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
    return sum(len(items(fields(metric.get(kind)).get("dataPoints"))) for kind in kinds)
