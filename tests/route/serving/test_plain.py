"""The straight way of a request: the same lines, heads and answers, and a way out of all else."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest
from tests.route.http.wires import until
from tests.route.serving.inside import World, world
from tests.route.serving.raw_upstream import BODY, Came, RawUpstream, whole

from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import entries
from clearbar.route.serving import plain
from clearbar.route.serving.exchange import Exchange
from clearbar.route.serving.inquiry import claim_of
from clearbar.route.serving.lane import Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from clearbar.route.journal.entry import Entry
    from clearbar.route.serving.inquiry import Claim
    from clearbar.route.wire.asked import Asked

ERROR = whole(b'{"error":{"message":"x"}}', b"500 No", b"retry-after: 0\r\n")
USAGE = b'{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}'
EVENTS = [
    b'data: {"id":"c","choices":[{"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % word
    for word in (b"one", b"two", b"three", b'a \\"word\\"', b"four")
] + [
    b'data: {"id":"c","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c","choices":[],"usage":%b}\n\n' % USAGE,
    b"data: [DONE]\n\n",
]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWERS = {
    b"fails once": ERROR,
    b"no usage": whole(b'{"id":"chatcmpl-1","model":"gpt-5-mini","choices":[]}'),
    b"an error inside": whole(b'{"error":{"message":"x"}}'),
    b"no json": whole(b"hello"),
    b"empty": whole(b""),
    b"another model": whole(BODY.replace(b"gpt-5-mini", b"gpt-5-mini-2025-08-07")),
    b"large": whole(BODY.replace(b"hello", b"hello" * 100_000)),
    b"a wrong sum": whole(BODY.replace(b'"total_tokens":5', b'"total_tokens":6')),
}


def answer(came: Came) -> bytes:
    for word, said in ANSWERS.items():
        if word in came.body:
            first = SEEN[word] == 0
            SEEN[word] += 1
            return said if first or word != b"fails once" else whole()
    if b'"stream":true' in came.body:
        return STREAM + b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in EVENTS) + b"0\r\n\r\n"
    return whole()


SEEN: Counter[bytes] = Counter()


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    SEEN.clear()
    with RawUpstream(answer) as opened:
        yield opened


class Upstream(Protocol):
    """Wherever requests are answered."""

    url: str


class Client:
    """One connection that is kept."""

    def __init__(self, it: World, reader: Any, writer: Any) -> None:
        self.it, self.reader, self.writer = it, reader, writer

    def send(self, prompt: str = "hi", **more: Any) -> None:
        messages = [{"role": "user", "content": prompt}]
        said = {"model": "gpt-5-mini", "max_tokens": 100, "messages": messages, **more}
        body = json.dumps(said, separators=(",", ":")).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
            f"authorization: Bearer {self.it.key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)

    async def ask(self, prompt: str = "hi", **more: Any) -> tuple[int, Mapping[str, str], bytes]:
        self.send(prompt, **more)
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.strip().split("\r\n")
            headers = dict(field.split(": ", 1) for field in fields)
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            else:
                body = await self.reader.readuntil(b"\r\n0\r\n\r\n")
        return int(line.split()[1]), headers, body


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many exchanges were made: the straight way makes none."""
    made = [0]

    class Counted(Exchange):
        def __init__(self, *given: Any) -> None:
            made[0] += 1
            super().__init__(*given)

    monkeypatch.setattr(plain, "Exchange", Counted)
    return made


@asynccontextmanager
async def client(folder: Path, upstream: Upstream) -> AsyncIterator[Client]:
    async with world(folder, upstream.url) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        try:
            yield Client(it, reader, writer)
        finally:
            writer.transport.abort()


async def warmed(at: Client, ordinary: list[int]) -> None:
    """Ask until there is a straight way."""
    assert (await at.ask())[0] == 200
    assert (await at.ask())[0] == 200
    ordinary[0] = 0


def lines(folder: Path) -> list[Entry]:
    return [each.entry for each in entries(folder / ".clearbar/route/journal")]


def kinds(folder: Path) -> list[str]:
    return [each.outcome for each in lines(folder) if isinstance(each, Ended)]


def said_of(entry: Entry) -> dict[str, Any]:
    own = {"call_id", "at_us", "request_id", "trace_id", "span_id"}
    own |= {"first_byte_ms", "latency_ms"}
    return {k: v for k, v in msgspec.structs.asdict(entry).items() if k not in own}


