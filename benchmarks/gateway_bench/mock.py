"""The upstream that all systems share: replies made beforehand, and as little work as can be.

    python mock.py PORT

It runs on the core of the load, and its CPU time is nobody's.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway_bench.bodies import GAP_S, ID, MARKS, events, whole_reply

if TYPE_CHECKING:
    from gateway_bench.bodies import Api

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAMED: Final = re.compile(rb'"stream" *: *true')
_USAGE: Final = re.compile(rb'"include_usage" *: *true')
_GAPS, _IDLE = MARKS["gaps"].encode(), MARKS["idle"].encode()
_APIS: Final[tuple[Api, ...]] = ("chat", "messages")
_SSE: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_END: Final = b"0\r\n\r\n"
_JSON: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_REFUSED: Final = b"HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_WHOLE: Final = {
    api: _JSON % (len(body), body) for api, body in ((api, whole_reply(api)) for api in _APIS)
}
_EVENTS: Final = {
    (api, usage): [b"%x\r\n%s\r\n" % (len(each), each) for each in events(api, usage=usage)]
    for api in _APIS
    for usage in (False, True)
}
_ID: Final = ID.encode()
_NUMBERS: Final = itertools.count()
_AT_ONCE: Final = {key: _SSE + b"".join(found) + _END for key, found in _EVENTS.items()}


class Upstream(asyncio.Protocol):
    """One connection of a gateway; requests on it come one after another."""

    __slots__ = ("_at", "_data", "_events", "_id", "_loop", "_total", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._data = b""
        self._total = 0
        self._at = 0
        self._id = _ID
        self._events: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request when it is whole."""
        if self._data:
            data = self._data + data
        if not self._total and (end := data.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(data, 0, end + 2)
            if found is None and not data.startswith(b"GET "):
                self._transport.write(_REFUSED)
                self._transport.close()
                return
            self._total = end + 4 + (int(found[1]) if found else 0)
        if self._total and len(data) >= self._total:
            self._data, self._total = b"", 0
            self._answer(data)
        else:
            self._data = data

    def _answer(self, request: bytes) -> None:
        api: Api = "messages" if request.find(b"/messages ", 0, 200) > 0 else "chat"
        self._id = b"%016x" % next(_NUMBERS)
        if not _STREAMED.search(request):
            self._transport.write(_WHOLE[api].replace(_ID, self._id, 1))
            return
        key = api, bool(_USAGE.search(request))
        if _IDLE in request:
            self._transport.write(_SSE + _EVENTS[key][0].replace(_ID, self._id))
        elif _GAPS in request:
            self._events, self._at = _EVENTS[key], 0
            self._transport.write(_SSE)
            self._more()
        else:
            self._transport.write(_AT_ONCE[key].replace(_ID, self._id))

    def _more(self) -> None:
        event = self._events[self._at].replace(_ID, self._id)
        self._at += 1
        if self._at == len(self._events):
            self._transport.write(event + _END)
        elif not self._transport.is_closing():
            self._transport.write(event)
            self._loop.call_later(GAP_S, self._more)


async def main(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(loop), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
