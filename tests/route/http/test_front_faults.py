"""The server side against clients that are slow, greedy, gone or hostile."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.route.http.test_reading import MALFORMED, WORDS
from tests.route.http.wires import door, until

from clearbar.route.http.limits import Limits

if TYPE_CHECKING:
    from tests.route.http.wires import Run

    from clearbar.route.http.message import Reply, Request

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK = Limits(
    header_timeout_s=0.1,
    body_timeout_s=0.1,
    idle_timeout_s=0.1,
    send_timeout_s=0.15,
    linger_s=0.1,
    max_body_bytes=10_000,
)


def held(request: Request, reply: Reply) -> None:
    """Answer nothing yet."""


def error_of(answer: bytes) -> dict[str, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"content-length: %d" % len(body) in head
    error: dict[str, str] = json.loads(body)["error"]
    return error


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_refused_and_its_connection_closed(run: Run, data: bytes) -> None:
    async def main() -> None:
        async with door(limits=Limits(linger_s=0.02)) as at:
            answer = await at.tell(data)
            assert at.requests == []
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert error_of(answer)["code"] == "bad_request"

    run(main())


def test_a_request_smuggled_behind_a_malformed_one_is_never_served(run: Run) -> None:
    async def main() -> None:
        smuggling = MALFORMED["both framings"] + GET
        async with door(limits=Limits(linger_s=0.02)) as at:
            answer = await at.tell(smuggling)
            assert at.requests == []
        assert answer.count(b"HTTP/1.1 ") == 1

    run(main())


def test_a_request_before_a_malformed_one_is_answered_first(run: Run) -> None:
    async def main() -> None:
        async with door(limits=Limits(linger_s=0.02)) as at:
            answer = await at.tell(GET + MALFORMED["both framings"])
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 400 ") == 1

    run(main())


def test_a_refusal_quotes_nothing_of_the_request(run: Run) -> None:
    async def main() -> None:
        async with door(limits=Limits(linger_s=0.02)) as at:
            answer = await at.tell(b"GET /secret HTTP/1.1\r\nAuthorization: secret\rx\r\n\r\n")
        assert b"secret" not in answer

    run(main())


def test_a_body_that_is_too_large_is_refused_though_the_client_sends_on(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            client = await at.connect()
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
            client.send(b"a" * 9_000_000)
            answer = await client.rest()
            client.close()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert error_of(answer)["code"] == "body_too_large"

    run(main())


def test_a_client_that_waits_for_a_100_hears_at_once_that_its_body_is_too_large(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            answer = await at.tell(
                b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                b"Content-Length: 9000000\r\n\r\n"
            )
        assert answer.startswith(b"HTTP/1.1 413 ")

    run(main())


def test_a_head_that_is_too_large_is_refused(run: Run) -> None:
    async def main() -> None:
        async with door(limits=Limits(max_head_bytes=1000, linger_s=0.02)) as at:
            answer = await at.tell(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 3000 + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")

    run(main())


def test_a_head_that_never_ends_is_refused_before_its_time_is_over(run: Run) -> None:
    async def main() -> None:
        async with door(limits=Limits(max_head_bytes=1000, linger_s=0.02)) as at:
            client = await at.connect()
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
            await until(lambda: any(front._reader.begun for front in at.fronts))
            client.send(b"b" * 3000)
            assert (await client.rest()).startswith(b"HTTP/1.1 431 ")

    run(main())


def test_a_slow_head_is_refused(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            answer = await at.tell(GET[:-4])
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert error_of(answer)["code"] == "too_slow"

    run(main())


def test_a_head_that_drips_is_refused(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            client = await at.connect()
            client.send(GET[:-2])
            with suppress(ConnectionError):
                while not client.reader.at_eof() and not client.writer.is_closing():
                    client.send(b"a: b\r\n")
                    await client.writer.drain()
                    await asyncio.sleep(0.01)
                    if client.reader._buffer:  # type: ignore[attr-defined]
                        break
            answer = await client.rest()
            client.close()
        assert answer.startswith(b"HTTP/1.1 408 ")

    run(main())


def test_a_slow_body_is_refused(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            answer = await at.tell(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")
            assert at.requests == []
        assert answer.startswith(b"HTTP/1.1 408 ")

    run(main())


def test_a_connection_that_asks_nothing_is_closed_without_a_word(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            assert await at.tell(b"") == b""

    run(main())


def test_a_connection_that_asks_nothing_more_is_closed_without_a_word(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            answer = await at.tell(GET)
        assert answer.count(b"HTTP/1.1 ") == 1

    run(main())


def test_empty_lines_do_not_keep_a_connection(run: Run) -> None:
    async def main() -> None:
        async with door(limits=QUICK) as at:
            client = await at.connect()
            with suppress(ConnectionError, RuntimeError):  # uvloop says the latter
                while at.fronts or not client.reader.at_eof():
                    client.send(b"\r\n")
                    await client.writer.drain()
                    await asyncio.sleep(0.01)
            client.close()
            assert not at.fronts

    run(main())


def test_a_request_in_flight_is_waited_for(run: Run) -> None:
    async def main() -> None:
        async with door(held, limits=QUICK) as at:
            client = await at.connect()
            client.send(GET)
            await asyncio.sleep(0.3)
            at.replies[0].send(200, [], b"late")
            assert (await client.reply())[1] == b"late"

    run(main())


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_client_that_goes_is_noticed_at_once(run: Run, how: str) -> None:
    async def main() -> None:
        went = asyncio.Event()

        def handler(_: Request, reply: Reply) -> None:
            reply.on_gone = went.set

        async with door(handler) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            if how == "closes":
                client.close()
            else:
                found = client.writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.writer.transport.abort()
            await asyncio.wait_for(went.wait(), 1)
            assert at.replies[0].gone

    run(main())


def test_a_reply_to_a_client_that_has_gone_does_nothing(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            client.close()
            reply = at.replies[0]
            await until(lambda: reply.gone)
            reply.start(200, [], None)
            reply.write(b"a")
            reply.end(b"b")
            reply.send(200, [], b"c")
            reply.cut()
            await until(lambda: not at.fronts)

    run(main())


def test_a_client_that_goes_after_the_end_is_no_news(run: Run) -> None:
    async def main() -> None:
        went: list[bool] = []

        def handler(_: Request, reply: Reply) -> None:
            reply.on_gone = lambda: went.append(True)
            reply.send(200, [], b"")

        async with door(handler) as at:
            client = await at.connect()
            client.send(GET)
            await client.reply()
            client.close()
            await until(lambda: not at.fronts)
        assert went == []

    run(main())


def test_pipelined_requests_of_a_client_that_has_gone_are_not_served(run: Run) -> None:
    async def main() -> None:
        async with door(held) as at:
            client = await at.connect()
            client.send(GET * 5)
            await until(lambda: bool(at.requests))
            client.close()
            await until(lambda: not at.fronts)
            assert len(at.requests) == 1

    run(main())


def test_a_client_that_does_not_read_makes_its_reply_full_and_then_drained(run: Run) -> None:
    async def main() -> None:
        drained = asyncio.Event()
        async with door(held) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            reply = at.replies[0]
            reply.on_drained = drained.set
            reply.start(200, [], None)
            sent = 0
            while not reply.full:
                reply.write(b"#" * 10_000)
                sent += 10_000
            assert not drained.is_set()
            reading = asyncio.create_task(client.rest())
            await drained.wait()
            assert not at.replies[0].full
            reply.end()
            [front] = at.fronts
            front.drain()
            assert (await reading).count(b"#") == sent

    run(main())


def test_a_reply_that_is_written_to_though_it_is_full_is_cut(run: Run) -> None:
    async def main() -> None:
        async with door(held, limits=Limits(max_unsent_bytes=300_000)) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            client.pause()
            reply = at.replies[0]
            reply.start(200, [], None)
            while not reply.gone:
                reply.write(b"#" * 10_000)
            await until(lambda: not at.fronts)

    run(main())


def test_a_client_that_never_reads_is_cut_off(run: Run) -> None:
    async def main() -> None:
        went = asyncio.Event()
        async with door(held, limits=QUICK) as at:
            client = await at.connect()
            client.send(GET)
            await until(lambda: bool(at.requests))
            client.pause()
            reply = at.replies[0]
            reply.on_gone = went.set
            reply.start(200, [], None)
            while not reply.full:
                reply.write(b"#" * 10_000)
            await went.wait()
            await until(lambda: not at.fronts)

    run(main())


def test_replies_that_nobody_reads_do_not_pile_up(run: Run) -> None:
    async def main() -> None:
        large = b"a" * 100_000

        async with door(lambda _, reply: reply.send(200, [], large)) as at:
            client = await at.connect()
            client.pause()
            client.send(GET * 2000)
            await asyncio.sleep(0.1)
            served = len(at.requests)
            assert served < 300
            client.read_on()
            for _ in range(served + 5):
                assert (await client.reply())[1] == large

    run(main())


def test_one_connection_too_many_is_turned_away(run: Run) -> None:
    async def main() -> None:
        async with door(limits=Limits(max_connections=2)) as at:
            clients = [await at.connect() for _ in range(2)]
            for client in clients:
                client.send(GET)
                await client.reply()
            answer = await at.tell(b"")
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert len(at.fronts) == 2

    run(main())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=20))
def test_whatever_is_sent_it_is_answered_or_closed(run: Run, words: list[bytes]) -> None:
    async def main() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(what))
        limits = Limits(
            header_timeout_s=0.01, body_timeout_s=0.01, idle_timeout_s=0.01, linger_s=0.01
        )
        async with door(limits=limits, sweep_s=0.005) as at:
            answer = await at.tell(b"".join(words))
            await until(lambda: not at.fronts)
            statuses = answer.count(b"HTTP/1.1 ")
            continues = answer.count(b"HTTP/1.1 100 ")
            assert len(at.requests) <= statuses - continues <= len(at.requests) + 1
        assert faults == []

    run(main())
