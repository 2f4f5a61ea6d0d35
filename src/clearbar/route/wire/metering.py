"""Counts what a reply uses while it passes through, without holding it up. Pure.

A whole reply passes untouched and is read at its end. A stream passes event by event; where the
client did not ask for the usage, what was asked for on its behalf is taken out again, so that it
sees what it would have seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from clearbar.route.wire.events import MAX_EVENT_BYTES, Splitter, data_of
from clearbar.route.wire.layout import NotAnObject, layout_of
from clearbar.route.wire.likeness import Alike, Likeness
from clearbar.route.wire.plain_answer import read_plain_answer
from clearbar.route.wire.streams import CLEAN, DROP, reader_of
from clearbar.route.wire.told import Answer, Metered, Told, metered_answer
from clearbar.tools.wire import decoded
from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.operation import Operation

__all__ = ["Meter", "Metered", "meter_for"]

MAX_REPLY_BYTES: Final = 64 * 2**20
"""Of a whole reply of the Responses API; the usage of a longer one is unknown."""
_LONG_BYTES: Final = 2**20
_END_BYTES: Final = 2**16
_HEAD_BYTES: Final = 2**13
"""In which a reply tells its id and model, where it does so before what it answers."""
_MOST_TRIES: Final = 16
_USAGE: Final = b'"usage"'
_MODEL: Final = b'"model"'
_FIRST_ERROR: Final = 400
_LIKELY: Final = 8
_TELLS_USAGE: Final = frozenset({"chat", "completions"})
_NO_USAGE: Final = b',"usage":null'


class Meter(Protocol):
    """Counts one reply."""

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return what is to be passed on by now."""
        ...

    def finish(self) -> bytes:
        """Take it that the reply has ended; return what is still to be passed on."""
        ...

    def metered(self) -> Metered:
        """Return what is known by now; also of a reply that broke off."""
        ...


def meter_for(operation: Operation, asked: Asked | None, status: int, content_type: bytes) -> Meter:
    """Return a meter for a reply whose head has come."""
    told = Told(operation)
    if status >= _FIRST_ERROR:
        told.failed = True
    kind = content_type.lower()
    streamed = asked is not None and asked.stream and not told.failed
    if b"event-stream" in kind or (streamed and b"json" not in kind):
        return _events(told, asked, None)
    if not operation.spends or (kind and b"json" not in kind):
        return _Passing(told)
    return _Whole(told)


def events_of(operation: Operation, asked: Asked, alike: Alike) -> Events:
    """Return a meter for a stream of events that is no error by its status.

    `alike` is that of other streams of the same tool; it learns from this one.
    """
    return _events(Told(operation), asked, alike)


def _events(told: Told, asked: Asked | None, alike: Alike | None) -> Events:
    tells = told.operation.name in _TELLS_USAGE
    strips = asked is not None and not asked.wants_usage and tells
    return Events(told, 1 if asked is None else asked.choices, alike, strips=strips)


def whole_metered(operation: Operation, payload: bytes) -> Metered:
    """Return what a whole reply tells that is no error by its status, as its meter would."""
    if operation.name == "chat" and (plain := read_plain_answer(payload)) is not None:
        return plain
    if operation.protocol == "openai" and operation.name != "responses":
        try:
            answer = _answer.decode(payload)
        except (ValueError, RecursionError):
            pass
        else:
            return metered_answer(operation, answer, len(payload))
    told = Told(operation)
    told.output_bytes = len(payload)
    read_whole(told, payload)
    told.complete = True
    return told.metered()


class _Passing:
    """For what tells no usage: a list of models, sound, a file."""

    __slots__ = ("_told",)

    def __init__(self, told: Told) -> None:
        self._told = told

    def feed(self, piece: bytes) -> bytes:
        self._told.output_bytes += len(piece)
        return piece

    def finish(self) -> bytes:
        self._told.complete = True
        return b""

    def metered(self) -> Metered:
        return self._told.metered()


class _Whole:
    """Of a long reply only the end is kept, where its usage stands, not to hold all of it."""

    __slots__ = ("_kept", "_pieces", "_told")

    def __init__(self, told: Told) -> None:
        self._told = told
        self._pieces: list[bytes] = []
        self._kept = 0

    def feed(self, piece: bytes) -> bytes:
        self._told.output_bytes += len(piece)
        self._pieces.append(piece)
        self._kept += len(piece)
        if self._kept > _LONG_BYTES:
            self._shorten()
        return piece

    def finish(self) -> bytes:
        pieces = self._pieces
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if len(payload) == self._told.output_bytes:
            read_whole(self._told, payload)
        elif self._told.operation.name != "responses":
            self._read_end(payload)
        self._told.complete = True
        return b""

    def _shorten(self) -> None:
        """Keep the end; of the Responses API, whose every item may cost a fee, all of it."""
        if self._told.operation.name != "responses":
            kept = b"".join(self._pieces)
            if self._told.output_bytes == len(kept):
                self._read_head(kept[:_HEAD_BYTES])
            self._pieces = [kept[-_END_BYTES:]]
            self._kept = _END_BYTES
        elif self._kept > MAX_REPLY_BYTES:
            self._pieces, self._kept = [], 0

    def metered(self) -> Metered:
        return self._told.metered()

    def _read_head(self, head: bytes) -> None:
        """Take what a reply's beginning tells: its model, and what stands before it.

        A member that is nested, or stands in a text, leaves something open before it.
        """
        at = -1
        for _ in range(_MOST_TRIES):
            at = head.find(_MODEL, at + 1)
            end = head.find(b'"', head.find(b'"', at + len(_MODEL)) + 1)
            if at < 0 or end < 0:
                return
            try:
                self._told.take_answer(_answer.decode(head[: end + 1] + b"}"))
            except (ValueError, RecursionError):
                continue
            return

    def _read_end(self, end: bytes) -> None:
        """Take what a reply's end tells: its usage, and what stands behind it.

        A member that is nested, or stands in a text, leaves too much behind it for an object.
        """
        at = len(end)
        for _ in range(_MOST_TRIES):
            at = end.rfind(_USAGE, 0, at)
            if at < 0:
                return
            try:
                self._told.take_answer(_answer.decode(b"{" + end[at:]))
            except (ValueError, RecursionError):
                continue
            return


