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


class RepeatedHead:
    """The head of a request that came whole, and alone, in one piece."""

    __slots__ = (
        "_before",
        "_behind",
        "_headers",
        "_known",
        "_limits",
        "_line",
        "_memory",
        "_peer",
    )

    def __init__(self, before: bytes, behind: bytes, request: Request, limits: Limits) -> None:
        self._before = before
        """Up to the value of content-length."""
        self._behind = behind
        """From that value on, to the empty line."""
        self._line = request.method, request.path, request.query
        self._headers = request.headers
        self._known = request.known
        self._peer = request.peer
        self._limits = limits
        self._memory = Memory()

    @classmethod
    def of(cls, data: bytes, request: Request, limits: Limits) -> Self | None:
        """Return the head of a request; None where it is not certain what its bytes are."""
        size = len(request.body)
        head = data[: len(data) - size]
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
        found = cls(head[:at], head[at + len(digits) :], request, limits)
        request.memory = found._memory
        return found

    def again(self, data: bytes) -> Request | None:
        """Return the request that these bytes are, if they are one with this head, and whole."""
        before, behind = self._before, self._behind
        if not data.startswith(before):
            return None
        start = len(before)
        at = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if at < 0 or not data.startswith(behind, at):
            return None
        digits = data[start:at]
        size = len(data) - at - len(behind)
        if digits != b"%d" % size or not 0 < size <= self._limits.max_body_bytes:
            return None  # before anything is copied: of a large body, mostly a part comes first
        body = data[at + len(behind) :]
        headers, known = self._headers, self._known
        if known[_LENGTH] != digits:
            headers = [(name, digits if name == _LENGTH else value) for name, value in headers]
            known = {**known, _LENGTH: digits}
        return Request(*self._line, headers, body, self._peer, known, memory=self._memory)
