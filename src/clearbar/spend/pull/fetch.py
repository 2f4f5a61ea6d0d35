"""Asks for one page: waits where it is told to, tries again what may pass, gives up clearly.

It talks to the API's address and to nothing else: redirects are not followed, proxies that the
environment names are not used. Keys come from the environment and stand in no error.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Final, Self

import httpx2

from clearbar.core.authorities import context_for
from clearbar.core.retry_after import retry_after_s
from clearbar.spend.pull.api import PullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from clearbar.spend.pull.api import Api, Ask

MAX_PAGE_BYTES: Final = 64 * 2**20
MAX_TRIES: Final = 6
MAX_WAIT_S: Final = 120.0
_FIRST_WAIT_S: Final = 1.0
_TIMEOUT_S: Final = 60.0
_PAGE_S: Final = 600.0
"""A page that comes drop by drop is given up after so long."""
_GZIP: Final = 31
"""Of zlib: a window of 15 bits, in a gzip wrapper."""
_OK: Final = 200
_NOT_FOUND: Final = 404
_OF_THE_KEY: Final = (401, 403)
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_MEANINGS: Final = {
    400: "the API did not accept the request",
    401: "the API did not accept the key",
    403: "the key may not read this: an admin key is needed",
    404: "the API does not know this address",
    429: "the API asked to slow down, again and again",
}


class NotKnown(PullError):  # noqa: N818 - it names the answer
    """The server does not know the address that was asked for."""


class Unreachable(PullError):  # noqa: N818 - as above
    """No connection to the server could be made at all."""


class Fetcher:
    """A connection to one API. Use as a context manager."""

    def __init__(
        self,
        api: Api,
        environment: Mapping[str, str],
        sleep: Callable[[float], None],
        draw: Callable[[], float],
        clock: Callable[[], datetime],
    ) -> None:
        """`draw` returns a number in [0, 1): tries of several machines are not to meet.

        Raises:
            PullError: when the environment names no address or lacks a key.
        """
        self._url, self._url_env = _address(api, environment), api.url_env
        self._key_envs = " and ".join(api.key_envs)
        self._sleep, self._draw, self._clock = sleep, draw, clock
        secure = self._url.startswith("https:")
        self._client = httpx2.Client(
            verify=context_for(environment) if secure else False,
            timeout=_TIMEOUT_S,
            trust_env=False,
            follow_redirects=False,
            headers={
                "accept": "application/json",
                "accept-encoding": "gzip",
                **api.headers(_keys(api, environment)),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def page(self, ask: Ask) -> bytes:
        """Return the bytes of a page.

        Raises:
            NotKnown: when the server does not know the address.
            Unreachable: when no connection can be made after several tries.
            PullError: when it refuses, or does not answer after several tries.
        """
        for attempt in range(1, MAX_TRIES + 1):
            last = attempt == MAX_TRIES
            try:
                with self._client.stream("GET", self._url + ask.path, params=ask.query) as answer:
                    if answer.status_code == _OK:
                        return _body(answer)
                    wait_s = self._wait_s(answer, attempt)
                    if last or answer.status_code not in _PASSING:
                        raise _refused(answer.status_code, attempt, self._key_envs)
            except httpx2.TransportError as error:
                if last:
                    raise _unreachable(error, attempt) from None
                wait_s = self._pause_s(attempt)
            except (httpx2.InvalidURL, ValueError):
                hint = f"see {self._url_env}, or whether this is another API"
                raise PullError("the address of a page is none that can be asked", hint) from None
            self._sleep(wait_s)
        raise AssertionError  # the last try has returned or raised

    def _wait_s(self, answer: httpx2.Response, attempt: int) -> float:
        told_s = retry_after_s(answer.headers, self._clock())
        if told_s is None:
            return self._pause_s(attempt)
        if told_s > MAX_WAIT_S:
            raise PullError(
                f"the API asks to come back in {told_s:,.0f} seconds", "pull again after that"
            )
        return told_s

    def _pause_s(self, attempt: int) -> float:
        """Return a pause that doubles with each try, with a random half."""
        pause_s: float = _FIRST_WAIT_S * 2 ** (attempt - 1)
        return min(pause_s * (0.5 + self._draw() / 2), MAX_WAIT_S)


def _address(api: Api, environment: Mapping[str, str]) -> str:
    address = environment.get(api.url_env, "").strip() or api.url
    if not address:
        raise PullError(
            f"the environment does not say where the {api.title.partition(':')[0]} is",
            f"export {api.url_env}=https://...",
        )
    if not address.startswith(("https://", "http://")):
        raise PullError(f"{api.url_env} is no address", "it begins with https://")
    return address.rstrip("/")


def _keys(api: Api, environment: Mapping[str, str]) -> tuple[str, ...]:
    keys = {name: environment.get(name, "").strip() for name in api.key_envs}
    for name, key in keys.items():
        if not key:
            raise PullError(
                f"the key is taken from the environment variable {name}, which is not set",
                f"export {name}=...",
            )
        if not (key.isascii() and key.isprintable()):
            raise PullError(
                f"the environment variable {name} holds characters that no key has",
                "copy the key again",
            )
    return tuple(keys.values())


def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    give_up = time.monotonic() + _PAGE_S
    for piece in _unpacked(answer):
        body += piece
        if len(body) > MAX_PAGE_BYTES:
            raise PullError(f"a page of more than {MAX_PAGE_BYTES:,} bytes", "pull fewer days")
        if time.monotonic() > give_up:
            raise PullError(f"a page took more than {_PAGE_S:,.0f} seconds", "pull again later")
    return bytes(body)


def _unpacked(answer: httpx2.Response) -> Iterator[bytes]:
    """Yield the body, never much more than a page may have at once: a little gzip can be much."""
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        yield from answer.iter_raw()
        return
    if coding != "gzip":
        raise PullError("the answer is packed in another way than was asked for", "see the address")
    unpacking = zlib.decompressobj(_GZIP)
    try:
        for piece in answer.iter_raw():
            yield unpacking.decompress(piece, MAX_PAGE_BYTES + 1)
    except zlib.error:
        raise PullError("the answer is no gzip, as it says it is", "pull again later") from None
    if not unpacking.eof:
        raise httpx2.RemoteProtocolError("gzip that is cut short")


def _refused(status: int, attempts: int, keys: str) -> PullError:
    if status == _NOT_FOUND:
        return NotKnown(f"{_MEANINGS[status]} (404)", "see whether the address is the API's")
    what = _MEANINGS.get(status, "the API answered with an error")
    tried = f" after {attempts} tries" if attempts > 1 else ""
    hint = f"set {keys} anew" if status in _OF_THE_KEY else "pull again later"
    return PullError(f"{what} ({status}){tried}", f"what was pulled before stays; {hint}")


def _unreachable(error: httpx2.TransportError, attempts: int) -> PullError:
    timed_out = isinstance(error, httpx2.TimeoutException)
    what = "did not answer in time" if timed_out else "cannot be reached, or broke off"
    never = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
    return (Unreachable if never else PullError)(
        f"the API {what}, {attempts} times", "see the address and the network"
    )
