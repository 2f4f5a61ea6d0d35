"""An upstream that answers as fast as Python can, as a process of its own: chat, whole or streamed.

`python -m tests.route.serving.quick_upstream` prints its port; with `--failing 0.02` it refuses
every fiftieth request, spread evenly.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
from typing import cast

_USAGE = '{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50}'
_COUNT = itertools.count(1)


FAILING = 0.0
"""The share of requests that is refused."""
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n"
    b'content-length: 41\r\n\r\n{"error":{"message":"x","type":"server"}}\n'
)


class QuickUpstream(asyncio.Protocol):
    """One connection; a request is whole when its content-length has come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._rest) < end + 4 + length:
                return
            body = self._rest[end + 4 : end + 4 + length]
            self._rest = self._rest[end + 4 + length :]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        number = next(_COUNT)
        if int(number * FAILING) > int((number - 1) * FAILING):
            self._transport.write(_REFUSAL)
            return
        streamed = b'"stream":true' in body or b'"stream": true' in body
        self._transport.write(_stream(number) if streamed else _whole(number))


def _whole(number: int) -> bytes:
    body = (
        f'{{"id":"chatcmpl-quick{number:012d}","object":"chat.completion","created":1790000000,'
        '"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant",'
        '"content":"hello"},"finish_reason":"stop"}],'
        f'"usage":{_USAGE}}}'
    ).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def _stream(number: int) -> bytes:
    shared = (
        f'"id":"chatcmpl-quick{number:012d}","object":"chat.completion.chunk",'
        '"created":1790000000,"model":"gpt-5-mini"'
    )
    choice = '"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]'
    events = [f"data: {{{shared},{choice}}}\n\n"] * 10
    stop = '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]'
    events.append(f"data: {{{shared},{stop}}}\n\n")
    events.append(f'data: {{{shared},"choices":[],"usage":{_USAGE}}}\n\n')
    events.append("data: [DONE]\n\n")
    body = "".join(events).encode()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(QuickUpstream, "127.0.0.1", 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)  # noqa: T201 - awaited
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--failing", type=float, default=0.0)
    FAILING = parser.parse_args().failing
    asyncio.run(main())
