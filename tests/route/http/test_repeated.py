"""A head that comes again is told by its bytes: what is read is what a new reader would read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clearbar.route.http.limits import Limits
from clearbar.route.http.reading import RequestReader
from clearbar.route.http.refused import Refused

if TYPE_CHECKING:
    from clearbar.route.http.message import Request

LIMITS = Limits(max_head_bytes=300, max_headers=6, max_body_bytes=200)
POST = b"POST /v1/chat?a=b HTTP/1.1\r\nHost: x\r\nX-Api-Key: k\r\n"


def request(body: bytes, more: bytes = b"", length: bytes | None = None) -> bytes:
    said = b"%d" % len(body) if length is None else length
    return POST + b"Content-Length: " + said + b"\r\n" + more + b"\r\n" + body


def told(each: Request) -> tuple[object, ...]:
    line = each.method, each.path, each.query, each.peer, each.keep_alive, each.old
    return line, each.headers, each.known, each.body


def read_on(reader: RequestReader, piece: bytes) -> list[Request] | str:
    try:
        reader.feed(piece)
    except Refused as refused:
        return f"{refused.status} {refused}"
    found = list(reader.ready)
    reader.ready.clear()
    return found


def one(reader: RequestReader, data: bytes) -> Request:
    found = read_on(reader, data)
    assert not isinstance(found, str), found
    [request] = found
    return request


def forgetful(reader: RequestReader) -> RequestReader:
    reader._repeated = None
    return reader


PIECES = st.sampled_from(
    [
        request(b"hi"),
        request(b"ho, a longer one"),
        request(b"x" * 200),
        request(b"x" * 201),
        request(b""),
        request(b"hi", b"Traceparent: 00\r\n"),
        request(b"hi", length=b"02"),
        request(b"hi", length=b"3"),
        request(b"hi", length=b"1"),
        request(b"hi", length=b"+2"),
        request(b"hi", length=b"2 "),
        request(b"hi", length=b"2, 2"),
        request(b"hi", b"Content-Length: 2\r\n"),
        request(b"hi", b"Connection: close\r\n"),
        request(b"hi", b"Expect: 100-continue\r\n"),
        request(b"hi", b"Transfer-Encoding: chunked\r\n"),
        request(b"hi").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(b"hi") + request(b"ho"),
        request(b"hi") + b"POST",
        request(b"\r\n\r\n"),
        request(b"a\r\n\r\n" + request(b"hi")),
        request(b"hi")[:30],
        request(b"hi")[30:],
        request(b"hi")[:-1],
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n",
        b"PO",
        b"i",
    ]
)


@given(st.lists(PIECES, max_size=8))
@example([request(b"hi"), request(b"hi"), b"PO", request(b"hi")])
@example([request(b"hi"), request(b"hi", length=b"3"), b"i", request(b"hi")])
@example([b"PO", request(b"hi")[2:], request(b"hi")[2:]])
def test_a_reader_with_a_memory_reads_what_one_without_reads(pieces: list[bytes]) -> None:
    with_memory, without = RequestReader(LIMITS, "peer"), RequestReader(LIMITS, "peer")
    for piece in pieces:
        found, expected = read_on(with_memory, piece), read_on(forgetful(without), piece)
        if isinstance(found, str) or isinstance(expected, str):
            assert found == expected
            return
        assert [told(each) for each in found] == [told(each) for each in expected]


@given(st.lists(st.binary(min_size=1, max_size=150), min_size=2, max_size=5))
def test_bodies_behind_the_same_head_are_kept_apart(bodies: list[bytes]) -> None:
    reader = RequestReader(LIMITS)
    for body in bodies:
        found = one(reader, request(body))
        assert found.body == body
        assert found.header(b"content-length") == b"%d" % len(body)


def test_a_head_that_comes_again_brings_the_same_memory() -> None:
    reader = RequestReader(LIMITS)
    first, second = one(reader, request(b"hi")), one(reader, request(b"hello"))
    other = one(reader, request(b"hi", b"A: b\r\n"))
    assert first.memory is not None
    assert second.memory is first.memory
    assert other.memory is not first.memory


def test_a_client_whose_heads_all_differ_is_not_remembered_for_long() -> None:
    reader = RequestReader(LIMITS)
    heads = [request(b"hi", b"A: %d\r\n" % number) for number in range(6)]
    memories = [one(reader, head).memory for head in heads]
    assert memories[0] is not None
    assert memories[-1] is None


@pytest.mark.parametrize("more", [b"Expect: 100-continue\r\n", b"Connection: close\r\n"])
def test_a_head_with_a_word_for_this_request_alone_is_read_each_time(more: bytes) -> None:
    assert one(RequestReader(LIMITS), request(b"hi", more)).memory is None
