"""Which headers go on: from the client to the tool, and from the tool to the client. Pure.

What concerns one connection alone (RFC 9110, 7.6.1) ends here, and so does every credential: a
client's key is Clearbar's, and a tool's key is not the client's to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.http.heads import HOP_BY_HOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.serving.endpoint import Endpoint

Headers = list[tuple[bytes, bytes]]

_OF_ONE_CONNECTION: Final = HOP_BY_HOP | {b"expect", b"content-length"}
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
    b"ocp-apim-subscription-key",
    b"x-amz-security-token",
    b"x-goog-api-key",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
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
_REDIRECTS: Final = 3
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def prepared_head(
    method: str,
    endpoint: Endpoint,
    path: str,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    passes_credentials: bool,
) -> tuple[bytes, bytes]:
    """Return what stands before and behind the trace: the same for each request of a head."""
    dropped = _WITH_OWN_CREDENTIALS if passes_credentials else _NOT_TO_THE_TOOL
    joined = b"&".join(part for part in (endpoint.query, query) if part)
    target = endpoint.path + path.encode("ascii") + (b"?" + joined if joined else b"")
    before = b"%b %b HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\ntraceparent: " % (
        method.encode("ascii"),
        target,
        endpoint.host,
    )
    named = _named_by_connection(headers)
    kept = [
        each
        for each in headers
        if each[0] not in dropped and each[0] not in named and not each[0].startswith(_OURS)
    ]
    if not passes_credentials:
        kept += endpoint.credentials
    return before, b"".join([b"\r\n%b: %b" % each for each in kept])


def finished_head(method: str, prepared: tuple[bytes, bytes], length: int, trace: bytes) -> bytes:
    """Return the head of one request; its length stands in it where it may have a body."""
    before, behind = prepared
    if length or method not in _WITHOUT_BODY:
        return b"%b%b%b\r\ncontent-length: %d\r\n\r\n" % (before, trace, behind, length)
    return b"%b%b%b\r\n\r\n" % (before, trace, behind)


def reply_headers(
    headers: Sequence[tuple[bytes, bytes]], ours: Headers, status: int = 200
) -> Headers:
    """Return the headers of a reply: those of the tool that concern the client, and ours.

    Of a redirect the client does not learn where to: it would ask there, past the gateway.
    """
    named = _named_by_connection(headers)
    if status // 100 == _REDIRECTS:
        named |= {b"location", b"refresh"}
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
