"""A stream on the straight way: it ends, and breaks off, as on the ordinary one."""

from __future__ import annotations

import asyncio
import gc
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.http.wires import read_request, until
from tests.route.serving.raw_upstream import whole
from tests.route.serving.test_plain import Client, client, kinds, lines, ordinary, said_of, warmed

from clearbar.route.http.upstream import Asking
from clearbar.route.journal.entry import Ended
from clearbar.route.serving.flow import Flow
from clearbar.route.serving.plain import Plain
from clearbar.route.serving.streaming import Streaming
from clearbar.route.wire.metering import Events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

__all__ = ["ordinary"]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = b'{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}'
STOP = b'data: {"id":"c1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
TOLD = b'data: {"id":"c1","choices":[],"usage":%b}\n\n' % USAGE
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"x"}}\n\n'
BREAK = b""
OWN_ID = re.compile(rb"[0-9a-f]{32}")


def word(text: bytes, more: bytes = b"") -> bytes:
    said = b'data: {"id":"c1","choices":[{"delta":{"content":"%b"},"finish_reason":null}]%b}\n\n'
    return said % (text, more)


FIRST = b'data: {"id":"c1","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
WORDS = [FIRST, *(word(each) for each in (b"one", b"two", b'a \\"b\\"', b"three", b"four"))]
NULLED = [word(each, b',"usage":null,"obfuscation":"x%b"' % each) for each in (b"a", b"bc", b"d")]


def chunk(*events: bytes) -> bytes:
    said = b"".join(events)
    return b"%x\r\n%b\r\n" % (len(said), said)


def apart(*events: bytes) -> list[bytes]:
    return [HEAD, *(chunk(each) for each in events)]


def ended(*events: bytes) -> list[bytes]:
    *before, last = apart(*events)
    return [*before, last + b"0\r\n\r\n"]


STREAMS = {
    "whole": ended(*WORDS, STOP, TOLD, DONE),
    "at once": [b"".join(ended(*WORDS, STOP, TOLD, DONE))],
    "nulled": ended(FIRST, *NULLED, STOP, TOLD, DONE),
    "two in a read": [HEAD + chunk(FIRST), chunk(WORDS[1]) + chunk(WORDS[2]),
                      *ended(TOLD, DONE)[1:]],
    "two in a chunk": [HEAD, chunk(*WORDS[:3]), *ended(WORDS[4], STOP, TOLD, DONE)[1:]],
    "an end alone": [*apart(*WORDS, STOP, TOLD, DONE), b"0\r\n\r\n"],
    "a cut event": [HEAD, chunk(FIRST), chunk(WORDS[1][:20]), chunk(WORDS[1][20:], WORDS[2]),
                    *ended(WORDS[4], TOLD, DONE)[1:]],
    "a cut chunk": [*apart(*WORDS), chunk(word(b"x"))[:30], chunk(word(b"x"))[30:] + chunk(TOLD),
                    chunk(DONE) + b"0\r\n\r\n"],
    "no usage": ended(*WORDS, STOP, DONE),
    "an error": ended(*WORDS, ERROR),
    "no end": [*apart(*WORDS), BREAK],
    "a head alone": [HEAD, BREAK],
    "no HTTP": [*apart(*WORDS), b"zz\r\n"],
}  # fmt: skip


@dataclass
class Script:
    """An upstream that sends a stream piece by piece."""

    pieces: list[bytes] = field(default_factory=list)
    url: str = ""
    endless: bool = False
    sent: int = 0

    scripts: set[asyncio.Task[None]] = field(default_factory=set)

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.scripts.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self.talk(reader, writer)
        finally:
            self.scripts.discard(task)
            writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            if b'"stream":true' not in await read_request(reader):
                writer.write(whole())
                continue
            for piece in self.pieces:
                if not piece:
                    return
                writer.write(piece)
                await asyncio.sleep(0.003)
            while self.endless:
                writer.write(chunk(word(b"word" * 500)))
                await writer.drain()
                self.sent += 2000


