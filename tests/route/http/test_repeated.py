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


def test_a_body_that_comes_in_pieces_brings_the_memory_of_its_head_too() -> None:
    reader, memories = RequestReader(LIMITS), []
    for size in (90, 90, 70):
        data = request(b"x" * size)
        assert read_on(reader, data[:-50]) == []
        assert read_on(reader, data[-50:-20]) == []
        memories.append(one(reader, data[-20:]).memory)
    assert memories[0] is memories[1] is memories[2] is not None
    assert one(reader, request(b"hi")).memory is memories[0]


@given(st.lists(st.sampled_from([1, 4095, 4096, 9000]), min_size=1, max_size=6))
def test_pieces_of_a_body_are_joined_whatever_their_sizes(sizes: list[int]) -> None:
    reader, body = RequestReader(Limits()), bytes(range(256)) * 300
    whole = request(body)
    one(reader, whole)
    at = len(whole) - sum(sizes)
    assert read_on(reader, whole[:at]) == []
    for size in sizes[:-1]:
        assert read_on(reader, whole[at : at + size]) == []
        at += size
    assert one(reader, whole[at:]).body == body


def test_what_comes_behind_a_body_in_pieces_is_the_next_request() -> None:
    reader, whole = RequestReader(LIMITS), request(b"x" * 90)
    one(reader, whole)
    assert read_on(reader, whole[:-50]) == []
    found = read_on(reader, whole[-50:] + request(b"hi") + b"POST")
    assert [len(each.body) for each in found if not isinstance(each, str)] == [90, 2]


def test_bodies_in_pieces_count_against_what_all_may_hold() -> None:
    limits = Limits(max_gathered_bytes=100)
    reader, whole = RequestReader(limits), request(b"x" * 90)
    one(reader, whole)
    assert read_on(reader, whole[:-50]) == []
    one(reader, whole[-50:])
    assert limits.gathered.size == 90
    reader.let_go()
    assert limits.gathered.size == 0
    large = request(b"x" * 120)
    assert read_on(reader, large[:-50]) == []
    assert str(read_on(reader, large[-50:])).startswith("503")


def test_a_stranger_gets_no_room_for_a_body_in_pieces() -> None:
    reader, whole = RequestReader(Limits(), "", lambda _: False), request(b"x" * 90)
    one(reader, whole)
    assert read_on(reader, whole[:-50]) == []
    assert str(read_on(reader, whole[-50:])).startswith("401")


def test_connections_with_one_head_share_its_memory_and_keep_their_peers() -> None:
    limits = Limits()
    first, second = RequestReader(limits, "a"), RequestReader(limits, "b")
    one(first, request(b"hi"))
    one(second, request(b"hello"))
    found = one(first, request(b"hi")), one(second, request(b"hi"))
    assert found[0].memory is found[1].memory is not None
    assert [each.peer for each in found] == ["a", "b"]


def test_a_client_whose_heads_all_differ_is_not_remembered_for_long() -> None:
    reader = RequestReader(LIMITS)
    heads = [request(b"hi", b"A: %d\r\n" % number) for number in range(6)]
    memories = [one(reader, head).memory for head in heads]
    assert memories[0] is not None
    assert memories[-1] is None


@pytest.mark.parametrize("more", [b"Expect: 100-continue\r\n", b"Connection: close\r\n"])
def test_a_head_with_a_word_for_this_request_alone_is_read_each_time(more: bytes) -> None:
    assert one(RequestReader(LIMITS), request(b"hi", more)).memory is None