def read_whole(told: Told, payload: bytes) -> None:
    """Take a reply; one of an unusual shape is decoded whole."""
    try:
        if told.operation.name == "responses":
            told.take(msgspec.structs.asdict(_response.decode(payload)))
        else:
            told.take_answer(_answer.decode(payload))
    except (ValueError, RecursionError):
        told.take(as_object(decoded(payload)))


class Events:
    """Counts a stream."""

    __slots__ = (
        "_alike",
        "_blind",
        "_known",
        "_reader",
        "_splitter",
        "_strips",
        "_told",
        "_tries",
        "flowed_bytes",
        "like",
    )

    def __init__(
        self, told: Told, choices: int, alike: Alike | None = None, *, strips: bool
    ) -> None:
        self._told = told
        self._alike = alike
        self._reader = reader_of(told.operation, told, choices)
        self._splitter = Splitter()
        self._strips = strips
        self._known: Likeness | None = None
        """What most of its events have in common, once one has come."""
        self.like: Likeness | None = None
        """The same, where an event begins."""
        self._tries = _LIKELY
        """Events that are still looked at for that."""
        self._blind = False
        """Whether an event was too long to be looked at, and all that follows passes."""
        self.flowed_bytes = 0
        """Of events that were counted and not fed."""

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return what is to be passed on by now."""
        like = self.like
        if like is not None and (size := like.text_in(piece, 0, len(piece))):
            self._told.output_bytes += size
            return like.passed(piece, size)
        return self._read(piece)

    def count(self, size: int, text_bytes: int) -> None:
        """Take events that `like` has told, and that were passed on: their bytes, all and text."""
        self.flowed_bytes += size
        self._told.output_bytes += text_bytes

    def _read(self, piece: bytes) -> bytes:
        if self._blind:
            return piece
        before = self._told.output_bytes
        events = self._splitter.feed(piece)
        if self._strips:
            passed = [self._stripped(event) for event in events]
            read = passed[0] if len(passed) == 1 else b"".join(passed)
        else:
            for event in events:
                self._reader.take(data_of(event))
            read = piece
        if self._splitter.held_bytes > MAX_EVENT_BYTES:
            rest = self._go_blind()
            return read + rest if self._strips else read
        said = self._told.output_bytes - before
        if self._tries and events and events[0] is piece:
            self._liken(piece, read, said)
        self.like = None if self._splitter.held_bytes else self._known
        return read

    def _liken(self, event: bytes, passed: bytes, said: int) -> None:
        """Find out what this event has in common with those that will follow."""
        if said:
            self._tries -= 1
            found = Likeness.of(event, passed, said, self._counts)
            if found is not None:
                self._known = found
                if self._alike is not None:
                    self._alike.last[self._strips] = found
        elif self._known is None and self._alike is not None:
            last = self._alike.last.get(self._strips)
            self._known = None if last is None else last.in_stream(event)

    def _counts(self, event: bytes) -> int | None:
        """Return how many bytes of text an event says; None where it says more than that."""
        told = Told(self._told.operation)
        reader_of(told.operation, told, 1).take(data_of(event))
        more = told.complete or told.failed or told.usage is not None or told.stop_reason
        return None if more else told.output_bytes

    def finish(self) -> bytes:
        rest = self._splitter.rest()
        if rest.endswith((b"\n\r", b"\r\r")):  # an end that waited for a line feed
            rest = self._stripped(rest)
        return rest if self._strips else b""

    def metered(self) -> Metered:
        return self._told.metered()

    def _stripped(self, event: bytes) -> bytes:
        fate = self._reader.take(data_of(event))
        if fate == DROP:
            return b""
        return _without_usage(event) if fate == CLEAN else event

    def _go_blind(self) -> bytes:
        self._blind, self.like = True, None
        rest = self._splitter.rest()
        self._told.output_bytes += len(rest)
        return rest


def _without_usage(event: bytes) -> bytes:
    """Return an event without its `"usage": null`; as it is where its place is not certain."""
    if event.count(b'"usage"') == 1 == event.count(_NO_USAGE):
        return event.replace(_NO_USAGE, b"")
    data = data_of(event)
    if event.count(data) != 1:
        return event
    try:
        places = layout_of(data).places()
    except NotAnObject:
        return event
    return event.replace(data, _without_member(data, places, "usage"))


def _without_member(data: bytes, places: dict[str, tuple[int, int]], name: str) -> bytes:
    """Return an object without one of its members, and the comma before it, or else behind it."""
    if name not in places:
        return data
    names = list(places)
    at = names.index(name)
    _, end = places[name]
    if at:
        return data[: places[names[at - 1]][1]] + data[end:]
    opened = data.index(b"{") + 1
    if len(names) == 1:
        return data[:opened] + data[end:]
    return data[:opened] + data[data.index(b",", end) + 1 :]


class _Response(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    type: Any = None
    status: Any = None
    service_tier: Any = None
    usage: Any = None
    error: Any = None
    incomplete_details: Any = None
    tool_usage: Any = None
    output: Any = None


_answer: Final = msgspec.json.Decoder(Answer)
_response: Final = msgspec.json.Decoder(_Response)
