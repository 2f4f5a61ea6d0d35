"""The upstream side on real sockets: what comes back, and which connections are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.route.http.wires import (
    PATIENT,
    SWEEP_S,
    Heard,
    always,
    lab,
    read_request,
    reply_of,
    until,
)

from clearbar.route.http.limits import UpstreamLimits
from clearbar.route.http.upstream import Origin

if TYPE_CHECKING:
    from tests.route.http.wires import Run

    from clearbar.route.http.upstream import Asking

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(reply_of(await read_request(reader)))


def test_a_reply_comes_as_head_body_and_end(run: Run) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 201 Made\r\nX-Id: 7 \r\nContent-Length: 2\r\n\r\nhi"
        async with lab(always(answer)) as at:
            heard = await at.hear()
        assert heard.calls == ["head", "body", "end"]
        assert (heard.status, heard.body) == (201, b"hi")
        assert heard.headers == [(b"x-id", b"7"), (b"content-length", b"2")]

    run(main())


def test_a_listener_is_not_called_before_asking_returns(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            heard, _ = at.ask()
            assert heard.calls == []
            await heard.over.wait()

    run(main())


def test_a_large_request_arrives_whole(run: Run) -> None:
    async def main() -> None:
        body = bytes(range(256)) * 20_000
        async with lab(echo) as at:
            assert (await at.hear(body)).body == body

    run(main())


def test_a_reply_in_chunks_is_taken_out_of_them(run: Run) -> None:
    async def main() -> None:
        answer = CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        async with lab(always(answer)) as at:
            heard = await at.hear()
        assert heard.body == b"abcde"
        assert heard.ended

    run(main())


def test_pieces_come_as_they_are_sent(run: Run) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        for piece in (b"one", b"two"):
            writer.write(b"3\r\n" + piece + b"\r\n")
            await step.acquire()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    step = asyncio.Semaphore(0)

    async def main() -> None:
        async with lab(script) as at:
            heard, _ = at.ask()
            await until(lambda: heard.body == b"one")
            step.release()
            await until(lambda: heard.body == b"onetwo")
            assert not heard.ended
            step.release()
            await heard.over.wait()
            assert heard.ended

    run(main())


def test_the_last_piece_is_known_to_be_the_last(run: Run) -> None:
    whole: list[bool] = []

    class Watching(Heard):
        asking: Asking

        def on_body(self, piece: bytes) -> None:
            super().on_body(piece)
            whole.append(self.asking.whole)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await reader.read()

    async def main() -> None:
        async with lab(script) as at:
            heard = Watching()
            _, heard.asking = at.ask(heard=heard)
            await heard.over.wait()
        assert whole == [False, True]

    run(main())


def test_a_body_may_last_until_the_connection_ends(run: Run) -> None:
    async def main() -> None:
        async with lab(always(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)) as at:
            heard = await at.hear()
        assert (heard.body, heard.ended) == (b"until the end", True)

    run(main())


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body_ends_with_its_head(run: Run, status: bytes) -> None:
    async def main() -> None:
        async with lab(always(b"HTTP/1.1 " + status + b"\r\n\r\n")) as at:
            heard = await at.hear()
            assert heard.calls == ["head", "end"]
            await at.hear()
            assert len(at.connections) == 1

    run(main())


def test_the_answer_to_a_head_has_no_body_whatever_it_says(run: Run) -> None:
    async def main() -> None:
        async with lab(always(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")) as at:
            heard, _ = at.ask(method="HEAD")
            await heard.over.wait()
            assert heard.calls == ["head", "end"]

    run(main())


def test_replies_of_the_100_kind_are_skipped(run: Run) -> None:
    async def main() -> None:
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
        async with lab(always(early + reply_of(b"hi"))) as at:
            for _ in range(2):
                heard = await at.hear()
                assert heard.calls == ["head", "body", "end"]
                assert heard.headers == [(b"content-length", b"2")]

    run(main())


def test_a_compressed_body_is_passed_as_it_is(run: Run) -> None:
    async def main() -> None:
        body = b"\x1f\x8b\x08\x00garbage"
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 11\r\n\r\n"
        async with lab(always(head + body)) as at:
            heard = await at.hear()
        assert heard.body == body
        assert (b"content-encoding", b"gzip") in heard.headers

    run(main())


def test_headers_after_a_body_are_not_passed_on(run: Run) -> None:
    async def main() -> None:
        answer = CHUNKED + b"2\r\nhi\r\n0\r\nx-late: a\r\n\r\n"
        async with lab(always(answer)) as at:
            for _ in range(2):
                heard = await at.hear()
                assert heard.headers == [(b"transfer-encoding", b"chunked")]
                assert heard.ended

    run(main())


def test_a_clean_connection_is_used_again(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            for _ in range(5):
                await at.hear()
            assert len(at.connections) == 1

    run(main())


def test_a_listener_that_asks_again_at_the_end_uses_the_same_connection(run: Run) -> None:
    async def main() -> None:
        second = Heard()

        class Again(Heard):
            def on_end(self) -> None:
                super().on_end()
                at.ask(heard=second)

        async with lab(echo) as at:
            at.ask(heard=Again())
            await second.over.wait()
            assert second.ended
            assert len(at.connections) == 1

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        reply_of(b"hi") + b"garbage",
        reply_of(b"hi") + b"HTTP/1.1 200 OK\r\n",
        reply_of(b"hi") + reply_of(b"a second reply"),
        CHUNKED + b"2\r\nhi\r\n0\r\n\r\nHTTP",
    ],
    ids=["closing", "HTTP/1.0", "garbage", "a head", "a second reply", "a beginning"],
)
def test_a_connection_that_is_not_clean_is_not_used_again(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with lab(always(answer)) as at:
            for _ in range(2):
                heard = await at.hear()
                assert (heard.body, heard.ended) == (b"hi", True)
            assert len(at.connections) == 2

    run(main())


def test_a_connection_on_which_the_upstream_speaks_unasked_is_not_used_again(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            await at.hear()
            at.connections[0].write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await asyncio.sleep(0.02)
            assert (await at.hear()).status == 200
            assert len(at.connections) == 2

    run(main())


def test_a_reply_before_the_whole_request_was_taken_ends_the_connection(run: Run) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply_of(b"no", b"413 Too Large"))
        await asyncio.sleep(5)

    async def main() -> None:
        async with lab(script) as at:
            heard = await at.hear(b"a" * 40_000_000)
            assert (heard.status, heard.ended) == (413, True)
            await at.hear()
            assert len(at.connections) == 2

    run(main())


def test_an_idle_connection_that_the_upstream_closed_is_not_used(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            for _ in range(3):
                assert (await at.hear()).ended
                at.connections[-1].close()
                await asyncio.sleep(0.02)
            assert len(at.connections) == 3

    run(main())


def test_a_connection_that_was_idle_is_asked_of_the_system(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            await at.hear()
            [pool] = at.upstreams._pools.values()
            [connection] = pool._idle
            connection.pause()  # the loop is not told of what comes now
            at.connections[0].close()
            await until(lambda: not connection.is_alive(ask_system=True))
            connection.idle_since = 0.0
            assert (await at.hear()).ended
            assert len(at.connections) == 2

    run(main())


def test_an_idle_connection_is_closed_after_a_while(run: Run) -> None:
    async def main() -> None:
        async with lab(echo, UpstreamLimits(idle_s=0.05, sweep_s=SWEEP_S)) as at:
            await at.hear()
            [pool] = at.upstreams._pools.values()
            await until(lambda: not pool._open)

    run(main())


def test_an_old_connection_is_not_used_again(run: Run) -> None:
    async def main() -> None:
        async with lab(echo, UpstreamLimits(max_age_s=-1.0)) as at:
            await at.hear()
            await at.hear()
            assert len(at.connections) == 2

    run(main())


def test_no_more_connections_are_kept_than_allowed(run: Run) -> None:
    async def main() -> None:
        async with lab(echo, UpstreamLimits(max_idle=2)) as at:
            asked = [at.ask()[0] for _ in range(5)]
            for heard in asked:
                await heard.over.wait()
            [pool] = at.upstreams._pools.values()
            assert len(pool._idle) == 2

    run(main())


def test_no_more_connections_are_opened_than_allowed_and_the_rest_waits(run: Run) -> None:
    async def main() -> None:
        async with lab(echo, UpstreamLimits(max_connections=3)) as at:
            asked = [at.ask(b"%d" % n)[0] for n in range(40)]
            for n, heard in enumerate(asked):
                await heard.over.wait()
                assert heard.body == b"%d" % n
            assert len(at.connections) == 3

    run(main())


def test_where_too_many_wait_one_more_is_refused(run: Run) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> None:
        async with lab(hang, UpstreamLimits(max_connections=1, max_waiting=2)) as at:
            at.ask()
            await until(lambda: bool(at.connections))
            at.ask()
            at.ask()
            heard = await at.hear()
            assert heard.broken is not None
            assert (heard.broken.kind, heard.broken.sent) == ("connect", False)

    run(main())


def test_a_paused_reply_is_left_in_the_network(run: Run) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply_of(b"a" * 30_000_000))
        await reader.read()

    class Pausing(Heard):
        asking: Asking

        def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
            super().on_head(status, headers)
            self.asking.pause()

    async def main() -> None:
        async with lab(script) as at:
            heard = Pausing()
            _, asking = at.ask(heard=heard)
            heard.asking = asking
            await heard.began.wait()
            await asyncio.sleep(0.05)
            assert len(heard.body) < 1_000_000
            asking.resume()
            await heard.over.wait()
            assert len(heard.body) == 30_000_000

    run(main())


def test_one_may_pause_before_there_is_a_connection(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            heard, asking = at.ask()
            asking.pause()
            await asyncio.sleep(0.05)
            assert heard.calls == []
            asking.resume()
            await heard.over.wait()

    run(main())


def test_a_connection_that_was_paused_at_the_end_serves_the_next(run: Run) -> None:
    class Pausing(Heard):
        asking: Asking

        def on_body(self, piece: bytes) -> None:
            super().on_body(piece)
            self.asking.pause()

    async def main() -> None:
        async with lab(echo) as at:
            heard = Pausing()
            _, heard.asking = at.ask(heard=heard)
            await heard.over.wait()
            assert (await at.hear()).ended
            assert len(at.connections) == 1

    run(main())


def test_who_cancels_hears_nothing_more(run: Run) -> None:
    class Cancelling(Heard):
        asking: Asking

        def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
            super().on_head(status, headers)
            self.asking.cancel()

    async def main() -> None:
        async with lab(echo) as at:
            heard = Cancelling()
            _, heard.asking = at.ask(b"body", heard=heard)
            await heard.began.wait()
            await asyncio.sleep(0.05)
            assert heard.calls == ["head"]
            assert (await at.hear()).ended
            assert len(at.connections) == 2

    run(main())


def test_cancelling_ends_the_connection(run: Run) -> None:
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await read_request(reader)
        try:
            await reader.read()
        finally:
            ended.set()

    async def main() -> None:
        async with lab(script) as at:
            heard, asking = at.ask()
            await until(lambda: bool(at.connections))
            await asyncio.sleep(0.02)
            asking.cancel()
            await ended.wait()
            assert heard.calls == []

    run(main())


def test_who_cancels_while_waiting_gives_its_place_away(run: Run) -> None:
    async def main() -> None:
        async with lab(echo, UpstreamLimits(max_connections=1)) as at:
            first, _ = at.ask()
            second, asking = at.ask()
            third, _ = at.ask()
            asking.cancel()
            asking.cancel()
            await third.over.wait()
            assert (first.ended, second.calls, third.ended) == (True, [], True)

    run(main())


def test_closing_breaks_what_is_in_flight(run: Run) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> None:
        async with lab(hang) as at:
            heard, _ = at.ask()
            await until(lambda: bool(at.connections))
            await asyncio.sleep(0.02)
            await at.upstreams.close()
            assert heard.broken is not None
            assert (heard.broken.kind, heard.broken.sent) == ("reset", True)
            with pytest.raises(RuntimeError, match="closed"):
                at.ask()

    run(main())


def test_closing_breaks_what_still_connects(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            heard, _ = at.ask()
            await at.upstreams.close()
            assert heard.broken is not None
            assert not heard.broken.sent

    run(main())


def test_each_origin_has_its_own_connections(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as one, lab(always(reply_of(b"other"))) as other:
            assert (await one.hear(b"a")).body == b"a"
            heard, _ = one.ask(origin=other.origin)
            await heard.over.wait()
            assert heard.body == b"other"

    run(main())


def test_an_origin_may_have_a_name(run: Run) -> None:
    async def main() -> None:
        async with lab(echo) as at:
            named = Origin(secure=False, host="localhost", port=at.origin.port)
            heard, _ = at.ask(b"a", PATIENT, origin=named)
            await heard.over.wait()
            assert heard.body == b"a"

    run(main())
