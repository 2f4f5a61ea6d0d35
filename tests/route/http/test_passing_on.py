"""Both sides together: what a client reads slowly is asked for slowly, and memory stays bounded."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from tests.route.http.wires import always, door, lab, read_request, until

from clearbar.route.http.heads import HOP_BY_HOP
from clearbar.route.http.message import Request
from clearbar.route.http.replying import FrontReply
from clearbar.route.http.upstream import Asking

if TYPE_CHECKING:
    from tests.route.http.wires import Lab, Run

    from clearbar.route.http.message import Reply
    from clearbar.route.http.upstream import Broken

ASK = b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
PIECE = b"8000\r\n" + b"#" * 0x8000 + b"\r\n"


class Passing:
    """Passes a reply on as it comes: the least that stands between both sides."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asking: Asking
        self.passed = 0

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        passed = [each for each in headers if each[0] not in HOP_BY_HOP]
        self.reply.start(status, passed, None)

    def on_body(self, piece: bytes) -> None:
        self.passed += len(piece)
        self.reply.write(piece)
        if self.reply.full:
            self.asking.pause()

    def on_end(self) -> None:
        self.reply.end()

    def on_broken(self, _: Broken) -> None:
        self.reply.cut()


def passing(at: Lab, made: list[Passing]) -> object:
    def handler(request: Request, reply: Reply) -> None:
        listener = Passing(reply)
        made.append(listener)
        _, listener.asking = at.ask(request.body, heard=listener)  # type: ignore[arg-type]
        reply.on_gone = listener.asking.cancel
        reply.on_drained = listener.asking.resume

    return handler


async def long_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(600):
        writer.write(PIECE)
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await reader.read()


def test_what_a_client_does_not_read_is_not_read_from_the_upstream_either(run: Run) -> None:
    made: list[Passing] = []

    async def main() -> None:
        async with lab(long_stream) as above, door(passing(above, made)) as at:  # type: ignore[arg-type]
            client = await at.connect()
            client.pause()
            client.send(ASK)
            await until(lambda: bool(made) and made[0].asking.paused)
            await asyncio.sleep(0.05)
            stopped_at = made[0].passed
            await asyncio.sleep(0.05)
            assert made[0].passed == stopped_at < 12_000_000
            client.read_on()
            body = b""
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += await client.reader.read(2**20)
            assert body.count(b"#") == 600 * 0x8000

    run(main())


def test_a_client_that_goes_ends_the_call_upstream(run: Run) -> None:
    made: list[Passing] = []
    ended = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await reader.read()
        ended.set()

    async def main() -> None:
        async with lab(endless) as above, door(passing(above, made)) as at:  # type: ignore[arg-type]
            client = await at.connect()
            client.send(ASK)
            await client.head()
            client.close()
            await asyncio.wait_for(ended.wait(), 1)

    run(main())


def test_a_reply_that_breaks_upstream_is_broken_for_the_client(run: Run) -> None:
    made: list[Passing] = []

    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await writer.drain()

    async def main() -> None:
        async with lab(breaking) as above, door(passing(above, made)) as at:  # type: ignore[arg-type]
            answer = await at.tell(ASK)
            assert answer.endswith(b"1\r\na\r\n")

    run(main())


def test_a_request_leaves_nothing_behind_for_the_garbage_collector(run: Run) -> None:
    made: list[Passing] = []

    def left() -> list[str]:
        kinds = (Asking, FrontReply, Request, Passing)
        return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]

    async def main() -> None:
        answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        async with lab(always(answer)) as above, door(passing(above, made)) as at:  # type: ignore[arg-type]
            client = await at.connect()
            gc.collect()
            gc.disable()
            try:
                for _ in range(3):
                    client.send(ASK)
                    await client.reader.readuntil(b"\r\n0\r\n\r\n")
                made.clear()
                at.requests.clear()
                at.replies.clear()
                assert left() == []
            finally:
                gc.enable()

    run(main())
