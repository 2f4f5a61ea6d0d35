"""Events of a stream that say nothing new but a few words of the answer, told by their bytes. Pure.

Nearly all events of a stream are one and the same but for the text in them (and for the blind text
by which OpenAI hides its length). What such an event says beside its text was read once, when the
first came, and is then known: so of the next ones only the text is looked at. Where a text holds
anything that has a meaning in JSON, doubt begins, and the event is read as any other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT: Final = re.compile(rb'[^"\\\x00-\x1f]+')
is_text: Final = _TEXT.fullmatch
"""Whether bytes, from one place to another, are a text in which nothing has a meaning in JSON."""
_MARKS: Final = (b'"content":"', b'"text":"')
_BLIND: Final = b'"obfuscation":"'
_PROBE: Final = b"a text of another length"
_QUOTE: Final = b'"'
_DATA: Final = b"data: "
_CHOICES: Final = b'"choices":'


class Likeness:
    """What events have in common that carry a piece of text."""

    __slots__ = ("_between", "_cut", "_start", "after", "before")

    def __init__(self, before: bytes, between: bytes, after: bytes, cut: tuple[int, int]) -> None:
        self._start = len(before)
        """Where the text begins."""
        self.before = before
        self._between = between
        """From the text to the blind text; empty where there is none."""
        self.after = after
        self._cut = cut
        """Where the bytes begin and end that the client is not to see, from the text's end on."""

    @classmethod
    def of(
        cls, event: bytes, passed: bytes, said: int, counts: Callable[[bytes], int | None]
    ) -> Self | None:
        """Return what an event has in common with its like; None where that is not certain.

        Args:
            event: one that was read.
            passed: what of it was passed on.
            said: how many bytes of text were found in it.
            counts: tells the same of any event; None of one that says more than a text.
        """
        found = [each for each in _MARKS if event.count(each) == 1]
        if len(found) != 1:
            return None
        start = event.index(found[0]) + len(found[0])
        text = _TEXT.match(event, start)
        if text is None or text.end() - start != said or event[text.end() :][:1] != _QUOTE:
            return None
        before, rest = event[:start], event[text.end() :]
        if counts(b"".join((before, _PROBE, rest))) != len(_PROBE):
            return None
        cut = _cut_of(rest, passed[text.end() :])
        if cut is None or not passed.startswith(event[: text.end()]):
            return None
        between, after = b"", rest
        if rest.count(_BLIND) == 1:
            between = rest[: rest.index(_BLIND) + len(_BLIND)]
            after = rest[rest.index(_QUOTE, len(between)) :]
            if cut[1] > len(between):
                return None
        return cls(before, between, after, cut)

    def in_stream(self, first: bytes) -> Likeness | None:
        """Return what the events of another stream have in common; None where that is not certain.

        In the streams of one tool they differ in what stands before the choices, such as the id of
        the stream, and that stands in its `first` event too.
        """
        at, own = self.before.find(_CHOICES), first.find(_CHOICES)
        if at < 0:
            return self
        opening = first[:own]
        if own < 0 or not opening.startswith(_DATA):
            return None
        try:
            said = _opening.decode(opening[len(_DATA) :] + b'"choices":0}')
        except (ValueError, RecursionError):
            return None
        if said.usage is not msgspec.UNSET or said.error is not msgspec.UNSET:
            return None
        return Likeness(opening + self.before[at:], self._between, self.after, self._cut)

    @property
    def is_simple(self) -> bool:
        """Whether only the text varies, and the client is to see all of such an event."""
        return not self._between and not self.cuts

    @property
    def cuts(self) -> bool:
        """Whether the client is not to see all of such an event."""
        return self._cut[0] < self._cut[1]

    def text_in(self, data: bytes, start: int, end: int) -> int:
        """Return how many bytes of text there are between two places, if one such event is there.

        0 for anything else.
        """
        if not data.startswith(self.before, start):
            return 0
        first = start + self._start
        text = _TEXT.match(data, first, end)
        behind = end - len(self.after)
        if text is None or not data.startswith(self.after, behind):
            return 0
        last = text.end()
        alike = self._is_blind(data, last, behind) if self._between else last == behind
        return last - first if alike else 0

    def _is_blind(self, data: bytes, start: int, end: int) -> bool:
        """Return whether nothing stands there but a blind text and what is before it."""
        if not data.startswith(self._between, start):
            return False
        blind = start + len(self._between)
        return blind == end or is_text(data, blind, end) is not None

    def passed(self, event: bytes, text_bytes: int) -> bytes:
        """Return what the client is to see of such an event with so much text."""
        first, last = self._cut
        if first == last:
            return event
        end = self._start + text_bytes
        return event[: end + first] + event[end + last :]


def _cut_of(rest: bytes, passed: bytes) -> tuple[int, int] | None:
    """Return which bytes are not passed on; None where they are not in one place."""
    size = len(rest) - len(passed)
    if size <= 0:
        return (0, 0) if rest == passed else None
    for at in range(len(passed) + 1):
        if rest[:at] + rest[at + size :] == passed:
            return at, at + size
    return None


class Alike:
    """The likeness of the events of the last streams, for the next one of the same tool."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: dict[bool, Likeness] = {}
        """By whether the usage is taken out again."""


class _Opening(msgspec.Struct, gc=False):
    """What stands in an event before its choices: whole members, or it is no object."""

    choices: int
    usage: Any = msgspec.UNSET
    error: Any = msgspec.UNSET


_opening: Final = msgspec.json.Decoder(_Opening)
