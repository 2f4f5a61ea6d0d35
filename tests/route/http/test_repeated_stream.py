"""Streams whose heads came before: what is heard is what the parser would have told."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.http.heard_again import hear_all, reply

from clearbar.route.http.repeated_stream import RepeatedStreams, last_chunks, whole_chunks

if TYPE_CHECKING:
    from tests.route.http.wires import Run

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n%b\r\n"
PLAIN = HEAD % b""
SAID = [(b"content-type", b"text/event-stream"), (b"transfer-encoding", b"chunked")]


def chunks(*pieces: bytes) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(each), each) for each in pieces]


WHOLE = [
    [PLAIN, *chunks(b"data: a\n\n", b"data: b\n\n"), b"0\r\n\r\n"],
    [PLAIN + chunks(b"data: a\n\n")[0], chunks(b"data: b\n\n")[0] + b"0\r\n\r\n"],
    [PLAIN + b"".join(chunks(b"data: a\n\n", b"data: b\n\n")) + b"0\r\n\r\n"],
    [PLAIN, b"0\r\n\r\n"],
    [PLAIN, b"9\r\ndata", b": a\n\n\r\n0\r", b"\n\r\n"],
    [PLAIN, b"9;x=y\r\ndata: a\n\n\r\n", b"0\r\nTrailer: x\r\n\r\n"],
    [PLAIN, chunks(b"data: a\n\n")[0] + b"0\r\n\r\nmore"],
    [PLAIN, b"zz\r\n"],
    [PLAIN, chunks(b"data: a\n\n")[0], b""],
    [HEAD % b"Connection: close\r\n", *chunks(b"data: a\n\n"), b"0\r\n\r\n"],
    [HEAD % b"Date: today\r\n", *chunks(b"data: a\n\n"), b"0\r\n\r\n"],
    [b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, *chunks(b"data: a\n\n"), b"0\r\n\r\n"],
    [PLAIN[:30], PLAIN[30:], *chunks(b"data: a\n\n"), b"0\r\n\r\n"],
    [reply(b"hi")],
]


@pytest.mark.parametrize("seed", range(16))
def test_a_stream_whose_head_comes_again_is_heard_like_any_other(run: Run, seed: int) -> None:
    replies = random.Random(seed).choices(WHOLE, k=6)

    async def main() -> None:
        kept = await hear_all(replies, forgets=False)
        assert kept == await hear_all(replies, forgets=True)

    run(main())


def test_a_connection_serves_on_after_a_stream_that_the_parser_did_not_see(run: Run) -> None:
    replies = [WHOLE[0], WHOLE[1], [reply(b"hi")], WHOLE[4], WHOLE[0]]

    async def main() -> None:
        heard = await hear_all(replies, forgets=False)
        texts = [b"data: a\n\ndata: b\n\n"] * 2 + [b"hi", b"data: a\n\n", b"data: a\n\ndata: b\n\n"]
        assert [each[2] for each in heard] == texts
        assert all(each[3] for each in heard)

    run(main())


def known(data: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
    streams = RepeatedStreams()
    streams.remember(data, headers)
    return streams.again(data) is not None


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, SAID),
        (b"HTTP/1.1 500 No\r\n\r\n", SAID),
        (b"HTTP/1.0 200 OK\r\n\r\n", SAID),
        (PLAIN, [*SAID, (b"connection", b"close")]),
        (PLAIN, [*SAID, (b"content-length", b"3")]),
        (PLAIN, [*SAID, (b"transfer-encoding", b"gzip")]),
        (PLAIN, SAID[:1]),
        (PLAIN, [(b"content-type", b"application/json"), SAID[1]]),
    ],
)
def test_a_head_of_which_one_may_doubt_is_not_remembered(
    data: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert known(PLAIN, SAID)
    assert not known(data, headers)


def test_of_heads_that_never_come_again_few_are_kept() -> None:
    streams = RepeatedStreams()
    for number in range(10_000):
        streams.remember(HEAD % (b"Date: %d\r\n" % number), SAID)
    assert len(streams._heads) <= 16


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (b"0\r\n\r\n", b""),
        (b"2\r\nhi\r\n0\r\n\r\n", b"hi"),
        (b"2\r\nhi\r\n", None),
        (b"2\r\nhi\r\n3\r\n-ho\r\n0\r\n\r\n", b"hi-ho"),
        (b"7\r\n0\r\n\r\nhi\r\n", None),
        (b"7\r\nhi0\r\n\r\n", None),
    ],
)
def test_the_last_chunk_is_told_from_what_only_looks_like_it(data: bytes, held: bytes) -> None:
    assert last_chunks(data) == held


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"2\r\nhi\r\n2\r\nho",
        b"2\r\nhi\r\n2\r\nho\r",
        b"2\r\nhi\r\n02\r\nho\r\n",
        b"2\r\nhi\r\nA\r\n0123456789\r\n",
        b"2\r\nhi\r\n+2\r\nho\r\n",
        b"2\r\nhi\r\n2;a\r\nho\r\n",
        b"2\r\nhi\r\n0\r\n\r\n",
        b"2\r\nhi\r\nffffffff\r\n",
        b"2\r\nhi\r\n123456789\r\n",
    ],
)
def test_what_is_not_whole_chunks_is_left_to_the_parser(data: bytes) -> None:
    assert whole_chunks(data) is None


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5))
def test_whole_chunks_hold_what_was_put_into_them(pieces: list[bytes]) -> None:
    assert whole_chunks(b"".join(chunks(*pieces))) == b"".join(pieces)
    assert last_chunks(b"".join(chunks(*pieces)) + b"0\r\n\r\n") == b"".join(pieces)
