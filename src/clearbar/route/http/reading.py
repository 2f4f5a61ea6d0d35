"""Bytes of a client to whole requests, by a strict reading of HTTP/1.1. No network, no clock.

The threat is request smuggling: two readers of the same bytes that disagree about where a request
ends. What could be read in two ways is refused, and nothing after it on the connection is read.
httptools (llhttp) refuses most of it: both framings, two lengths, folded lines, bare CR or LF, NUL,
spaces in names. What it lets pass and we do not is checked here, once a head is whole.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import httptools

from clearbar.route.http.head_rules import check_repeated, checked_method
from clearbar.route.http.message import Request
from clearbar.route.http.refused import Refused, malformed
from clearbar.route.http.repeated import Begun, RepeatedHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.limits import Limits
    from clearbar.route.http.message import Headers

_SPECIAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})
_HEAD_END: Final = b"\r\n\r\n"
_CHANGES: Final = 4
"""After so many heads, each another one, none is remembered any more."""


class RequestReader:
    """Feed it bytes, take whole requests from `ready`."""

    __slots__ = (
        "_again",
        "_between",
        "_body",
        "_changes",
        "_closed",
        "_fed",
        "_head",
        "_headers",
        "_known",
        "_length",
        "_limits",
        "_method",
        "_old",
        "_parser",
        "_peer",
        "_pieces",
        "_repeated",
        "_slice",
        "_target",
        "_welcome",
        "begun",
        "gathered",
        "in_body",
        "ready",
        "wants_continue",
    )

    def __init__(
        self, limits: Limits, peer: str = "", welcome: Callable[[Headers], bool] | None = None
    ) -> None:
        """`welcome` tells by the headers whether to take a body that does not come in one piece."""
        self.ready: deque[Request] = deque()
        """Whole requests, in order."""
        self.begun = False
        """Whether a request has begun and is not whole."""
        self.in_body = False
        """Whether its head is whole."""
        self.wants_continue = False
        """Whether the client waits for a 100 before it sends the body. Whoever sends it resets
        this."""
        self._limits = limits
        self._peer = peer
        self._welcome = welcome
        self.gathered = 0
        """Bytes that are counted against what all connections together may hold."""
        self._parser = httptools.HttpRequestParser(self)
        self._closed = False
        self._fed = 0
        """Bytes of the head in the slices after that in which it began; then, those since a piece
        of the body came."""
        self._slice = 0
        """Bytes that are being read."""
        self._headers: list[tuple[bytes, bytes]] = []
        self._known: dict[bytes, bytes] = {}
        self._target = b""
        self._method = ""
        self._old = False
        self._length = 0
        self._body = b""
        self._pieces: bytearray | None = None
        self._between = True
        """Whether nothing of the next request has come yet."""
        self._changes = 0
        """Heads since one came again."""
        self._head = b""
        """Of a request that is not whole, and whose head came in one piece."""
        self._again: Begun | None = None
        """A request with that head, whose body is still coming."""
        self._repeated: RepeatedHead | None = None
        """The head that came last: most come again."""

    def feed(self, data: bytes | memoryview) -> None:
        """Read on.

        Raises:
            Refused: at what cannot be taken. Requests before it are in `ready`; nothing after it
                may be read.
        """
        if self._closed:
            return
        if self._again is not None:
            self._gather(self._again, data)
        elif self._between and not self.ready and isinstance(data, bytes):
            self._feed_at_a_beginning(data)
        else:
            self._parse(data)
            if self._head and self.ready:
                self._remember()

    def again(self, data: bytes) -> Request | None:
        """Return the whole request that some bytes are, if its head is the one that came last.

        Ask only where a request begins. None: nothing was read.
        """
        if self._repeated is None or self._closed:
            return None
        again = self._repeated.again(data, self._peer)
        if again is not None:
            self._changes = 0
        return again

    def begin_again(self, data: bytes) -> bool:
        """Begin a request whose head is the one that came last, and whose body is not all there.

        Ask only where a request begins. False: nothing was read.
        """
        if self._repeated is None or self._closed:
            return False
        self._again = self._repeated.begun(data, self._peer)
        if self._again is None:
            return False
        self._changes, self._between = 0, False
        self.begun = self.in_body = True
        return True

    def _gather(self, again: Begun, data: bytes | memoryview) -> None:
        """Take more of a body whose head came before, as `on_body` does."""
        if not self.gathered:
            self._headers = again.request.headers
            self._check_welcome()
            self._count_in(again.size)
        before = again.size
        rest = again.take(data)
        self._count_in(again.size - before)
        if rest is None:
            return
        self.ready.append(again.request)
        self._again = None
        self.begun = self.in_body = False
        self._between = True
        if rest:
            self.feed(rest)

    def _feed_at_a_beginning(self, data: bytes) -> None:
        """Read on where a request begins; a head that came before is told by its bytes."""
        again = self.again(data)
        if again is not None:
            self.ready.append(again)
            return
        if self.begin_again(data):
            return
        self._head = data[: data.find(_HEAD_END) + len(_HEAD_END)]
        self._parse(data)
        if self.ready:
            self._remember()
        elif not self.in_body:
            self._head = b""

    def _remember(self) -> None:
        """Remember the head of the request that is whole now."""
        head, self._head = self._head, b""
        if self._changes < _CHANGES:
            self._changes += 1
            self._repeated = RepeatedHead.of(head, self.ready[0], self._limits)

    def _parse(self, data: bytes | memoryview) -> None:
        self._slice = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise
        except httptools.HttpParserUpgrade:
            raise _no_upgrade() from None
        except httptools.HttpParserError:
            if not self._closed:
                raise malformed("the request cannot be read as HTTP") from None
        if self.begun:
            self._fed += self._slice
            if self._fed > self._limits.max_head_bytes:
                raise malformed("the chunks hold no body") if self.in_body else _head_too_large()

    def close(self) -> None:
        """Let go of the parser, which holds this object in turn."""
        self._closed = True
        self._repeated = None
        self.let_go()
        del self._parser

    def drop(self) -> None:
        """Read no more, and forget what was read."""
        self._closed = True
        self._body, self._pieces, self._again = b"", None, None
        self.let_go()

    def let_go(self) -> None:
        """Count the bodies that were handed over no longer: their requests are answered."""
        if self.gathered:
            self._limits.gathered.size -= self.gathered
            self.gathered = 0

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Note that something of a request has come."""
        self._between = False

    def on_url(self, piece: bytes) -> None:
        """Begin a request, or take more of its target."""
        if self.begun:
            self._target += piece
        else:
            self.begun = True
            self._fed = -self._slice
            self._headers = []
            self._target = piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self.in_body:
            raise malformed("headers after the body are not taken")
        self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Judge the head: what follows is read by what it says."""
        headers, limits = self._headers, self._limits
        count = len(headers)
        self._known = known = dict(headers)
        if len(known) != count:
            self._check_repeated()
        if count > limits.max_headers:
            raise Refused(431, "too_many_headers", "the request has too many headers; send fewer")
        if self._fed >= 0 or self._slice > limits.max_head_bytes:
            self._check_size()
        self._check_line(known)
        length = known.get(b"content-length")
        self._length = -1 if length is None else int(length)
        if self._length > limits.max_body_bytes:
            raise self._too_large()
        if not _SPECIAL.isdisjoint(known):
            self._check_special(known)
        self.in_body = True
        self._fed = -self._slice

    def on_body(self, piece: bytes) -> None:
        """Gather the body; a body that came in one piece is not copied."""
        self._fed = -self._slice
        if self._body:
            if self._pieces is None:
                self._check_welcome()
                self._pieces = bytearray(self._body)
                self._count_in(len(self._body))
            self._pieces += piece
            self._count_in(len(piece))
            if len(self._pieces) > self._limits.max_body_bytes:
                raise self._too_large()
        else:
            self._body = piece
            if len(piece) > self._limits.max_body_bytes:
                raise self._too_large()

    def on_message_complete(self) -> None:
        """Hand over a whole request."""
        body, headers = self._body, self._headers
        if self._pieces is not None:
            body, self._pieces = bytes(self._pieces), None
        if self._length >= 0 and len(body) != self._length:  # pragma: no cover - it would be a bug
            raise malformed("the body does not have the length that was said")
        path, _, query = self._target.partition(b"?")
        keep_alive = self._parser.should_keep_alive()
        self.ready.append(
            Request(
                self._method,
                path.decode("ascii"),
                query,
                headers,
                body,
                self._peer,
                self._known,
                keep_alive,
                self._old,
            )
        )
        self.begun = self.in_body = self.wants_continue = False
        self._between = True
        self._closed = not keep_alive
        self._body = b""

    # What a head is judged by.

    def _check_size(self) -> None:
        sizes = [len(name) + len(value) + 4 for name, value in self._headers]
        if len(self._target) + sum(sizes) > self._limits.max_head_bytes:
            raise _head_too_large()

    def _check_line(self, known: dict[bytes, bytes]) -> None:
        parser = self._parser
        version, method = parser.get_http_version(), parser.get_method()
        self._method = checked_method(method, version, self._target, known.get(b"host"))
        self._old = version == "1.0"

    def _check_repeated(self) -> None:
        check_repeated(self._headers)
        self._known.update(reversed(self._headers))

    def _check_special(self, known: dict[bytes, bytes]) -> None:
        if b"upgrade" in known:
            raise _no_upgrade()
        coding = known.get(b"transfer-encoding")
        if coding is not None:
            if coding.lower() != b"chunked":
                raise malformed("the body is coded otherwise than chunked")
            if self._old:
                raise malformed("HTTP/1.0 does not have chunks")
            if self._length >= 0:  # pragma: no cover - the parser refuses it before
                raise malformed("the request says its length twice")
        expected = known.get(b"expect")
        if expected is not None:
            if expected.lower() != b"100-continue":
                raise Refused(417, "bad_expectation", "only `Expect: 100-continue` is understood")
            self._check_welcome()
            self.wants_continue = not self._old

    def _check_welcome(self) -> None:
        if self._welcome is not None and not self._welcome(self._headers):
            raise Refused(
                401, "no_key", "a body of this size is taken with a key only; send one in the head"
            )

    def _count_in(self, size: int) -> None:
        self.gathered += size
        gathered = self._limits.gathered
        gathered.size += size
        if gathered.size > self._limits.max_gathered_bytes:
            raise Refused(503, "crowded", "too many large bodies are held; try again later")

    def _too_large(self) -> Refused:
        most = self._limits.max_body_bytes
        return Refused(
            413, "body_too_large", f"the body is larger than {most} bytes; send a smaller one"
        )


def _head_too_large() -> Refused:
    return Refused(431, "head_too_large", "the target and the headers are too large; send fewer")


def _no_upgrade() -> Refused:
    return malformed("neither CONNECT nor another protocol is served")