@asynccontextmanager
async def scripted(
    folder: Path, pieces: list[bytes], *, endless: bool = False
) -> AsyncIterator[tuple[Client, Script]]:
    script = Script(list(pieces), endless=endless)
    server = await asyncio.start_server(script.play, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        async with client(folder, script) as at:
            try:
                yield at, script
            finally:
                at.writer.transport.abort()
    finally:
        server.close()
        scripts = list(script.scripts)
        for task in scripts:
            task.cancel()
        await asyncio.gather(*scripts, return_exceptions=True)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await main()

    return asyncio.run(bounded())


async def heard(at: Client) -> bytes:
    """Return the body of a stream as it came, without its framing; with its end, if it has one."""
    await at.reader.readuntil(b"\r\n\r\n")
    said, line = b"", b""
    try:
        while (line := await at.reader.readuntil(b"\r\n")) != b"0\r\n":
            said += (await at.reader.readexactly(int(line, 16) + 2))[:-2]
        said += await at.reader.readexactly(2)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    return said


async def again(at: Client) -> None:
    at.writer.transport.abort()
    at.reader, at.writer = await asyncio.open_connection("127.0.0.1", at.it.port)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_ends_as_on_the_ordinary_way(name: str, tmp_path: Path) -> None:
    async def main() -> list[bytes]:
        found = []
        async with scripted(tmp_path, STREAMS[name]) as (at, _):
            for asked in (0, 2, 2):
                for _ in range(asked):
                    await at.ask()  # from then on, this connection has a straight way
                at.send(stream=True)
                found.append(await heard(at))
                await until(lambda: not at.it.means.exchanges)
                await again(at)
            assert await at.it.left_held() == 0
        return found

    said = run(main)
    assert len({OWN_ID.sub(b"", each) for each in said}) == 1
    kept = [said_of(each) for each in lines(tmp_path) if isinstance(each, Ended)][::3]
    assert len(kept) == 3
    assert kept[0] == kept[1] == kept[2]


@pytest.mark.parametrize("name", ["whole", "at once", "nulled", "an end alone"])
def test_a_usual_stream_takes_the_straight_way(
    name: str, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> tuple[bytes, bytes]:
        async with scripted(tmp_path, STREAMS[name]) as (at, _):
            at.send(stream=True)
            first = await heard(at)
            await warmed(at, ordinary)
            for _ in range(3):
                at.send(stream=True)
                last = await heard(at)
            assert not at.it.means.exchanges
            return first, last

    first, last = run(main)
    assert ordinary[0] == 0
    assert first == last
    assert b"usage" not in last
    assert last.endswith(DONE + b"\r\n")
    kept = [said_of(each) for each in lines(tmp_path) if isinstance(each, Ended)]
    assert kept[0] == kept[-1]
    assert kept[0]["usage"] == {"input_tokens": 2, "output_tokens": 3}


@pytest.mark.parametrize("name", ["whole", "no usage", "no end"])
def test_a_stream_leaves_nothing_behind_for_the_garbage_collector(
    name: str, tmp_path: Path, ordinary: list[int]
) -> None:
    def left() -> list[str]:
        kinds = (Streaming, Plain, Flow, Events, Asking)
        return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]

    async def main() -> None:
        async with scripted(tmp_path, STREAMS[name]) as (at, _):
            await warmed(at, ordinary)
            gc.collect()
            gc.disable()
            try:
                at.send(stream=True)
                await heard(at)
                await until(lambda: not at.it.means.exchanges)
                await asyncio.sleep(0.01)
                assert left() == []
            finally:
                gc.enable()

    run(main)


def test_a_stream_that_shows_nothing_does_not_unsettle_one_that_is_cut(
    tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with scripted(tmp_path, ended(FIRST, STOP, TOLD, DONE)) as (at, script):
            await warmed(at, ordinary)
            at.send(stream=True)  # all that it wrote is hidden
            await heard(at)
            script.pieces = STREAMS["no end"]
            at.send(stream=True)
            await heard(at)
            await until(lambda: not at.it.means.exchanges)
            assert await at.it.left_held() == 0

    run(main)
    assert kinds(tmp_path) == ["ok", "ok", "ok", "cut"]


def test_a_client_that_leaves_a_stream_pays_for_what_has_flowed(
    tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with scripted(tmp_path, apart(*WORDS)) as (at, script):
            await warmed(at, ordinary)
            script.pieces.append(chunk(word(b"word" * 100)))
            at.send(stream=True)
            await at.reader.readuntil(b"word" * 100)
            at.writer.transport.abort()
            await until(lambda: not at.it.means.exchanges)
            assert await at.it.left_held() == 0

    run(main)
    assert kinds(tmp_path) == ["ok", "ok", "cut"]
    cut = [each for each in lines(tmp_path) if isinstance(each, Ended)][-1]
    assert cut.known == "estimated"
    assert cut.usage["output_tokens"] >= 100
    assert cut.bytes_out == sum(map(len, (*WORDS, word(b"word" * 100))))


def test_a_gateway_that_ends_breaks_a_stream_off(tmp_path: Path, ordinary: list[int]) -> None:
    async def main() -> bytes:
        async with scripted(tmp_path, apart(*WORDS), endless=True) as (at, script):
            await warmed(at, ordinary)
            at.send(stream=True)
            await until(lambda: script.sent > 0)
            for each in list(at.it.means.exchanges):
                each.break_off()
            said = await heard(at)
            assert not at.it.means.exchanges
            return said

    assert not run(main).endswith(b"\r\n\r\n")
    assert kinds(tmp_path) == ["ok", "ok", "cut"]


def test_of_a_stream_that_its_client_does_not_read_little_is_read(
    tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with scripted(tmp_path, apart(*WORDS), endless=True) as (at, script):
            await warmed(at, ordinary)
            at.writer.transport.pause_reading()
            at.send(stream=True)
            await until(lambda: script.sent > 0)
            sent = -1
            while sent != script.sent:
                sent = script.sent
                await asyncio.sleep(0.2)
            assert sent < 20_000_000
            at.writer.transport.resume_reading()
            while script.sent < sent + 5_000_000:
                assert await at.reader.read(2**20)

    run(main)


def test_a_stream_whose_charge_cannot_be_kept_does_not_end(
    tmp_path: Path, ordinary: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(_position: int, _call: object, lost: Callable[[], None]) -> None:
        lost()

    async def main() -> bytes:
        async with scripted(tmp_path, STREAMS["whole"]) as (at, _):
            await warmed(at, ordinary)
            monkeypatch.setattr(at.it.means.journal, "when_durable", lose)
            at.send(stream=True)
            return await heard(at)

    said = run(main)
    assert STOP in said
    assert DONE not in said
