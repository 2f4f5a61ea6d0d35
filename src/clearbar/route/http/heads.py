"""Writes the heads of replies.

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
_STATUS_LINES: Final = {
    each.value: b"HTTP/1.1 %d %s\r\n" % (each.value, each.phrase.encode()) for each in HTTPStatus
}


class UnfitHeader(ValueError):  # noqa: N818 - it names the header's state
    """A header that would break the head it stands in. Its value is not quoted."""

    def __init__(self) -> None:
        super().__init__("a header holds a character that would break the head")


def reply_head(status: int, headers: Headers, framing: bytes) -> bytes:
    """Return the head of a reply with its blank line.

    Args:
        status: HTTP.
        headers: Names in lower case; those about framing are dropped.
        framing: Whole header lines about length and connection, each with its line end.

    Raises:
        UnfitHeader: when a name or value holds CR, LF or NUL.
    """
    line = status_line(status)
    fields = header_lines(headers)
    if fields:
        return b"%b%b\r\n%b\r\n" % (line, fields, framing)
    return b"%b%b\r\n" % (line, framing)


def status_line(status: int) -> bytes:
    """Return the first line of a reply, with its line end."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_lines(headers: Headers) -> bytes:
    """Return header lines without the last line end. One pass in C, checked by counting.

    Raises:
        UnfitHeader: as `reply_head`.
    """
    if not _OURS.isdisjoint(dict(headers)):
        headers = [each for each in headers if each[0] not in _OURS]
    fields = b"\r\n".join(map(b": ".join, headers))
    line_ends = max(len(headers) - 1, 0)
    if fields.count(b"\n") != line_ends or fields.count(b"\r") != line_ends or b"\0" in fields:
        raise UnfitHeader
    return fields
