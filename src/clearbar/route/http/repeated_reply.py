"""Replies of an upstream told by their bytes: a head that came before, a chunk that is alone. Pure.

A server under load mostly answers with one head, the same bytes but for the length of the body, or
in chunks of one event each. What the parser once took is taken again without it: the same bytes
mean the same. All doubt is left to the parser.
"""

from __future__ import annotations

from typing import Final, Self

from clearbar.route.http.message import Memory

_OK: Final = 200
_TYPE: Final = b"content-type"
_JSON: Final = b"application/json"
_LENGTH: Final = b"content-length"
_LENGTH_LINE: Final = b"\r\ncontent-length:"
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_MOST_DIGITS: Final = 8
_MOST_HEX: Final = 9
_ALWAYS: Final = 4
_SELDOM: Final = 64


class ReplyHeaders(list[tuple[bytes, bytes]]):
    """The headers of a reply; where its head comes again, with the memory of that head."""

    __slots__ = ("memory",)

    memory: Memory


class RepeatedReply:
    """The head of a reply that came whole, and alone, in one piece."""

    __slots__ = (
        "_before",
        "_behind",
        "_head",
        "_size",
        "came_again",
        "headers",
        "is_answer",
        "status",
    )

    def __init__(
        self, before: bytes, behind: bytes, size: int, status: int, headers: ReplyHeaders
    ) -> None:
        self.status = status
        self.came_again = False
        """Whether it has, since it was remembered."""
        self.headers = headers
        """With the length of the reply that came last."""
        kinds = [value for name, value in headers if name == _TYPE]
        self.is_answer = status == _OK and bool(kinds) and kinds[0].startswith(_JSON)
        """Whether it is one with which all went well, in JSON."""
        self._before = before
        """Up to the value of content-length."""
        self._behind = behind
        """From that value on, to the empty line."""
        self._size = size
        self._head = b"%b%d%b" % (before, size, behind)

    @classmethod
    def of(
        cls, data: bytes, status: int, headers: list[tuple[bytes, bytes]], size: int
    ) -> Self | None:
        """Return the head of a reply; None where it is not certain what its bytes are.

        `data` is all that came of it, `headers` and the `size` of the body are what it was read as.
        """
        digits = b"%d" % size
        head = data[: len(data) - size]
        if not size or len(digits) > _MOST_DIGITS or headers.count((_LENGTH, digits)) != 1:
            return None
        if head.find(_HEAD_END) != len(head) - len(_HEAD_END):
            return None
        names = head.lower()
        if names.count(_LENGTH_LINE) != 1 or b"\r\ntransfer-encoding" in names:
            return None
        at = names.index(_LENGTH_LINE) + len(_LENGTH_LINE)
        at += head[at : at + 1] == b" "
        if not head.startswith(digits + _LINE_END, at):
            return None
        kept = ReplyHeaders(headers)
        kept.memory = Memory()
        return cls(head[:at], head[at + len(digits) :], size, status, kept)

    def again(self, data: bytes) -> bytes | None:
        """Return the body of the reply that these bytes are, if they are one with this head."""
        start = len(self._head)
        if len(data) - start == self._size and data.startswith(self._head):
            self.came_again = True
            return data[start:]
        before, behind = self._before, self._behind
        if not data.startswith(before):
            return None
        start = len(before)
        at = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        if at < 0 or not data.startswith(behind, at):
            return None
        digits = data[start:at]
        size = len(data) - at - len(behind)
        if not size or digits != b"%d" % size:
            return None
        self.came_again = True
        self._size, self._head = size, data[: at + len(behind)]
        self._take_length(digits)
        return data[at + len(behind) :]

    def _take_length(self, digits: bytes) -> None:
        headers = ReplyHeaders(
            (name, digits if name == _LENGTH else value) for name, value in self.headers
        )
        headers.memory = self.headers.memory
        self.headers = headers


class Repeated:
    """The head that an upstream's replies have in common, as far as one has been seen."""

    __slots__ = ("_missed", "head")

    def __init__(self) -> None:
        self.head: RepeatedReply | None = None
        self._missed = 0
        """Heads since one came again: where each is another one, few are looked at."""

    def again(self, data: bytes) -> bytes | None:
        """Return the body of a whole reply whose head came before; None for any other bytes."""
        return None if self.head is None else self.head.again(data)

    def remember(
        self, data: bytes, status: int, headers: list[tuple[bytes, bytes]], size: int
    ) -> None:
        """Take note of a reply that came whole in one piece, and after which another may follow."""
        if self.head is not None and self.head.came_again:
            self._missed = 0
        self._missed += 1
        if self._missed <= _ALWAYS or self._missed % _SELDOM == 0:
            self.head = RepeatedReply.of(data, status, headers, size)


def sole_chunk(data: bytes) -> bytes | None:
    """Return what a chunk holds, where these bytes are one whole chunk that is not the last.

    Only as nearly all servers write one: small hexadecimal digits, nothing behind the size.
    """
    at = data.find(_LINE_END, 1, _MOST_HEX)
    size = len(data) - at - 4
    if at < 0 or size <= 0 or not data.endswith(_LINE_END) or data[:at] != b"%x" % size:
        return None
    return data[at + 2 : -2]
