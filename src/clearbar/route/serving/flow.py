"""A stream as it flows: whole chunks of known events go from the upstream to the client untouched.

Most chunks of a stream hold one event that says nothing new but its text. Such a chunk is sound
HTTP for the client as it is for us, so it is not unpacked, only counted; whatever else comes goes
the ordinary way, through the parser and the meter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clearbar.route.http.message import Reply
    from clearbar.route.serving.call import Call
    from clearbar.route.wire.metering import Events

_LINE_END: Final = b"\r\n"
_MOST_HEX: Final = 9


class Flow:
    """Between one call and the reply that it streams into."""

    __slots__ = ("_call", "_meter", "_reply")

    def __init__(self, call: Call, meter: Events, reply: Reply) -> None:
        self._call = call
        self._meter = meter
        self._reply = reply

    def take(self, chunk: bytes) -> int:
        """Pass a chunk on, as it came, where one begins; return how long its content is.

        0, and nothing done, where these bytes are not one whole chunk, or more than a text.
        """
        like = self._meter.like
        at = chunk.find(_LINE_END, 1, _MOST_HEX)
        size = len(chunk) - at - 4
        if like is None or like.cuts or at < 0 or chunk[:at] != b"%x" % size:
            return 0
        text_bytes = like.text_in(chunk, at + 2, at + 2 + size)
        if not text_bytes or not chunk.endswith(_LINE_END):
            return 0
        reply, call = self._reply, self._call
        if not reply.write_chunk(chunk):
            return 0
        self._meter.count(text_bytes)
        call.bytes_out += size
        if reply.full:
            call.pause()
        return size
