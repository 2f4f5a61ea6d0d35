"""What an exporter is answered, in the encoding that it speaks: JSON or protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from clearbar.spend.shapes.otel_protobuf import Signal

JSON: Final = b"application/json"
PROTOBUF: Final = b"application/x-protobuf"
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}
_CODES: Final = {400: 3, 401: 16, 404: 5, 405: 12, 413: 8, 415: 3, 429: 8, 503: 14}
"""HTTP status -> code of gRPC, which a status message of OTLP holds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def taken(signal: Signal, refused: int, why: str, *, is_json: bool) -> Answer:
    """Say that a request was taken, and how much of it was not."""
    if is_json:
        part = {_REJECTED[signal]: str(refused), "errorMessage": why}
        body = msgspec.json.encode({"partialSuccess": part} if why else {})
        return Answer(200, _headers(JSON), body)
    part_bytes = (b"\x08" + _varint(refused) if refused else b"") + _field(2, why.encode())
    return Answer(200, _headers(PROTOBUF), _field(1, part_bytes) if why else b"")


def refusal(status: int, why: str, *, is_json: bool, retry_after_s: int | None = None) -> Answer:
    """Say why a request was not taken; with `retry_after_s`, that it may come again."""
    code = _CODES.get(status, 2)
    body = (
        msgspec.json.encode({"code": code, "message": why})
        if is_json
        else b"\x08" + _varint(code) + _field(2, why.encode())
    )
    headers = _headers(JSON if is_json else PROTOBUF)
    if retry_after_s is not None:
        headers = (*headers, (b"retry-after", str(retry_after_s).encode()))
    return Answer(status, headers, body)


def _headers(kind: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"content-type", kind), (b"x-content-type-options", b"nosniff"))


def _field(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