def test_the_straight_way_says_what_the_ordinary_one_says(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> list[Any]:
        async with client(tmp_path, upstream) as at:
            replies = [await at.ask() for _ in range(4)]
            assert ordinary[0] == 1
        return replies

    first, *more = asyncio.run(main())
    for status, headers, body in more:
        assert (status, body) == (200, BODY)
        ours = {"x-clearbar-request-id"}
        assert {**headers, **dict.fromkeys(ours)} == {**first[1], **dict.fromkeys(ours)}
    assert len({headers["x-clearbar-request-id"] for _, headers, _ in (first, *more)}) == 4
    held = [each for each in lines(tmp_path) if isinstance(each, Held)]
    ended = [each for each in lines(tmp_path) if isinstance(each, Ended)]
    assert len(held) == len(ended) == 4
    for kind in (held, ended):
        assert all(said_of(each) == said_of(kind[0]) for each in kind)
    assert [each.call_id for each in held] == [each.call_id for each in ended]
    assert len({each.trace_id for each in held}) == len({each.span_id for each in held}) == 4


def test_a_lane_claims_what_the_ordinary_way_claims(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    same, claim = [], Lane.claim

    def compared(lane: Lane, asked: Asked) -> Claim:
        found, settings = claim(lane, asked), lane.force.table.settings
        same.append(found == claim_of(lane.operation, asked, lane.prices, settings))
        return found

    monkeypatch.setattr(Lane, "claim", compared)

    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            await warmed(at, ordinary)
            for limit in (0, 1, 257, 5000, None):
                await at.ask(max_tokens=limit)
            await at.ask(n=2)
            await at.ask(messages=[{"role": "user", "content": [{"type": "image_url"}]}])

    asyncio.run(main())
    assert len(same) >= 7
    assert all(same)


def test_the_tool_is_asked_alike_but_for_the_trace(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            for _ in range(3):
                await at.ask()
            assert ordinary[0] == 1

    asyncio.run(main())
    heads = [
        [f for f in came.head.split(b"\r\n") if b"traceparent" not in f] for came in upstream.came
    ]
    assert heads[0] == heads[1] == heads[2]
    assert len({came.body for came in upstream.came}) == 1
    held = [each for each in lines(tmp_path) if isinstance(each, Held)]
    for came, each in zip(upstream.came, held, strict=True):
        assert f"traceparent: 00-{each.trace_id}-{each.span_id}-00".encode() in came.head


@pytest.mark.parametrize("prompt", sorted(word.decode() for word in ANSWERS))
def test_an_unusual_answer_ends_as_on_the_ordinary_way(
    prompt: str, upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> tuple[Any, Any]:
        async with client(tmp_path, upstream) as at:
            usual = await at.ask(prompt)
            await warmed(at, ordinary)
            SEEN.clear()
            straight = await at.ask(prompt)
            assert await at.it.left_held() == 0
        return usual, straight

    usual, straight = asyncio.run(main())
    assert (usual[0], usual[2]) == (straight[0], straight[2])
    ended = [said_of(each) for each in lines(tmp_path) if isinstance(each, Ended)]
    count = (len(ended) - 2) // 2
    assert ended[:count] == ended[count + 2 :]


def test_a_stream_passes_whole_and_is_charged(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> list[Any]:
        async with client(tmp_path, upstream) as at:
            first = await at.ask(stream=True)
            await warmed(at, ordinary)
            return [first, await at.ask(stream=True)]

    replies = asyncio.run(main())
    ended = [said_of(each) for each in lines(tmp_path) if isinstance(each, Ended)]
    assert ended[0] == ended[-1]
    assert ended[0]["usage"] == {"input_tokens": 2, "output_tokens": 3}
    for _, _, body in replies:
        assert b"usage" not in body
        assert all(event.strip() in body for event in (*EVENTS[:6], EVENTS[-1]))


def test_a_client_that_leaves_ends_its_call(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            await warmed(at, ordinary)
            upstream.answer = lambda _came: b"HTTP/1.1 200 OK\r\n"
            at.send()
            await until(lambda: bool(at.it.means.exchanges))
            at.writer.transport.abort()
            await until(lambda: not at.it.means.exchanges)
            assert await at.it.left_held() == 0

    asyncio.run(main())
    assert kinds(tmp_path) == ["ok", "ok", "cut"]


def test_a_client_that_leaves_behind_the_head_of_an_answer_pays_as_on_the_ordinary_way(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            for asked in (0, 2):
                upstream.answer = answer
                for _ in range(asked):
                    await at.ask()
                upstream.answer = lambda _came: whole().partition(b"{")[0]
                upstream.came.clear()
                at.send()
                await until(lambda: bool(upstream.came))
                await asyncio.sleep(0.05)  # the head has come too
                at.writer.transport.abort()
                await until(lambda: not at.it.means.exchanges)
                at.reader, at.writer = await asyncio.open_connection("127.0.0.1", at.it.port)
            at.writer.transport.abort()
            assert await at.it.left_held() == 0

    asyncio.run(main())
    cut = [each for each in lines(tmp_path) if isinstance(each, Ended) and each.outcome == "cut"]
    assert len(cut) == 2
    assert said_of(cut[0]) == said_of(cut[1])
    assert cut[1].status == 200


def test_a_call_that_cannot_be_sent_is_ended_and_refused(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            await warmed(at, ordinary)
            await at.it.means.upstreams.close()
            assert (await at.ask())[0] == 500
            assert not at.it.means.exchanges
            assert await at.it.left_held() == 0

    asyncio.run(main())
    assert kinds(tmp_path) == ["ok", "ok", "unsent"]


@pytest.mark.parametrize(
    ("more", "status"),
    [({"max_tokens": 9_000_000}, 200), ({"max_tokens": -1}, 400), ({"model": "unheard-of"}, 200)],
)
def test_what_the_lane_does_not_cover_goes_the_ordinary_way(
    more: dict[str, Any],
    status: int,
    upstream: RawUpstream,
    tmp_path: Path,
    ordinary: list[int],
) -> None:
    async def main() -> int:
        async with client(tmp_path, upstream) as at:
            await warmed(at, ordinary)
            found = await at.ask(**more)
            assert ordinary[0] == 1
            return found[0]

    assert asyncio.run(main()) == status


def test_a_gateway_that_ends_breaks_off_what_is_in_flight(
    upstream: RawUpstream, tmp_path: Path, ordinary: list[int]
) -> None:
    async def main() -> None:
        async with client(tmp_path, upstream) as at:
            await warmed(at, ordinary)
            upstream.answer = lambda _came: b"HTTP/1.1 200 OK\r\n"
            at.send()
            await until(lambda: bool(at.it.means.exchanges))
            for each in list(at.it.means.exchanges):
                each.break_off()
            with pytest.raises(ConnectionResetError):
                await at.reader.read()
            assert not at.it.means.exchanges

    asyncio.run(main())
    assert kinds(tmp_path) == ["ok", "ok", "cut"]
