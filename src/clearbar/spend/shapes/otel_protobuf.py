"""OTLP in protobuf to the same objects as OTLP in JSON, with only the attributes that are read.

Written by hand for the few messages that there are, so that reading needs no library: what is not
asked for, such as events and messages, is stepped over and never decoded. Every length is checked
against what encloses it, and nothing nests deeper than the messages do; so hostile bytes cost no
more than their own length. Field numbers: opentelemetry-proto, `trace/v1`, `logs/v1`, `metrics/v1`.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final, Literal

from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.otel_names import MAX_VALUE_CHARS, RANKS

if TYPE_CHECKING:
    from collections.abc import Iterator

Signal = Literal["traces", "logs", "metrics"]
WHOLES: Final[dict[Signal, tuple[str, str, str]]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
"""Signal -> the names of the lists, as JSON has them, from the outermost."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KEYS: Final = {key.encode(): key for key in RANKS}
MAX_ITEMS: Final = 250_000
"""Of one request: exporters send some hundreds at a time. Two bytes can be one, once decoded."""
_LONGEST_VARINT: Final = 10
_SIXTY_FOUR: Final = 64
_double: Final = Struct("<d")
_fixed64: Final = Struct("<Q")
_fixed32: Final = Struct("<I")
_SPAN: Final = {1: "traceId", 2: "spanId", 4: "parentSpanId"}
_SPAN_NUMBERS: Final = {6: "kind", 7: "startTimeUnixNano", 8: "endTimeUnixNano"}
_LOG: Final = {9: "traceId", 10: "spanId"}
_LOG_NUMBERS: Final = {1: "timeUnixNano", 11: "observedTimeUnixNano"}
_POINTS: Final = frozenset({5, 7, 9, 10, 11})
"""Gauge, sum, histogram, exponential histogram and summary: each holds its points in field 1."""

_Field = tuple[int, int, int, int]
"""Field number, wire type, and where the value stands: start and end; or the number twice."""


def decoded(signal: Signal, payload: bytes) -> dict[str, Any]:
    """Return an export request as JSON would have it, without what is not read.

    Raises:
        QuarantineError: when the bytes are no such request.
    """
    outer, scope, inner = WHOLES[signal]
    wholes = []
    left = iter(range(MAX_ITEMS))
    for number, kind, start, end in _fields(payload, 0, len(payload)):
        if number == 1 and kind == _BYTES:
            _count(left)
            wholes.append(_resource_items(signal, payload, start, end, (scope, inner), left))
    return {outer: wholes}


def _count(left: Iterator[int]) -> None:
    if next(left, None) is None:
        raise QuarantineError(f"one request of more than {MAX_ITEMS:,} items", "send fewer at once")


def signal_of(payload: bytes) -> Signal:
    """Return what a request holds, told by the first field of its first item.

    Raises:
        QuarantineError: when the bytes are no such request.
    """
    place = (0, len(payload))
    for wanted in (1, 2, 2):
        found = next((f for f in _fields(payload, *place) if f[:2] == (wanted, _BYTES)), None)
        if found is None:
            return "traces"  # it holds nothing, whatever it is
        place = found[2:]
    first = next(_fields(payload, *place), None)
    if first is None or first[0] != 1:
        return "logs"  # without a time
    if first[1] == _FIXED64:
        return "logs"
    is_id = first[3] - first[2] == 16  # noqa: PLR2004 - bytes of a trace id
    second = next((f for f in _fields(payload, *place) if f[0] == 2), None)  # noqa: PLR2004
    return "traces" if is_id and second and second[3] - second[2] == 8 else "metrics"  # noqa: PLR2004


def _resource_items(
    signal: Signal,
    data: bytes,
    start: int,
    end: int,
    names: tuple[str, str],
    left: Iterator[int],
) -> dict[str, Any]:
    scope_name, item_name = names
    found: dict[str, Any] = {scope_name: []}
    for number, kind, first, last in _fields(data, start, end):
        if kind != _BYTES:
            continue
        if number == 1:
            found["resource"] = {"attributes": _attributes(data, first, last, 1)}
        elif number == 2:  # noqa: PLR2004 - the scopes
            _count(left)
            items = []
            for inner, wire, *place in _fields(data, first, last):
                if inner == 2 and wire == _BYTES:  # noqa: PLR2004 - the items of a scope
                    _count(left)
                    items.append(_item(signal, data, *place))
            found[scope_name].append({item_name: items})
    return found


def _item(signal: Signal, data: bytes, start: int, end: int) -> dict[str, Any]:
    if signal == "traces":
        return _span(data, start, end)
    return _log_record(data, start, end) if signal == "logs" else _metric(data, start, end)


