"""A head that comes again on its connection, the same bytes but for the length of the body.

Whoever keeps a connection mostly sends one head for all requests. It is read once, as strictly as
any, and afterwards told by its bytes: the same bytes at the beginning of a request mean the same.
So nothing is taken that the reader would not take, and all doubt is left to it. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from clearbar.route.http.message import Memory, Request

if TYPE_CHECKING:
    from clearbar.route.http.limits import Limits

_LENGTH: Final = b"content-length"
_LENGTH_LINE: Final = b"\r\ncontent-length:"
_HEAD_END: Final = b"\r\n\r\n"
_MOST_DIGITS: Final = 8
_LARGE_PIECE: Final = 4 * 2**10
"""From here on keeping a piece costs less than copying it."""


class RepeatedHead:
    """The head of a request, that came whole in one piece.

    All connections with the same limits share it, as long as one of them keeps it.
    """

    __slots__ = (
        "__weakref__",
        "_before",
        "_behind",
        "_head",
        "_headers",
        "_known",
        "_line",
        "_memory",
        "_most",
        "_size",
    )

    def __init__(self, before: bytes, behind: bytes, request: Request, limits: Limits) -> None:
        self._before = before
        """Up to the value of content-length."""
        self._behind = behind
        """From that value on, to the empty line."""
        self._line = request.method, request.path, request.query
        self._headers = request.headers
        self._known = request.known
        self._size = len(request.body)
        """Of the body that came last; `_headers`, `_known` and `_head` say so."""
        self._head = b"%b%d%b" % (before, self._size, behind)
        self._most = limits.max_body_bytes
        self._memory = Memory()

    @classmethod
    def of(cls, head: bytes, request: Request, limits: Limits) -> Self | None:
        """Return the head of a request; None where it is not certain what its bytes are."""
        size = len(request.body)
        digits = request.header(_LENGTH)
        if not size or digits != b"%d" % size or not request.keep_alive or request.old:
            return None
        if len(head) + _MOST_DIGITS > limits.max_head_bytes or request.header(b"expect"):
            return None
        if head.find(_HEAD_END) != len(head) - len(_HEAD_END):
            return None
        names = head.lower()
        if names.count(_LENGTH_LINE) != 1:
            return None
        at = names.index(_LENGTH_LINE) + len(_LENGTH_LINE)
        at += head[at : at + 1] == b" "
        if not head.startswith(digits + b"\r\n", at):
            return None
        before, behind = head[:at], head[at + len(digits) :]
        found = limits.heads.get((before, behind))
        if not isinstance(found, cls):
            limits.heads[before, behind] = found = cls(before, behind, request, limits)
        request.memory = found._memory
        return found

    def again(self, data: bytes, peer: str) -> Request | None:
        """Return the request that these bytes are, if they are one with this head, and whole."""
        start = len(self._head)
        if len(data) - start != self._size or not data.startswith(self._head):
            start = self._take_length(data)
            if not start or len(data) - start != self._size:
                return None
        return self._with(data[start:], peer)

    def begun(self, data: bytes, peer: str) -> Begun | None:
        """Return the request that these bytes begin, if it has this head, and its body comes on."""
        start = self._take_length(data)
        missing = self._size - (len(data) - start)
        if not start or missing <= 0:
            return None
        return Begun(self._with(b"", peer), memoryview(data)[start:], missing)

    def _with(self, body: bytes, peer: str) -> Request:
        method, path, query = self._line
        headers, known, memory = self._headers, self._known, self._memory
        return Request(method, path, query, headers, body, peer, known, True, False, memory)

    def _take_length(self, data: bytes) -> int:
        """Take over the length that a request says; return where its body begins, 0 for none."""
        before, behind = self._before, self._behind
        if not data.startswith(before):
            return 0
        start = len(before)
        at = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if at < 0 or not data.startswith(behind, at):
            return 0
        digits = data[start:at]
        size = int(digits) if digits.isdigit() else 0
        if digits != b"%d" % size or not 0 < size <= self._most:
            return 0
        if size != self._size:
            self._size, self._head = size, data[: at + len(behind)]
            self._known = {**self._known, _LENGTH: digits}
            self._headers = [
                (name, digits if name == _LENGTH else value) for name, value in self._headers
            ]
        return at + len(behind)


class Begun:
    """A request with a head that came before, whose body is still coming.

    Large pieces are kept as they came, and joined once; small ones are gathered at once.
    """

    __slots__ = ("_missing", "_pieces", "request", "size")

    def __init__(self, request: Request, first: memoryview, missing: int) -> None:
        self.request = request
        """Its body is set once it is whole."""
        self.size = len(first)
        """How much of the body is there."""
        self._missing = missing
        self._pieces: list[bytes | bytearray | memoryview] = [first]

    def take(self, data: bytes | memoryview) -> bytes | memoryview | None:
        """Take more of the body; return what comes behind it, None while it is not whole."""
        piece = data[: self._missing]
        self._missing -= len(piece)
        self.size += len(piece)
        last = self._pieces[-1]
        if len(piece) >= _LARGE_PIECE:
            self._pieces.append(piece)
        elif isinstance(last, bytearray):
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        if self._missing:
            return None
        self.request.body = b"".join(self._pieces)
        return data[len(piece) :]
