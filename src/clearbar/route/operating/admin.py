"""The admin API: who may ask, what was asked, and the answer or the problem in JSON."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.core.money import plain
from clearbar.route.operating.admin_routes import ENDPOINTS, MISSING
from clearbar.route.operating.endpoint import JSON, PROBLEM, TEXT, Asked, ProblemError
from clearbar.route.operating.metrics import CONTENT_TYPE
from clearbar.route.operating.openapi import document

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from clearbar.route.http.message import Reply, Request
    from clearbar.route.operating.admin_token import AdminToken
    from clearbar.route.operating.endpoint import Endpoint
    from clearbar.route.operating.facts import AdminFacts
    from clearbar.route.operating.metrics import Metrics

_log: Final = logging.getLogger(__name__)
MOST_BYTES: Final = 64 * 1024
"""Of a body."""
_NOBODYS: Final = (".internal", ".local", ".localhost")
"""Ends of names that nobody can own."""
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_CHALLENGE: Final = ((b"www-authenticate", b'Bearer realm="clearbar"'),)


class Admin:
    """Answers requests on the admin port; `handle` is what a `Front` is given."""

    def __init__(
        self, facts: AdminFacts, metrics: Metrics, token: AdminToken, *, open_metrics: bool = True
    ) -> None:
        self._facts = facts
        self._metrics = metrics
        self._token = token
        self._open_metrics = open_metrics
        self._document = document(ENDPOINTS, facts.version, open_metrics=open_metrics)
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request, in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._answer(request, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Request, reply: Reply) -> None:
        status, kind, body, headers = await self._answered(request)
        if request.method == "HEAD":
            body = b""
        reply.send(status, ((b"content-type", kind), *_ALWAYS, *headers), body)

    async def _answered(
        self, request: Request
    ) -> tuple[int, bytes, bytes, tuple[tuple[bytes, bytes], ...]]:
        try:
            endpoint, names = found(request)
            key = self._authorise(endpoint, request)
            body = body_of(endpoint, request)
            asked = Asked(self._facts, self._metrics, self._document, names, body, key)
            said = await _called(endpoint, asked)
        except ProblemError as error:
            problem = error.problem
            headers = error.headers
            if problem.retry_after_s is not None:
                headers = (*headers, (b"retry-after", str(problem.retry_after_s).encode()))
            return problem.status, PROBLEM.encode(), _encode(problem), headers
        if isinstance(said, bytes):
            kind = CONTENT_TYPE if endpoint.content_type == TEXT else JSON.encode()
            return endpoint.status, kind, said, ()
        return endpoint.status, JSON.encode(), _encode(said), ()

    def _authorise(self, endpoint: Endpoint, request: Request) -> str:
        """Return the gateway key that asks; empty for anybody else who may."""
        open_now = endpoint.access == "open" or (
            endpoint.access == "metrics" and self._open_metrics
        )
        token = bearer(request)
        if token and self._token.is_it(token):
            return ""
        if open_now:
            if endpoint.access == "metrics" and is_rebound(request):
                raise ProblemError(
                    403,
                    "foreign_host",
                    "metrics are told to this machine under its own name only",
                    hint="ask 127.0.0.1 or localhost, or send the admin token",
                )
            return ""
        if token and endpoint.access == "holder" and self._facts.key_of(token):
            return token
        wanted = "the admin token" if endpoint.access != "holder" else "a gateway key"
        raise ProblemError(
            401,
            "no_token" if not token else "bad_token",
            f"this needs {wanted}",
            hint="send `authorization: Bearer ...`; the admin token is in a variable of the"
            " gateway's environment, or in its file admin-token",
            headers=_CHALLENGE,
        )


def is_rebound(request: Request) -> bool:
    """Return whether a page in a browser of this machine may have asked, under its own site's name.

    Whoever owns a name can let it lead to this machine, and then a page of theirs may read what is
    answered to anybody (DNS rebinding). Nobody owns names without a dot, or numbers.
    """
    peer, host = _address(request.peer), (request.header(b"host") or b"").decode("latin-1")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if peer is None or not peer.is_loopback or _address(name.strip("[]")) is not None:
        return False
    name = name.rstrip(".").lower()
    return "." in name and not name.endswith(_NOBODYS)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def found(request: Request) -> tuple[Endpoint, dict[str, str]]:
    """Return the endpoint that a request means, and the names in its path.

    Raises:
        ProblemError: when there is none for the path, or none for the method.
    """
    parts = tuple(_unquoted(part) for part in request.path.split("/"))
    method = "GET" if request.method == "HEAD" else request.method
    there = [(each, names) for each in ENDPOINTS if (names := each.names_in(parts)) is not None]
    for endpoint, names in there:
        if endpoint.method == method:
            return endpoint, names
    if not there:
        raise ProblemError(404, "no_path", "there is no such path", hint="GET /openapi.json")
    allowed: list[str] = sorted({each.method for each, _ in there})
    allowed += ["HEAD"] if "GET" in allowed else []
    raise ProblemError(
        405,
        "method",
        f"this path takes {' and '.join(allowed)}",
        headers=((b"allow", ", ".join(allowed).encode()),),
    )


def body_of(endpoint: Endpoint, request: Request) -> Any:
    """Return the body as the type that the endpoint declares.

    Raises:
        ProblemError: when it is too long, no JSON, or not of that type.
    """
    if endpoint.body is None:
        return None
    kind = (request.header(b"content-type") or b"").split(b";")[0].strip().lower()
    if kind != JSON.encode():
        raise ProblemError(415, "not_json", f"send the body as `content-type: {JSON}`")
    if len(request.body) > MOST_BYTES:
        raise ProblemError(400, "too_long", f"the body has more than {MOST_BYTES} bytes")
    try:
        return msgspec.convert(_whole(msgspec.json.decode(request.body)), endpoint.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = (
            str(error).rpartition(" - at ")[2] if isinstance(error, msgspec.ValidationError) else ""
        )
        what = f"the body does not fit at {where}" if where else "the body is no JSON"
        raise ProblemError(400, "bad_body", what, hint="GET /openapi.json") from error


def bearer(request: Request) -> str:
    """Return the token of the header `authorization`; empty for none."""
    scheme, _, token = (request.header(b"authorization") or b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


async def _called(endpoint: Endpoint, asked: Asked) -> object:
    try:
        return await endpoint.call(asked)
    except ProblemError:
        raise
    except MISSING as error:
        raise ProblemError(404, "not_found", str(error)) from error
    except ClearbarError as error:
        raise ProblemError(500, "failed", error.message, hint=error.hint) from error
    except Exception as error:
        _log.exception("%s failed", endpoint.name)
        raise ProblemError(500, "failed", "an error of Clearbar's own; its log has it") from error


def _encode(said: object) -> bytes:
    """Return a value as JSON, its decimals written out: never with an exponent."""
    return msgspec.json.encode(_written(msgspec.to_builtins(said, builtin_types=(Decimal,))))


def _written(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _written(value) for name, value in said.items()}
    if isinstance(said, list | tuple):
        return [_written(value) for value in said]
    return plain(said) if isinstance(said, Decimal) else said


def _whole(said: Any) -> Any:
    """Return a JSON value in which `1.0` is the integer that JSON Schema takes it for."""
    if isinstance(said, dict):
        return {name: _whole(value) for name, value in said.items()}
    if isinstance(said, list):
        return [_whole(value) for value in said]
    return int(said) if isinstance(said, float) and said.is_integer() else said


def _unquoted(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemError(404, "no_path", "the path is not UTF-8") from error
