"""Which headers go on: from the client to the tool, and from the tool to the client. Pure.

What concerns one connection alone (RFC 9110, 7.6.1) ends here, and so does every credential: a
client's key is Clearbar's, and a tool's key is not the client's to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.serving.endpoint import Endpoint

Headers = list[tuple[bytes, bytes]]

_OF_ONE_CONNECTION: Final = frozenset(
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
        b"expect",
        b"content-length",
    }
)
_NOT_TO_THE_TOOL: Final = _OF_ONE_CONNECTION | {
    b"host",
    b"accept-encoding",
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"cookie",
    b"forwarded",
    b"openai-organization",
    b"openai-project",
    b"traceparent",
    b"tracestate",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
}
_WITH_OWN_CREDENTIALS: Final = _NOT_TO_THE_TOOL - {
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"openai-organization",
    b"openai-project",
}
_NOT_TO_THE_CLIENT: Final = _OF_ONE_CONNECTION | {b"set-cookie", b"alt-svc", b"server", b"date"}
_OURS: Final = b"x-clearbar-"


def request_head(
    method: str,
    endpoint: Endpoint,
    path: str,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    length: int,
    trace: bytes,
    *,
    passes_credentials: bool,
) -> bytes:
    """Return the whole head of a request to a tool, its empty line included.

    `trace` is the value of `traceparent`, and may bring a `tracestate` with it.
    """
    dropped = _WITH_OWN_CREDENTIALS if passes_credentials else _NOT_TO_THE_TOOL
    joined = b"&".join(part for part in (endpoint.query, query) if part)
    target = endpoint.path + path.encode("ascii") + (b"?" + joined if joined else b"")
    parts = [
        method.encode("ascii"),
        b" ",
        target,
        b" HTTP/1.1\r\nhost: ",
        endpoint.host,
        b"\r\naccept-encoding: identity\r\ntraceparent: ",
        trace,
    ]
    named = _named_by_connection(headers)
    for name, value in headers:
        if name not in dropped and name not in named and not name.startswith(_OURS):
            parts += (b"\r\n", name, b": ", value)
    if not passes_credentials:
        for name, value in endpoint.credentials:
            parts += (b"\r\n", name, b": ", value)
    if length or method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        parts += (b"\r\ncontent-length: ", b"%d" % length)
    parts.append(b"\r\n\r\n")
    return b"".join(parts)


def reply_headers(headers: Sequence[tuple[bytes, bytes]], ours: Headers) -> Headers:
    """Return the headers of a reply: those of the tool that concern the client, and ours."""
    named = _named_by_connection(headers)
    kept = [
        each
        for each in headers
        if each[0] not in _NOT_TO_THE_CLIENT
        and each[0] not in named
        and not each[0].startswith(_OURS)
    ]
    return kept + ours


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    """Return the first value of a header, empty where it is not there."""
    for each, value in headers:
        if each == name:
            return value
    return b""


def _named_by_connection(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the headers that the `connection` header says are of this connection alone."""
    said = header(headers, b"connection").lower()
    if said in (b"", b"keep-alive", b"close"):
        return frozenset()
    return frozenset(part.strip() for part in said.split(b","))
