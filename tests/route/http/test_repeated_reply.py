"""Replies told by their bytes: what is heard is what the parser would have told."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.http.heard_again import OK, hear_all, reply

from clearbar.route.http.repeated_reply import Repeated, RepeatedReply, sole_chunk

if TYPE_CHECKING:
    from tests.route.http.wires import Run

REPLIES = [
    [reply(b"hi")],
    [reply(b"a longer one")],
    [reply(b"x" * 300)],
    [reply(b"")],
    [reply(b"hi", length=b"02")],
    [reply(b"hi", length=b" 2")],
    [reply(b"hi", b"Connection: close\r\n")],
    [reply(b"hi", b"Date: today\r\n")],
    [reply(b"hi", b"Date: tomorrow\r\n")],
    [reply(b"hi", line=b"HTTP/1.1 500 Oh\r\n")],
    [reply(b"hi", line=b"HTTP/1.0 200 OK\r\n")],
    [reply(b"hi") + b"more"],
    [reply(b"hi")[:-1], b""],
    [reply(b"hi", length=b"3"), b""],
    [OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
    [b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"hi")],
]


@pytest.mark.parametrize("seed", range(24))
def test_a_head_that_comes_again_says_what_a_new_one_says(run: Run, seed: int) -> None:
    replies = random.Random(seed).choices(REPLIES, k=8)

    async def main() -> None:
        kept = await hear_all(replies, forgets=False)
        assert kept == await hear_all(replies, forgets=True)

    run(main())


def test_a_head_is_the_same_with_another_length(run: Run) -> None:
    replies = [[reply(b"hi")], [reply(b"a longer one")], [reply(b"hi")]]

    async def main() -> None:
        heard = await hear_all(replies, forgets=False)
        assert [each[1:3] for each in heard] == [
            ([(b"x-id", b"7"), (b"content-length", b"%d" % len(body))], body)
            for body in (b"hi", b"a longer one", b"hi")
        ]

    run(main())


def known(data: bytes, body: bytes) -> RepeatedReply | None:
    headers = [(b"x-id", b"7"), (b"content-length", b"%d" % len(body))]
    return RepeatedReply.of(data, 200, headers, len(body))


@pytest.mark.parametrize(
    "data",
    [
        reply(b"hi", length=b"02"),
        reply(b"hi", b"Transfer-Encoding: x\r\n"),
        reply(b"hi", b"Content-Length: 2\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"hi"),
    ],
)
def test_a_head_of_which_one_may_doubt_is_not_remembered(data: bytes) -> None:
    assert known(data, b"hi") is None


@pytest.mark.parametrize(
    "data",
    [
        reply(b"hi") + b"more",
        reply(b"hello")[:-1],
        reply(b"hello", length=b"+5"),
        reply(b"hello", length=b"05"),
        reply(b"", length=b"0"),
        reply(b"hi", b"A: b\r\n"),
        b"",
    ],
)
def test_what_is_not_one_whole_reply_with_this_head_is_left_to_the_parser(data: bytes) -> None:
    head = known(reply(b"hi"), b"hi")
    assert head is not None
    assert head.again(data) is None
    assert head.again(reply(b"hello")) == b"hello"


def test_where_each_head_is_another_one_few_are_looked_at() -> None:
    repeated = Repeated()
    looked = 0
    for number in range(1000):
        data = reply(b"hi", b"X-Number: %d\r\n" % number)
        repeated.head = None
        repeated.remember(data, 200, [(b"content-length", b"2")], 2)
        looked += repeated.head is not None
    assert looked < 25


class Parsed:
    """What the parser tells of chunks, and where it stands between two."""

    def __init__(self) -> None:
        self.body = b""
        self.events: list[str] = []

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_chunk_header(self) -> None:
        self.events.append("begun")

    def on_chunk_complete(self) -> None:
        self.events.append("ended")

    def on_message_complete(self) -> None:
        self.events.append("over")


CHUNKS = st.one_of(
    st.binary(max_size=20).map(lambda body: b"%x\r\n%b\r\n" % (len(body), body)),
    st.binary(max_size=12),
    st.sampled_from(
        [b"0\r\n\r\n", b"5;a=b\r\nhello\r\n", b"05\r\nhello\r\n", b"A\r\n0123456789\r\n"]
    ),
)


@given(CHUNKS | st.tuples(CHUNKS, CHUNKS).map(b"".join))
def test_a_chunk_that_is_taken_alone_is_one_to_the_parser(data: bytes) -> None:
    content = sole_chunk(data)
    if content is not None:
        parsed = Parsed()
        parser = httptools.HttpResponseParser(parsed)
        parser.feed_data(OK + b"Transfer-Encoding: chunked\r\n\r\n" + data)
        assert (parsed.events, parsed.body) == (["begun", "ended"], content)
