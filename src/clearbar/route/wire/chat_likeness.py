"""Chats that are one and the same but for their last text, told by their bytes. Pure.

Who sends one prompt after the other under the same instructions sends the same body each time, but
for one text. What such a body asks for was read once, when the first came. The next one is the same
bytes around another text: and where one text stands in the place of another, nothing else in a
body has another meaning. That it is one whole text the decoder says. All doubt is left to reading.
"""

from __future__ import annotations

import re
from typing import Final, Self

import msgspec

from clearbar.route.wire.asked import Asked
from clearbar.route.wire.layout import NotAnObject, layout_of
from clearbar.route.wire.plain_chat import last_text, read_plain_chat

_MARKS: Final = (b'"content":"', b'"content": "')
_TEXT: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_PROBE: Final = "a text of another length"
_MOST_AROUND: Final = 16 * 2**10
"""Bytes around the text that are remembered."""
_LONGEST: Final = 2**20
"""Of the bodies that are told so; of longer ones the parts are counted."""
_ALWAYS: Final = 4
_SELDOM: Final = 64


class ChatLikeness:
    """What chats have in common."""

    __slots__ = (
        "_after",
        "_before",
        "_behind",
        "_limit",
        "_model",
        "_model_at",
        "_more",
        "_stream",
    )

    def __init__(
        self, before: bytes, after: bytes, asked: Asked, model_at: tuple[int, int], size: int
    ) -> None:
        """`asked` and `model_at` are of the body of so many bytes that was read."""
        self._before = before
        """With the quote before the text."""
        self._after = after
        """With the quote behind it."""
        self._model, self._stream, self._limit = asked.model, asked.stream, asked.max_tokens
        self._more = asked.input_tokens - size
        self._model_at = model_at
        """From the beginning of the body, or, where it stands behind the text, from its end."""
        self._behind = model_at[0] >= len(before)
        if self._behind:
            self._model_at = model_at[0] - size, model_at[1] - size

    @classmethod
    def of(cls, body: bytes, asked: Asked) -> Self | None:
        """Return what a chat that was read has in common with its like.

        None where that is not certain, or too much to remember.
        """
        model_at = asked.model_at
        if not asked.is_plain or model_at is None or len(body) > _LONGEST:
            return None
        start = max(body.rfind(mark) + len(mark) if mark in body else 0 for mark in _MARKS)
        found = _TEXT.match(body, start)
        if not start or found is None:
            return None
        before, after = body[:start], body[found.end() :]
        if len(before) + len(after) > _MOST_AROUND or not _is_place(before, after, asked):
            return None
        return cls(before, after, asked, model_at, len(body))

    def again(self, body: bytes) -> Asked | None:
        """Return what a body asks for that is like those that were read; None for any other."""
        before, after, size = self._before, self._after, len(body)
        if not body.startswith(before) or not body.endswith(after) or size > _LONGEST:
            return None
        try:
            _text.decode(body[len(before) - 1 : size - len(after) + 1])
        except ValueError:
            return None
        model_at = self._model_at
        if self._behind:
            model_at = model_at[0] + size, model_at[1] + size
        return Asked(
            model=self._model,
            stream=self._stream,
            max_tokens=self._limit,
            input_tokens=size + self._more,
            is_plain=True,
            model_at=model_at,
        )


def _is_place(before: bytes, after: bytes, asked: Asked) -> bool:
    """Return whether what stands in a place is the last text of a chat, and nothing else of it."""
    body = b"%b%b%b" % (before, _PROBE.encode(), after)
    try:
        found = layout_of(body)
    except NotAnObject:
        return False
    other = read_plain_chat(found, asked.input_tokens)
    if other is None or last_text(body) != _PROBE:
        return False
    other.layout, other.model_at = asked.layout, asked.model_at
    return other == asked


class ChatsAlike:
    """What the chats of one client have in common, as far as one has been read."""

    __slots__ = ("_came_again", "_like", "_missed")

    def __init__(self) -> None:
        self._like: ChatLikeness | None = None
        self._came_again = False
        self._missed = 0
        """Bodies since one was like another: where each is another one, few are looked at."""

    def again(self, body: bytes) -> Asked | None:
        """Return what a body asks for that is like one before; None for any other."""
        if self._like is None or (asked := self._like.again(body)) is None:
            return None
        self._came_again = True
        return asked

    def remember(self, body: bytes, asked: Asked) -> None:
        """Take note of a body that was read."""
        if self._came_again:
            self._came_again, self._missed = False, 0
        self._missed += 1
        if self._missed <= _ALWAYS or self._missed % _SELDOM == 0:
            self._like = ChatLikeness.of(body, asked)


_text: Final = msgspec.json.Decoder(str)
