"""The server side on real sockets: what a well-behaved client sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.route.http.wires import door, greet, until

from clearbar.route.http.heads import UnfitHeader

if TYPE_CHECKING:
    from tests.route.http.wires import Run

    from clearbar.route.http.message import Reply, Request

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def held(request: Request, reply: Reply) -> None:
    """Answer nothing yet."""


def test_a_request_is_answered(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            answer = await at.tell(CLOSING)
        assert answer == (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n"
            b"connection: close\r\n\r\nGET /a 0"
        )

    run(main())


def test_the_client_s_address_is_known(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            await at.tell(CLOSING)
            assert at.requests[0].peer == "127.0.0.1"

    run(main())


def test_a_connection_serves_one_request_after_the_other(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            client = await at.connect()
            for _ in range(3):
                client.send(GET)
                assert (await client.reply())[1] == b"GET /a 0"

    run(main())


def test_pipelined_requests_are_answered_in_order(run: Run) -> None:
    async def main() -> None:
        paths = [b"/%d" % n for n in range(500)]
        async with door() as at:
            client = await at.connect()
            client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths))
            answers = [(await client.reply())[1] for _ in paths]
            client.close()
        assert answers == [b"GET %b 0" % path for path in paths]

    run(main())


def test_a_pipelined_request_waits_for_the_one_before(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET + GET)
            await until(lambda: bool(at.requests))
            await asyncio.sleep(0.02)
            assert len(at.requests) == 1
            at.replies[0].send(200, [], b"one")
            await until(lambda: len(at.requests) == 2)
            at.replies[1].send(200, [], b"two")
            assert [(await client.reply())[1] for _ in range(2)] == [b"one", b"two"]

    run(main())


def test_what_follows_a_request_in_flight_is_left_in_the_network_beyond_a_bound(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            flood = GET * 400_000
            client.send(flood)
            await asyncio.sleep(0.1)
            [front] = at.fronts
            assert len(front._unread) < 600_000

    run(main())


def test_a_large_body_arrives_whole(run: Run) -> None:
    async def main() -> None:
        body = bytes(range(256)) * 4096
        async with door() as at:
            client = await at.connect()
            client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            client.send(body + GET)
            assert (await client.reply())[1] == b"POST /a 1048576"
            assert (await client.reply())[1] == b"GET /a 0"
            assert at.requests[0].body == body

    run(main())


def test_a_client_that_waits_for_a_100_gets_one(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            client = await at.connect()
            client.send(
                b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            )
            assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(b"hi")
            assert (await client.reply())[1] == b"POST /a 2"

    run(main())


def test_a_100_waits_for_the_reply_before(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(
                GET
                + b"POST /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                + b"Content-Length: 2\r\n\r\n"
            )
            await until(lambda: bool(at.requests))
            at.replies[0].send(200, [], b"one")
            assert (await client.reply())[1] == b"one"
            assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"

    run(main())


def test_a_head_is_answered_without_a_body(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            answer = await at.tell(CLOSING.replace(b"GET", b"HEAD"))
        assert b"content-length: 9\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")

    run(main())


def test_the_options_of_the_server_itself_may_be_asked(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            answer = await at.tell(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.endswith(b"OPTIONS * 0")

    run(main())


def test_no_content_has_neither_length_nor_body(run: Run) -> None:
    async def main() -> None:
        async with door(lambda _, reply: reply.send(204, [], b"")) as at:
            answer = await at.tell(CLOSING)
        assert answer == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"

    run(main())


def in_pieces(length: int | None) -> object:
    def handler(_: Request, reply: Reply) -> None:
        reply.start(200, [(b"a", b"b")], length)
        reply.write(b"one ")
        reply.write(b"")
        reply.write(b"two ")
        reply.end(b"three")

    return handler


def test_a_reply_of_unknown_length_goes_in_chunks(run: Run) -> None:
    async def main() -> None:
        async with door(in_pieces(None)) as at:  # type: ignore[arg-type]
            answer = await at.tell(CLOSING)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert body == b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"

    run(main())


def test_a_reply_of_known_length_goes_as_it_is(run: Run) -> None:
    async def main() -> None:
        async with door(in_pieces(13)) as at:  # type: ignore[arg-type]
            answer = await at.tell(CLOSING)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-length: 13" in head
        assert body == b"one two three"

    run(main())


def test_http_1_0_gets_no_chunks_but_the_end_of_the_connection(run: Run) -> None:
    async def main() -> None:
        async with door(in_pieces(None)) as at:  # type: ignore[arg-type]
            answer = await at.tell(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert b"connection: close" in head
        assert body == b"one two three"

    run(main())


def test_http_1_0_may_keep_the_connection_for_a_reply_of_known_length(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            client = await at.connect()
            for _ in range(2):
                client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                head, body = await client.reply()
                assert b"connection: keep-alive" in head
                assert body == b"GET / 0"

    run(main())


def test_a_head_is_sent_though_no_body_comes_yet(run: Run) -> None:
    async def main() -> None:
        async with door(lambda _, reply: reply.start(200, [], None)) as at:
            client = await at.connect()
            client.send(GET)
            assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")

    run(main())


def test_a_large_reply_arrives_whole(run: Run) -> None:
    async def main() -> None:
        body = bytes(range(256)) * 40_000
        async with door(lambda _, reply: reply.send(200, [], body)) as at:
            answer = await at.tell(CLOSING)
        assert answer.partition(b"\r\n\r\n")[2] == body

    run(main())


def test_headers_about_framing_are_ours_alone(run: Run) -> None:
    async def main() -> None:
        given = [(b"content-length", b"999"), (b"transfer-encoding", b"chunked"), (b"a", b"b")]
        async with door(lambda _, reply: reply.send(200, given, b"hi")) as at:
            answer = await at.tell(CLOSING)
        assert answer == (
            b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
        )

    run(main())


def test_a_header_that_would_break_the_head_is_not_sent(run: Run) -> None:
    def handler(_: Request, reply: Reply) -> None:
        with pytest.raises(UnfitHeader):
            reply.send(200, [(b"a", b"b\r\nset-cookie: c")], b"")
        reply.send(500, [], b"")

    async def main() -> None:
        async with door(handler) as at:
            assert b"set-cookie" not in await at.tell(CLOSING)

    run(main())


def test_a_reply_cannot_be_sent_twice(run: Run) -> None:
    def handler(_: Request, reply: Reply) -> None:
        reply.send(200, [], b"one")
        with pytest.raises(RuntimeError, match="started once"):
            reply.send(200, [], b"two")

    async def main() -> None:
        async with door(handler) as at:
            assert (await at.tell(CLOSING)).endswith(b"\r\n\r\none")

    run(main())


def test_a_late_use_of_an_old_reply_does_not_touch_the_next(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET + GET)
            await until(lambda: bool(at.requests))
            at.replies[0].send(200, [], b"one")
            at.replies[0].cut()
            at.replies[1].send(200, [], b"two")
            assert [(await client.reply())[1] for _ in range(2)] == [b"one", b"two"]

    run(main())


def test_a_reply_that_is_cut_ends_before_its_last_chunk(run: Run) -> None:
    def handler(_: Request, reply: Reply) -> None:
        reply.start(200, [], None)
        reply.write(b"one")
        reply.cut()

    async def main() -> None:
        async with door(handler) as at:
            answer = await at.tell(GET)
        assert answer.endswith(b"3\r\none\r\n")

    run(main())


def test_a_reply_that_is_cut_before_it_began_is_no_reply(run: Run) -> None:
    async def main() -> None:
        async with door(lambda _, reply: reply.cut()) as at:
            assert await at.tell(GET) == b""

    run(main())


def test_a_reply_without_an_end_of_its_own_is_cut_by_a_reset(run: Run) -> None:
    async def main() -> None:
        async with door(lambda _, reply: reply.start(200, [], None)) as at:
            client = await at.connect()
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            await client.head()
            at.replies[0].cut()
            with pytest.raises(ConnectionError):
                await client.reader.read()

    run(main())


@pytest.mark.parametrize("given", [b"12345", b"1234567"], ids=["short", "long"])
def test_a_body_that_does_not_have_its_length_is_cut(run: Run, given: bytes) -> None:
    def handler(_: Request, reply: Reply) -> None:
        reply.start(200, [], 6)
        reply.end(given)

    async def main() -> None:
        async with door(handler) as at:
            answer = await at.tell(GET)
        assert len(answer.partition(b"\r\n\r\n")[2]) < 6

    run(main())


def test_a_handler_that_fails_is_answered_with_a_500(run: Run) -> None:
    def handler(_: Request, __: Reply) -> None:
        raise LookupError

    async def main() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(what))
        async with door(handler) as at:
            answer = await at.tell(GET)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert len(faults) == 1

    run(main())


def test_a_handler_that_fails_in_the_middle_breaks_its_reply(run: Run) -> None:
    def handler(_: Request, reply: Reply) -> None:
        reply.start(200, [], None)
        reply.write(b"one")
        raise LookupError

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with door(handler) as at:
            answer = await at.tell(GET)
        assert not answer.endswith(b"0\r\n\r\n")

    run(main())


def test_draining_lets_a_reply_in_flight_end(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            [front] = at.fronts
            front.drain()
            assert front.is_draining
            at.replies[0].send(200, [], b"one")
            answer = await client.rest()
            client.close()
        assert b"connection: close\r\n" in answer
        assert answer.endswith(b"one")

    run(main())


def test_draining_lets_a_request_come_to_its_end(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            client = await at.connect()
            client.send(GET[:20])
            await until(lambda: any(front._reader.begun for front in at.fronts))
            [front] = at.fronts
            front.drain()
            client.send(GET[20:])
            assert (await client.rest()).endswith(b"GET /a 0")

    run(main())


def test_draining_closes_an_idle_connection(run: Run) -> None:
    async def main() -> None:
        async with door() as at:
            client = await at.connect()
            client.send(GET)
            await client.reply()
            [front] = at.fronts
            front.drain()
            assert await client.rest() == b""
            client.close()
            await until(lambda: not at.fronts)

    run(main())


def test_both_loops_serve_a_request_that_comes_byte_by_byte(run: Run) -> None:
    async def main() -> None:
        async with door(greet) as at:
            client = await at.connect()
            for n in range(len(CLOSING)):
                client.send(CLOSING[n : n + 1])
                await asyncio.sleep(0)
            assert (await client.rest()).endswith(b"GET /a 0")

    run(main())


def test_a_body_beyond_its_length_tells_the_handler_that_nobody_hears_the_rest(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            went: list[bool] = []
            reply = at.replies[0]
            reply.on_gone = lambda: went.append(True)
            reply.start(200, [], 3)
            reply.write(b"four")
            reply.end(b"more")
            assert went == [True]

    run(main())
