"""The upstream side against upstreams that fail, stop, lie or talk nonsense."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.route.http.wires import SWEEP_S, always, lab, read_request, reply_of, until

from clearbar.route.http.limits import UpstreamLimits
from clearbar.route.http.upstream import Origin, Patience

if TYPE_CHECKING:
    from tests.route.http.wires import Lab, Run

    from clearbar.route.http.upstream import Asking, Broken

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


async def broken_by(at: Lab, patience: Patience | None = None) -> Broken:
    heard = await at.hear() if patience is None else await at.hear(patience=patience)
    assert not heard.ended
    assert heard.broken is not None
    return heard.broken


GARBAGE = {
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "HTTP/2 in its words": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "both framings": HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length that is none": HEAD + b"content-length: x\r\n\r\n",
    "a folded header": HEAD + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "a bare LF": HEAD + b"a: b\nc: d\r\ncontent-length: 0\r\n\r\n",
    "a NUL": HEAD + b"a: b\0\r\ncontent-length: 0\r\n\r\n",
    "an unknown coding": HEAD + b"transfer-encoding: gzip\r\n\r\nabc",
    "two codings": HEAD
    + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "announcements without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 20,
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
def test_a_head_that_is_no_clean_http_is_no_reply(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with lab(always(answer)) as at:
            heard = await at.hear()
            assert heard.calls == ["broken"]
            assert heard.broken is not None
            assert (heard.broken.kind, heard.broken.sent) == ("protocol", True)
            await until(lambda: not at.upstreams._pools[at.origin]._open)

    run(main())


BAD_CHUNKS = {
    "no size": b"x\r\nabc\r\n",
    "a size beyond all": b"fffffffffffffffff\r\nabc",
    "a chunk that is too long": b"1\r\nabc\r\n0\r\n\r\n",
    "a bare LF": b"1\na\n0\n\n",
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_chunks_that_cannot_be_read_break_the_reply(run: Run, chunks: bytes) -> None:
    async def main() -> None:
        async with lab(always(CHUNKED + b"2\r\nhi\r\n" + chunks)) as at:
            heard = await at.hear()
            assert heard.calls[0] == "head"
            assert heard.body.startswith(b"hi")
            assert heard.broken is not None
            assert heard.broken.kind == "protocol"

    run(main())


TRUNCATED = {
    "nothing": b"",
    "half a status": b"HTTP/1",
    "half a head": HEAD + b"content-le",
    "half a body": HEAD + b"content-length: 9\r\n\r\nabc",
    "no body": HEAD + b"content-length: 9\r\n\r\n",
    "half a chunk": CHUNKED + b"9\r\nabc",
    "no last chunk": CHUNKED + b"3\r\nabc\r\n",
    "half of the last chunk": CHUNKED + b"3\r\nabc\r\n0\r\n",
    "only an announcement": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("answer", TRUNCATED.values(), ids=TRUNCATED)
def test_a_reply_that_ends_too_early_is_broken(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with lab(always(answer, close=True)) as at:
            broken = await broken_by(at)
            assert (broken.kind, broken.sent) == ("reset", True)

    run(main())


def test_a_reset_breaks_the_reply_also_where_the_body_lasts_until_the_end(run: Run) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + b"\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.02)
        found = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def main() -> None:
        async with lab(script) as at:
            assert (await broken_by(at)).kind == "reset"

    run(main())


def test_a_request_that_may_have_been_taken_is_never_sent_again(run: Run) -> None:
    taken: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await read_request(reader))
        writer.write(reply_of(b"hi"))
        taken.append(await read_request(reader))

    async def main() -> None:
        async with lab(script) as at:
            assert (await at.hear(b"one")).ended
            broken = await broken_by(at)
            assert (broken.kind, broken.sent) == ("reset", True)
        assert taken == [b"one", b"{}"]

    run(main())


def test_nobody_listening_is_a_failure_to_connect_and_nothing_was_sent(run: Run) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nowhere = Origin(secure=False, host="127.0.0.1", port=taken.getsockname()[1])
            async with lab(always(b"")) as at:
                heard, _ = at.ask(origin=nowhere)
                await heard.over.wait()
        assert heard.broken is not None
        assert (heard.broken.kind, heard.broken.sent) == ("connect", False)

    run(main())


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 70 + ".invalid", ".."])
def test_a_name_that_does_not_exist_is_a_failure_to_connect(run: Run, host: str) -> None:
    async def main() -> None:
        async with lab(always(b"")) as at:
            heard, _ = at.ask(origin=Origin(secure=False, host=host, port=80))
            await heard.over.wait()
        assert heard.broken is not None
        assert (heard.broken.kind, heard.broken.sent) == ("connect", False)

    run(main())


def test_all_that_wait_hear_that_nobody_listens(run: Run) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nowhere = Origin(secure=False, host="127.0.0.1", port=taken.getsockname()[1])
            async with lab(always(b""), UpstreamLimits(max_connections=2)) as at:
                asked = [at.ask(origin=nowhere)[0] for _ in range(20)]
                for heard in asked:
                    await heard.over.wait()
                    assert heard.broken is not None

    run(main())


def test_a_connection_that_does_not_come_about_is_given_up(run: Run) -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            with socket.create_connection(address), socket.socket() as second:
                second.setblocking(False)
                second.connect_ex(address)
                await asyncio.sleep(0.02)
                origin = Origin(secure=False, host="127.0.0.1", port=address[1])
                async with lab(always(b"")) as at:
                    heard, _ = at.ask(patience=Patience(0.05, 5, 5, 5), origin=origin)
                    await heard.over.wait()
        assert heard.broken is not None
        assert (heard.broken.kind, heard.broken.sent) == ("timeout", False)

    run(main())


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def test_waiting_for_a_free_connection_counts_as_connecting(run: Run) -> None:
    async def main() -> None:
        async with lab(hang, UpstreamLimits(max_connections=1, sweep_s=SWEEP_S)) as at:
            at.ask()
            broken = await broken_by(at, Patience(0.05, 5, 5, 5))
            assert (broken.kind, broken.sent) == ("timeout", False)

    run(main())


def test_an_upstream_that_does_not_answer_is_given_up(run: Run) -> None:
    async def main() -> None:
        async with lab(hang) as at:
            broken = await broken_by(at, Patience(5, 0.05, 5, 5))
            assert (broken.kind, broken.sent) == ("timeout", True)
            assert "begin" in broken.what

    run(main())


def dripping(head: bytes, drop: bytes) -> object:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return script


def test_a_head_that_drips_is_given_up(run: Run) -> None:
    async def main() -> None:
        async with lab(dripping(HEAD, b"a: b\r\n")) as at:
            broken = await broken_by(at, Patience(5, 0.1, 5, 5))
            assert broken.kind == "timeout"

    run(main())


def test_a_body_that_stops_is_given_up(run: Run) -> None:
    async def main() -> None:
        async with lab(always(CHUNKED + b"2\r\nhi\r\n")) as at:
            heard = await at.hear(patience=Patience(5, 5, 0.05, 5))
            assert heard.body == b"hi"
            assert heard.broken is not None
            assert heard.broken.kind == "timeout"
            assert "middle" in heard.broken.what

    run(main())


def test_a_body_that_drips_is_borne_until_its_time_is_over(run: Run) -> None:
    async def main() -> None:
        async with lab(dripping(CHUNKED, b"1\r\na\r\n")) as at:
            heard = await at.hear(patience=Patience(5, 5, 0.2, 0.4))
            assert len(heard.body) > 15
            assert heard.broken is not None
            assert "finish" in heard.broken.what

    run(main())


def test_silence_that_we_asked_for_is_not_counted(run: Run) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"2\r\nhi\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async def main() -> None:
        async with lab(script) as at:
            heard, asking = at.ask(patience=Patience(5, 5, 0.05, 5))
            await heard.began.wait()
            asking.pause()
            await asyncio.sleep(0.2)
            assert heard.broken is None
            asking.resume()
            await heard.over.wait()
            assert heard.ended

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"a: " + b"b" * 2000 + b"\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"a: b\r\n" * 50 + b"content-length: 0\r\n\r\n",
        HEAD + b"a: " + b"b" * 2000,
        HEAD + b"content-length: 3000\r\n\r\n" + b"a" * 3000,
        CHUNKED + b"3e8\r\n" + b"a" * 1000 + b"\r\n3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n",
    ],
    ids=["a header", "headers", "a head without an end", "a body", "chunks"],
)
def test_what_is_too_large_is_not_taken(run: Run, answer: bytes) -> None:
    async def main() -> None:
        limits = UpstreamLimits(max_head_bytes=1000, max_headers=20, max_reply_bytes=1500)
        async with lab(always(answer), limits) as at:
            broken = await broken_by(at)
            assert (broken.kind, broken.sent) == ("too_large", True)

    run(main())


def test_a_listener_that_fails_breaks_its_own_reply_alone(run: Run) -> None:
    async def main() -> None:
        from tests.route.http.wires import Heard

        class Failing(Heard):
            def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
                super().on_head(status, headers)
                raise LookupError

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with lab(always(reply_of(b"hi"))) as at:
            heard, _ = at.ask(heard=Failing())
            await heard.over.wait()
            assert heard.broken is not None
            assert (await at.hear()).ended

    run(main())


PIECES = (
    HEAD,
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"content-length: 3\r\n",
    b"transfer-encoding: chunked\r\n",
    b"connection: close\r\n",
    b"\r\n",
    b"\n",
    b"abc",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"\0",
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=12))
def test_whatever_comes_back_a_listener_hears_one_end(run: Run, pieces: list[bytes]) -> None:
    async def main() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(what))
        async with lab(always(b"".join(pieces), close=True)) as at:
            heard = await at.hear()
            assert heard.calls[-1] in {"end", "broken"}
            assert heard.calls.count("end") + heard.calls.count("broken") == 1
            assert heard.calls.count("head") <= 1
            assert heard.calls[0] in {"head", "broken"}
        assert faults == []

    run(main())


def test_pausing_after_the_end_changes_nothing(run: Run) -> None:
    async def main() -> None:
        async with lab(always(reply_of(b"hi"))) as at:
            heard, asking = at.ask()
            await heard.over.wait()
            paused_and_cancelled(asking)
            assert (await at.hear()).ended
            assert len(at.connections) == 1

    run(main())


def paused_and_cancelled(asking: Asking) -> None:
    asking.pause()
    asking.resume()
    asking.cancel()
