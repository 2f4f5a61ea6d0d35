"""What one connection, or all together, can make either side hold in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.route.http.wires import always, lab

from clearbar.route.http.limits import Limits
from clearbar.route.http.reading import RequestReader
from clearbar.route.http.refused import Refused

if TYPE_CHECKING:
    from tests.route.http.wires import Run

    from clearbar.route.http.message import Headers

POST = b"POST /v1/x HTTP/1.1\r\nhost: a\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"


def refusal(reader: RequestReader, *pieces: bytes) -> Refused:
    def feed() -> None:
        for piece in pieces:
            reader.feed(piece)

    with pytest.raises(Refused) as caught:
        feed()
    assert not reader.ready
    return caught.value


def test_the_first_header_behind_a_body_is_refused() -> None:
    reader = RequestReader(Limits())
    assert refusal(reader, CHUNKED + b"0\r\n", b"a: 1\r\nb: 2\r\n").status == 400


@pytest.mark.parametrize("endless", [b"0\r\na: ", b"0\r\n", b"5;", b"5;a="])
def test_chunks_without_a_body_end_with_the_size_of_a_head(endless: bytes) -> None:
    reader = RequestReader(Limits(max_head_bytes=1000))
    assert refusal(reader, CHUNKED + endless, *[b"a" * 300] * 4).status == 400


def test_many_small_chunks_are_a_body() -> None:
    reader = RequestReader(Limits(max_head_bytes=200))
    reader.feed(CHUNKED)
    for _ in range(500):
        reader.feed(b"1;aaaaaaaa\r\nb\r\n")
    reader.feed(b"0\r\n\r\n")
    assert reader.ready[0].body == b"b" * 500


def welcome(headers: Headers) -> bool:
    return (b"x-key", b"1") in headers


def test_a_body_in_one_piece_needs_no_welcome() -> None:
    reader = RequestReader(Limits(), "", welcome)
    reader.feed(POST + b"content-length: 2\r\n\r\nhi")
    assert reader.ready[0].body == b"hi"


def test_who_is_not_welcome_gets_no_room_for_more_than_one_piece() -> None:
    reader = RequestReader(Limits(), "", welcome)
    assert refusal(reader, POST + b"content-length: 4\r\n\r\nhi", b"ho").status == 401


def test_who_is_not_welcome_is_not_told_to_go_on() -> None:
    reader = RequestReader(Limits(), "", welcome)
    head = POST + b"content-length: 4\r\nexpect: 100-continue\r\n\r\n"
    assert refusal(reader, head).status == 401
    assert not reader.wants_continue


def test_who_is_welcome_sends_as_many_pieces_as_it_likes() -> None:
    reader = RequestReader(Limits(), "", welcome)
    reader.feed(POST + b"x-key: 1\r\ncontent-length: 4\r\n\r\nhi")
    reader.feed(b"ho")
    assert reader.ready[0].body == b"hiho"


def test_all_bodies_together_have_a_bound_and_give_back_what_they_took() -> None:
    limits = Limits(max_gathered_bytes=10)
    first, second = RequestReader(limits), RequestReader(limits)
    first.feed(POST + b"content-length: 8\r\n\r\n1234")
    first.feed(b"5678")
    assert limits.gathered.size == 8
    begun = POST + b"content-length: 8\r\n\r\n12"
    assert refusal(second, begun, b"34").status == 503
    second.drop()
    assert limits.gathered.size == 8
    first.let_go()
    assert limits.gathered.size == 0
    third = RequestReader(limits)
    third.feed(begun)
    third.feed(b"345678")
    third.close()
    assert limits.gathered.size == 0


@pytest.mark.parametrize("endless", [b"0\r\na: ", b"0\r\na: b\r\n", b"5;"])
def test_an_upstream_that_sends_no_body_any_more_is_given_up(run: Run, endless: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY + endless)
        while True:
            writer.write(b"c" * 10_000 if not endless.endswith(b"\n") else b"c: d\r\n" * 2000)
            await writer.drain()
            await asyncio.sleep(0.001)

    async def main() -> None:
        async with lab(script) as at:
            heard = await at.hear()
            assert heard.body == b"hi"
            assert heard.broken is not None
            assert heard.broken.kind == "protocol"

    run(main())


def test_a_short_trailer_of_an_upstream_is_borne(run: Run) -> None:
    async def main() -> None:
        async with lab(always(REPLY + b"0\r\nx-sum: 1\r\n\r\n")) as at:
            heard = await at.hear()
            assert (heard.body, heard.ended) == (b"hi", True)

    run(main())