def _span(data: bytes, start: int, end: int) -> dict[str, Any]:
    span: dict[str, Any] = {}
    attributes: list[Any] = []
    for number, kind, first, last in _fields(data, start, end):
        if kind == _BYTES:
            if number == 9:  # noqa: PLR2004 - the attributes
                attributes.extend(_attribute(data, first, last))
            elif number in _SPAN:
                span[_SPAN[number]] = data[first:last].hex()
            elif number == 15:  # noqa: PLR2004 - the status
                codes = [f[2] for f in _fields(data, first, last) if f[:2] == (3, _VARINT)]
                span["status"] = {"code": codes[-1]} if codes else {}
        elif number in _SPAN_NUMBERS:
            span[_SPAN_NUMBERS[number]] = first
    return {**span, "attributes": attributes}


def _log_record(data: bytes, start: int, end: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    attributes: list[Any] = []
    for number, kind, first, last in _fields(data, start, end):
        if kind == _BYTES:
            if number == 6:  # noqa: PLR2004 - the attributes
                attributes.extend(_attribute(data, first, last))
            elif number in _LOG:
                record[_LOG[number]] = data[first:last].hex()
            elif number == 12:  # noqa: PLR2004 - the event's name
                record["eventName"] = _text(data, first, last)
            elif number == 5:  # noqa: PLR2004 - the body: a name where it is short, else a text
                record["body"] = _value(data, first, last)
        elif number in _LOG_NUMBERS:
            record[_LOG_NUMBERS[number]] = first
    return {**record, "attributes": attributes}


def _metric(data: bytes, start: int, end: int) -> dict[str, Any]:
    """Return how many points a metric has; nothing else of it is read."""
    points = 0
    for number, kind, first, last in _fields(data, start, end):
        if number in _POINTS and kind == _BYTES:
            points += sum(1 for f in _fields(data, first, last) if f[:2] == (1, _BYTES))
    return {"points": points}


def _attributes(data: bytes, start: int, end: int, wanted: int) -> list[Any]:
    return [
        each
        for number, kind, first, last in _fields(data, start, end)
        if number == wanted and kind == _BYTES
        for each in _attribute(data, first, last)
    ]


def _attribute(data: bytes, start: int, end: int) -> list[dict[str, Any]]:
    """Return a key with its value, or nothing where the key is none that is read."""
    key, value = None, (0, 0)
    for number, kind, first, last in _fields(data, start, end):
        if kind == _BYTES and number == 1:
            key = _KEYS.get(data[first:last])
        elif kind == _BYTES and number == 2:  # noqa: PLR2004 - the value
            value = (first, last)
    if key is None:
        return []
    return [{"key": key, "value": _value(data, *value)}]


def _value(data: bytes, start: int, end: int) -> dict[str, Any]:
    """Return a plain value as JSON has it; nothing for lists, maps, bytes and long texts."""
    for number, kind, first, last in _fields(data, start, end):
        if number == 1 and kind == _BYTES:
            return {"stringValue": _text(data, first, last)}
        if number == 2 and kind == _VARINT:  # noqa: PLR2004
            return {"boolValue": bool(first)}
        if number == 3 and kind == _VARINT:  # noqa: PLR2004
            return {"intValue": first - (1 << _SIXTY_FOUR) if first >> 63 else first}
        if number == 4 and kind == _FIXED64:  # noqa: PLR2004
            return {"doubleValue": _double.unpack(_fixed64.pack(first))[0]}
    return {}


def _text(data: bytes, start: int, end: int) -> str:
    if end - start > 4 * MAX_VALUE_CHARS:
        return ""
    found = data[start:end].decode("utf-8", "replace")
    return found if len(found) <= MAX_VALUE_CHARS else ""


def _fields(data: bytes, place: int, end: int) -> Iterator[_Field]:
    """Yield the fields of a message that stands from `place` to `end`."""
    while place < end:
        tag = data[place]
        place += 1
        if tag > 0x7F:  # noqa: PLR2004 - more bytes follow
            tag, place = _varint(data, place - 1, end)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            size, first = _varint(data, place, end)
            place = first + size
            if place > end:
                raise _broken()
            yield number, kind, first, place
        elif kind == _VARINT:
            value, place = _varint(data, place, end)
            yield number, kind, value, value
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            place += size
            if place > end:
                raise _broken()
            of_size = _fixed64 if kind == _FIXED64 else _fixed32
            (value,) = of_size.unpack_from(data, place - size)
            yield number, kind, value, value
        else:
            raise _broken()
        if number == 0:
            raise _broken()


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    for byte in data[place : min(place + _LONGEST_VARINT, end)]:
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise _broken()


def _broken() -> QuarantineError:
    return QuarantineError("no OTLP in protobuf", "the file may have been cut short or edited")
