"""Writes the heads of replies and of requests.

A CR, LF or NUL inside a value would let whoever chose it write headers, or a whole message, of
their own. Framing is ours alone: headers about it are dropped, whoever gives them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clearbar.route.http.message import Headers

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that are about one connection and never passed on."""
_OURS: Final = HOP_BY_HOP - {b"proxy-authenticate", b"proxy-authorization"} | {
    b"content-length",
    b"host",
}
_NOT_PASSED: Final = HOP_BY_HOP | {b"content-length", b"host", b"expect"}
_NAMES_NONE: Final = frozenset({b"keep-alive", b"close", b""})
_STATUS_LINES: Final = {
    each.value: b"HTTP/1.1 %d %s\r\n" % (each.value, each.phrase.encode()) for each in HTTPStatus
}


class UnfitHeader(ValueError):  # noqa: N818 - it names the header's state
    """A header or a target that would break the head it stands in. Its value is not quoted."""

    def __init__(self) -> None:
        super().__init__("a header, or the target, holds a character that would break the head")


def reply_head(status: int, headers: Headers, framing: bytes) -> bytes:
    """Return the head of a reply with its blank line.

    Args:
        status: HTTP.
        headers: Names in lower case; those about framing are dropped.
        framing: Whole header lines about length and connection, each with its line end.

    Raises:
        UnfitHeader: when a name or value holds CR, LF or NUL.
    """
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    fields = _fields(headers)
    if fields:
        return b"%b%b\r\n%b\r\n" % (line, fields, framing)
    return b"%b%b\r\n" % (line, framing)


def request_head(
    method: str, target: str, host: bytes, headers: Headers, length: int | None
) -> bytes:
    """Return the head of a request to an upstream with its blank line.

    Args:
        method: GET, POST, ...
        target: Path and query.
        host: As `host_of` gives it.
        headers: Names in lower case, without `host`; those about framing are dropped.
        length: Of the body; None for a method that has none.

    Raises:
        UnfitHeader: when a part holds what would break the head.
    """
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise UnfitHeader
    line = f"{method} {target} HTTP/1.1\r\nhost: ".encode("ascii")
    framing = b"" if length is None else b"content-length: %d\r\n" % length
    fields = _fields(headers)
    if fields:
        return b"%b%b\r\n%b\r\n%b\r\n" % (line, host, fields, framing)
    return b"%b%b\r\n%b\r\n" % (line, host, framing)


def host_of(*, secure: bool, host: str, port: int) -> bytes:
    """Return the value of `host` for an origin: the port only where it is not the usual one.

    Raises:
        UnfitHeader: when the name holds what would break the head.
    """
    if not host.isprintable() or " " in host:
        raise UnfitHeader
    name = f"[{host}]" if ":" in host else host
    if port != (443 if secure else 80):
        name = f"{name}:{port}"
    return name.encode("ascii" if name.isascii() else "idna")


class EndToEnd(list[tuple[bytes, bytes]]):
    """Headers that hold nothing about framing. Add to it in place only what is about the answer."""

    __slots__ = ()


def end_to_end(headers: Headers) -> EndToEnd:
    """Return the headers that may be passed on: without those about one hop, and framing.

    A header that `connection` names is about one hop too.
    """
    kept = EndToEnd()
    keep = kept.append
    for each in headers:
        name = each[0]
        if name not in _NOT_PASSED:
            keep(each)
        elif name == b"connection" and each[1].lower() not in _NAMES_NONE:
            return _without_named(headers)
    return kept


def _without_named(headers: Headers) -> EndToEnd:
    dropped = set(_NOT_PASSED)
    for name, value in headers:
        if name == b"connection":
            dropped.update(each.strip(b" \t").lower() for each in value.split(b","))
    return EndToEnd([each for each in headers if each[0] not in dropped])


def _fields(headers: Headers) -> bytes:
    """Return header lines without the last line end. One pass in C, checked by counting."""
    if type(headers) is not EndToEnd and not _OURS.isdisjoint(dict(headers)):
        headers = [each for each in headers if each[0] not in _OURS]
    fields = b"\r\n".join(map(b": ".join, headers))
    line_ends = max(len(headers) - 1, 0)
    if fields.count(b"\n") != line_ends or fields.count(b"\r") != line_ends or b"\0" in fields:
        raise UnfitHeader
    return fields
