"""An upstream for tests of memory: streams that fall silent, and answers as long as asked for.

`python -m tests.route.serving.silent_upstream` prints its port. A prompt `bytes 50000000` is
answered with so many bytes; any other request gets one event, and then nothing.
"""

from __future__ import annotations

import asyncio
import json
import re

_EVENT = (
    b'data: {"id":"chatcmpl-silent000000000001","object":"chat.completion.chunk",'
    b'"created":1790000000,"model":"gpt-5-mini","choices":[{"index":0,'
    b'"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n"
_BYTES = re.compile(rb"bytes (\d+)")
_LENGTH = re.compile(rb"content-length: (\d+)")
_PIECE = 65_536


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and keep the connection until the client goes."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        found = _LENGTH.search(head)
        body = await reader.readexactly(int(found[1])) if found else b""
        if wanted := _BYTES.search(body):
            await _send(writer, int(wanted[1]))
        else:
            writer.write(_HEAD % b"text/event-stream")
            writer.write(b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT))
            await reader.read()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, size: int) -> None:
    """Send an answer as fast as it is read."""
    writer.write(_HEAD % b"application/json")
    piece = b"x" * _PIECE
    for _ in range(size // _PIECE):
        writer.write(b"%x\r\n%b\r\n" % (_PIECE, piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)  # noqa: T201 - awaited
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
