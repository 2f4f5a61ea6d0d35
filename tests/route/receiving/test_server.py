"""What exporters are answered, within limits, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import threading
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from clearbar.route.receiving.kept import line_of
from clearbar.route.receiving.server import Receiver
from clearbar.route.receiving.writer import Room, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

SENDERS = "for-all-who-send"
TRACE = "5b8efff798038103d269b633813fc60c"
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
SMALL = Room(unpacked_bytes=2**20, waiting_bytes=2**20, free_bytes=1)


def body(number: int = 1) -> bytes:
    attributes = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]
    span = {"traceId": TRACE, "spanId": f"{number:016x}", "attributes": attributes}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


class Running:
    """A receiver in this loop."""

    def __init__(self, folder: Path, port: int, writer: Writer) -> None:
        self.folder, self.writer = folder, writer
        self.closed: list[Path] = []
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx2.AsyncClient(timeout=20)

    async def post(self, path: str, content: bytes, **headers: Any) -> httpx2.Response:
        given = headers.pop("headers", JSON)
        return await self.client.post(self.url + path, content=content, headers=given)

    def spans(self) -> int:
        lines = b"".join(each.read_bytes() for each in self.folder.iterdir()).splitlines()
        return sum(line_of(each) is not None for each in lines)


@asynccontextmanager
async def running(folder: Path, room: Room = SMALL, token: str = "") -> AsyncIterator[Running]:
    loop = asyncio.get_running_loop()
    closed: list[Path] = []
    writer = Writer(folder, loop, room, closed.append)
    receiver = Receiver(writer, token)
    server = await loop.create_server(receiver.front, "127.0.0.1", 0)
    found = Running(folder, server.sockets[0].getsockname()[1], writer)
    found.closed = closed
    try:
        yield found
    finally:
        await found.client.aclose()
        server.close()
        for front in list(receiver.fronts):
            front.abort()
        found.closed += await loop.run_in_executor(None, writer.close)
        await asyncio.sleep(0)


def ask(folder: Path, work: Callable[[Running], Awaitable[None]], **options: Any) -> None:
    async def asked() -> None:
        async with running(folder, **options) as found:
            await work(found)

    asyncio.run(asked())


def test_an_answer_means_that_it_is_on_the_disk(tmp_path: Path) -> None:
    async def work(found: Running) -> None:
        for number in range(1, 6):
            assert (await found.post("/v1/traces", body(number))).status_code == 200
            assert found.spans() == number

    ask(tmp_path, work)


def test_many_at_once_share_writes_and_all_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, real = [], os.fdatasync

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def work(found: Running) -> None:
        sent = [found.post("/v1/traces", body(number + 1)) for number in range(60)]
        assert {each.status_code for each in await asyncio.gather(*sent)} == {200}
        assert found.spans() == 60

    ask(tmp_path, work)
    assert len(syncs) < 60


@pytest.mark.parametrize(
    ("path", "method", "headers", "content", "status"),
    [
        ("/v1/profiles", "POST", JSON, body(), 404),
        ("/v1/traces", "GET", JSON, b"", 405),
        ("/v1/traces", "POST", {"content-type": "text/plain"}, body(), 415),
        ("/v1/traces", "POST", {**JSON, "content-encoding": "zstd"}, body(), 415),
        ("/v1/traces", "POST", {**JSON, "content-encoding": "gzip"}, body(), 400),
        (
            "/v1/traces",
            "POST",
            {**JSON, "content-encoding": "gzip"},
            gzip.compress(body(), mtime=0)[:-9],
            400,
        ),
        ("/v1/traces", "POST", JSON, b"{", 400),
        ("/v1/traces", "POST", PROTOBUF, b"\xff\xff", 400),
        (
            "/v1/traces",
            "POST",
            {**JSON, "content-encoding": "gzip"},
            gzip.compress(body(), mtime=0),
            200,
        ),
        (
            "/v1/traces",
            "POST",
            {**JSON, "content-encoding": "gzip"},
            gzip.compress(body(), mtime=0) + gzip.compress(b" ", mtime=0),
            200,
        ),
        (
            "/v1/traces",
            "POST",
            {**JSON, "content-encoding": "gzip"},
            gzip.compress(body(), mtime=0) + gzip.compress(b"{", mtime=0),
            400,
        ),
        (
            "/v1/traces",
            "POST",
            {**JSON, "content-encoding": "gzip"},
            gzip.compress(b"", mtime=0) * 1000 + gzip.compress(body(), mtime=0),
            400,
        ),
        ("/v1/traces", "POST", JSON, b"", 200),
        ("/v1/metrics", "POST", JSON, b"{}", 200),
        ("/healthz", "GET", {}, b"", 200),
    ],
)
def test_each_request_is_answered_for_what_it_is(
    tmp_path: Path, path: str, method: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    async def work(found: Running) -> None:
        request = found.client.build_request(
            method, found.url + path, content=content, headers=headers
        )
        answer = await found.client.send(request)
        assert answer.status_code == status
        if status >= 400 and headers != PROTOBUF:
            assert answer.json()["message"]

    ask(tmp_path, work)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    packing = zlib.compressobj(wbits=31)
    bomb = b"".join(packing.compress(bytes(2**20)) for _ in range(20)) + packing.flush()

    async def work(found: Running) -> None:
        answer = await found.post("/v1/traces", bomb, headers={**JSON, "content-encoding": "gzip"})
        assert answer.status_code == 413
        assert (await found.post("/v1/traces", body())).status_code == 200

    ask(tmp_path, work)


def test_what_waits_too_long_for_the_disk_is_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (go_on.wait(20), real(descriptor))[1])
    large = body()[:-1] + b" " * 400_000 + b"}"

    async def work(found: Running) -> None:
        sent = [asyncio.create_task(found.post("/v1/traces", large)) for _ in range(4)]
        done, waiting = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        told = {(each.result().status_code, each.result().headers["retry-after"]) for each in done}
        assert told == {(429, "5")}
        go_on.set()
        others = {(await each).status_code for each in waiting}
        assert 200 in others
        assert others <= {200, 429}

    ask(tmp_path, work)


def test_a_disk_that_is_nearly_full_takes_nothing_more(tmp_path: Path) -> None:
    async def work(found: Running) -> None:
        answer = await found.post("/v1/traces", body())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

    ask(tmp_path, work, room=Room(free_bytes=2**62))


def test_a_disk_that_fails_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def work(found: Running) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", fails)
            answer = await found.post("/v1/traces", body())
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert found.spans() == 0
        assert (await found.post("/v1/traces", body())).status_code == 200

    ask(tmp_path, work)


def test_a_token_is_asked_for_before_a_large_body_is_read(tmp_path: Path) -> None:
    async def work(found: Running) -> None:
        assert (await found.post("/v1/traces", bytes(2**20))).status_code == 401
        known = {**JSON, "authorization": f"Bearer {SENDERS}"}
        assert (await found.post("/v1/traces", body(), headers=known)).status_code == 200

    ask(tmp_path, work, token=SENDERS)


def test_what_came_is_closed_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    closed: list[Path] = []

    async def work(found: Running) -> None:
        nonlocal closed
        closed = found.closed
        await found.post("/v1/traces", body())
        event = {"eventName": "claude_code.api_request", "attributes": []}
        logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event]}]}]}
        await found.post("/v1/logs", json.dumps(logs).encode())
        for _ in range(100):
            if closed:
                break
            await asyncio.sleep(0.05)
        assert [b"api_request" in each.read_bytes() for each in closed] == [True]

    ask(tmp_path, work, room=Room(close_every_s=0.1, free_bytes=1))
    assert [b"traceId" in each.read_bytes() for each in closed] == [False, True]


def test_traces_that_go_on_are_closed_when_there_are_too_many(tmp_path: Path) -> None:
    closed: list[Path] = []

    async def work(found: Running) -> None:
        nonlocal closed
        closed = found.closed
        for number in range(1, 9):
            await found.post("/v1/traces", body(number))
        for _ in range(100):
            if closed:
                break
            await asyncio.sleep(0.05)
        assert closed

    ask(tmp_path, work, room=Room(file_bytes=100, close_every_s=0.1, free_bytes=1))
    assert sum(each.read_bytes().count(b"spanId") for each in closed) == 8


def test_requests_that_are_large_when_unpacked_are_not_held_all_at_once(tmp_path: Path) -> None:
    async def work(found: Running) -> None:
        answers = await asyncio.gather(*(found.post("/v1/traces", body(n)) for n in range(1, 9)))
        assert {each.status_code for each in answers} == {200}

    ask(tmp_path, work, room=Room(batch_bytes=1, free_bytes=1))
    (closed,) = tmp_path.glob("received-*.jsonl")
    assert len(closed.read_bytes().splitlines()) == 8
