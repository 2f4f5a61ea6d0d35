"""Asks an endpoint once, over HTTP.

It talks to the declared URL and to nothing else: redirects are not followed, and proxies named by
the environment are not used, since a prompt goes where the reviewed file says. Certificates are
judged by the system's authorities, or by those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx2

from clearbar.core.authorities import context_for
from clearbar.core.errors import ClearbarError
from clearbar.core.retry_after import retry_after_s
from clearbar.tools.address import no_url, protocol_of, url_of
from clearbar.tools.tool import Answer, Failure
from clearbar.tools.wire import body_of, decoded, headers_of, read_answer
from clearbar.tools.wire_errors import NotAnAnswer, error_of
from clearbar.tools.wire_stream import open_stream, whole
from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clearbar.tools.address import Protocol
    from clearbar.tools.tool import Request, Tool

MAX_ANSWER_BYTES: Final = 16 * 2**20
"""A larger body is refused while it is read."""
_MAX_ERROR_BYTES: Final = 2**16
_FIRST_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})
_MEANINGS: Final = {
    400: "the endpoint did not accept the request",
    401: "the endpoint did not accept the key",
    403: "the endpoint forbids this request",
    404: "the endpoint does not know the model or the address",
    413: "the input is too long for the endpoint",
    429: "the endpoint asked to slow down",
    503: "the endpoint is not available",
    529: "the endpoint is overloaded",
}
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}")


class Endpoints:
    """All endpoints of a run; they share a pool of connections. Close it when done."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._opened: dict[bool, httpx2.AsyncClient] = {}
        """By whether the connections are encrypted: authorities take a while to load."""

    async def ask(self, tool: Tool, request: Request, *, stream: bool = False) -> Answer | Failure:
        """Ask a tool's endpoint once; with `stream`, for its answer in events.

        Raises:
            ClearbarError: when the tool's declaration, or the environment, has to be changed.
        """
        url, loop = url_of(tool), asyncio.get_running_loop()
        headers = headers_of(tool, self._key_of(tool))
        body = body_of(tool, request, stream=stream)
        client = self._client(secure=url.startswith("https:"))
        started = loop.time()
        found: Answer | Failure
        try:
            async with asyncio.timeout(tool.timeout_s):
                asked = client.stream("POST", url, content=body, headers=headers)
                async with asked as response:
                    found = await _read(tool, response)
        except TimeoutError:
            found = Failure(f"no answer within {tool.timeout_s:g} s", retry=True)
        except httpx2.InvalidURL:
            raise no_url(tool) from None
        except httpx2.TransportError as error:
            found = _broken(error)
        return replace(found, latency_ms=round((loop.time() - started) * 1000))

    async def close(self) -> None:
        """Close the connections."""
        while self._opened:
            _, client = self._opened.popitem()
            await client.aclose()

    def _client(self, *, secure: bool) -> httpx2.AsyncClient:
        if secure not in self._opened:
            nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._opened[secure] = httpx2.AsyncClient(
                verify=context_for(self._environment) if secure else nobody,
                timeout=None,  # each call has that of its tool
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
                trust_env=False,
                follow_redirects=False,
            )
        return self._opened[secure]

    def _key_of(self, tool: Tool) -> str | None:
        if tool.key_env is None:
            return None
        key = self._environment.get(tool.key_env, "").strip()
        if not key:
            raise ClearbarError(
                f'the tool "{tool.name}" takes its key from the environment variable'
                f" {tool.key_env}, which is not set",
                f"export {tool.key_env}=..., or leave key_env out where no key is needed",
            )
        if not (key.isascii() and key.isprintable()):
            raise ClearbarError(
                f"the environment variable {tool.key_env} holds characters that no key has",
                "copy the key again",
            )
        return key


async def _read(tool: Tool, response: httpx2.Response) -> Answer | Failure:
    if not response.is_success:
        return await _refusal(response)
    try:
        return await _answer(protocol_of(tool), response)
    except NotAnAnswer as error:
        return Failure(
            error.what,
            error.retry,
            status=response.status_code,
            usage=error.usage,
            upstream_id=error.upstream_id,
        )


async def _answer(protocol: Protocol, response: httpx2.Response) -> Answer:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NotAnAnswer("the answer is compressed, which was not asked for", retry=False)
    media_type = _media_type(response)
    if media_type == "text/event-stream":
        folding = open_stream(protocol)
        await _take(response, folding.feed, MAX_ANSWER_BYTES)
        return whole(folding.folded())
    pieces: list[bytes] = []
    await _take(response, pieces.append, MAX_ANSWER_BYTES)
    payload = b"".join(pieces)
    if media_type.endswith("json") or decoded(payload) is not None:
        return read_answer(protocol, payload)
    raise NotAnAnswer(f"the endpoint answered with {media_type}, not with JSON", retry=False)


async def _refusal(response: httpx2.Response) -> Failure:
    """Return what a status without an answer means: by its body where that is known."""
    status, pieces = response.status_code, list[bytes]()
    with suppress(NotAnAnswer, httpx2.TransportError):
        await _take(response, pieces.append, _MAX_ERROR_BYTES)
    said = error_of(as_object(decoded(b"".join(pieces))))
    retry = status in _WORTH_ANOTHER_TRY or status >= _FIRST_SERVER_ERROR
    return Failure(
        f"{(said and said.what) or _meaning(status)} (HTTP {status})",
        retry=retry and (said is None or said.retry),
        retry_after_s=retry_after_s(response.headers, datetime.now(UTC)) if retry else None,
        status=status,
    )


def _meaning(status: int) -> str:
    if status < _FIRST_ERROR:
        return "the endpoint sends to another address, which is not followed"
    usual = "failed" if status >= _FIRST_SERVER_ERROR else "did not accept the request"
    return _MEANINGS.get(status, f"the endpoint {usual}")


async def _take(response: httpx2.Response, take: Callable[[bytes], None], most: int) -> None:
    """Hand on the body as it arrives.

    Raises:
        NotAnAnswer: as soon as it is larger than `most` bytes.
    """
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > most:
            raise NotAnAnswer(f"the answer is larger than {most // 2**20} MiB", retry=False)
        take(piece)


def _media_type(response: httpx2.Response) -> str:
    said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return said if _MEDIA_TYPE.fullmatch(said) else "an unknown type"


def _broken(error: httpx2.TransportError) -> Failure:
    reasons: list[BaseException] = []
    reason: BaseException | None = error
    while reason is not None and reason not in reasons:
        reasons.append(reason)
        reason = reason.__cause__ or reason.__context__
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in reasons):
        return Failure("the endpoint's certificate is not trusted", retry=False, sent=False)
    if isinstance(error, httpx2.ConnectError):
        return Failure("the endpoint cannot be reached", retry=True, sent=False)
    return Failure("the connection broke before the answer was whole", retry=True)
