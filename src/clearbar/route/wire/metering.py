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
from clearbar.route.wire.streams import CLEAN, DROP, reader_of
from clearbar.route.wire.told import Answer, Metered, Told
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
_MOST_TRIES: Final = 16
_USAGE: Final = b'"usage"'
_FIRST_ERROR: Final = 400
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
        strips = asked is not None and not asked.wants_usage and operation.name in _TELLS_USAGE
        return _Events(told, 1 if asked is None else asked.choices, strips=strips)
    if not operation.spends or (kind and b"json" not in kind):
        return _Passing(told)
    return _Whole(told)


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
            self._read(payload)
        elif self._told.operation.name != "responses":
            self._read_end(payload)
        self._told.complete = True
        return b""

    def _shorten(self) -> None:
        """Keep the end; of the Responses API, whose every item may cost a fee, all of it."""
        if self._told.operation.name != "responses":
            self._pieces = [b"".join(self._pieces)[-_END_BYTES:]]
            self._kept = _END_BYTES
        elif self._kept > MAX_REPLY_BYTES:
            self._pieces, self._kept = [], 0

    def metered(self) -> Metered:
        return self._told.metered()

    def _read(self, payload: bytes) -> None:
        """Take a reply; one of an unusual shape is decoded whole."""
        told = self._told
        try:
            if told.operation.name == "responses":
                told.take(msgspec.structs.asdict(_response.decode(payload)))
            else:
                told.take_answer(_answer.decode(payload))
        except (ValueError, RecursionError):
            told.take(as_object(decoded(payload)))

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


class _Events:
    __slots__ = ("_blind", "_reader", "_splitter", "_strips", "_told")

    def __init__(self, told: Told, choices: int, *, strips: bool) -> None:
        self._told = told
        self._reader = reader_of(told.operation, told, choices)
        self._splitter = Splitter()
        self._strips = strips
        self._blind = False
        """Whether an event was too long to be looked at, and all that follows passes."""

    def feed(self, piece: bytes) -> bytes:
        if self._blind:
            return piece
        events = self._splitter.feed(piece)
        if not self._strips:
            for event in events:
                self._reader.take(data_of(event))
            if self._splitter.held_bytes > MAX_EVENT_BYTES:
                self._go_blind()
            return piece
        passed = [self._stripped(event) for event in events]
        if self._splitter.held_bytes > MAX_EVENT_BYTES:
            passed.append(self._go_blind())
        return passed[0] if len(passed) == 1 else b"".join(passed)

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
        self._blind = True
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
