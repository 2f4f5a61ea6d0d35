"""Bytes to requests: what is read, what is refused, and that cuts change nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.http.limits import Limits
from clearbar.route.http.reading import RequestReader
from clearbar.route.http.refused import Refused

if TYPE_CHECKING:
    from clearbar.route.http.message import Request

LIMITS = Limits(max_head_bytes=400, max_headers=8, max_body_bytes=64)
START = b"POST /v1/chat HTTP/1.1\r\nHost: x\r\n"


def read(data: bytes, limits: Limits = LIMITS) -> tuple[list[Request], Refused | None]:
    return read_cut([data], limits)


def read_cut(pieces: list[bytes], limits: Limits) -> tuple[list[Request], Refused | None]:
    reader = RequestReader(limits)
    for piece in pieces:
        try:
            reader.feed(piece)
        except Refused as refused:
            return list(reader.ready), refused
    return list(reader.ready), None


def refusal(data: bytes) -> Refused:
    requests, refused = read(data)
    assert requests == []
    assert refused is not None
    return refused


def fields_of(request: Request) -> tuple[object, ...]:
    return (
        request.method,
        request.path,
        request.query,
        request.headers,
        request.body,
        request.keep_alive,
        request.old,
    )


def test_a_request_is_read_whole() -> None:
    [request], refused = read(
        b"POST /v1/a%20b?c=d&e HTTP/1.1\r\nHost: x\r\nX-Api-Key:  k \r\nContent-Length: 2\r\n\r\nhi"
    )
    assert refused is None
    assert (request.method, request.path, request.query) == ("POST", "/v1/a%20b", b"c=d&e")
    assert request.headers == [(b"host", b"x"), (b"x-api-key", b"k"), (b"content-length", b"2")]
    assert request.body == b"hi"


def test_a_body_in_chunks_is_put_together() -> None:
    [request], _ = read(
        START + b"Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"
    )
    assert request.body == b"hi!"


def test_a_header_is_found_by_its_name() -> None:
    [request], _ = read(START + b"Accept: a\r\n\r\n")
    assert request.header(b"accept") == b"a"
    assert request.header(b"authorization") is None


def test_of_a_header_that_may_be_repeated_the_first_value_is_found() -> None:
    [request], _ = read(START + b"Accept: a\r\nAccept: b\r\n\r\n")
    assert request.header(b"accept") == b"a"


def test_a_request_shows_nothing_secret() -> None:
    [request], _ = read(START + b"Authorization: Bearer secret\r\n\r\n")
    assert "secret" not in repr(request)


def test_a_stale_header_does_not_reach_the_next_request() -> None:
    first, second = read((START + b"A: b\r\n\r\n") + (START + b"\r\n"))[0]
    assert first.header(b"a") == b"b"
    assert second.header(b"a") is None


def test_nothing_is_read_after_a_request_that_closes() -> None:
    requests, refused = read(START + b"Connection: close\r\n\r\n" + START + b"\r\n")
    assert len(requests) == 1
    assert refused is None


def test_a_request_of_http_1_0_closes_the_connection() -> None:
    [request], _ = read(b"GET / HTTP/1.0\r\n\r\n")
    assert (request.old, request.keep_alive) == (True, False)


def test_a_request_of_http_1_0_may_ask_to_keep_the_connection() -> None:
    [request], _ = read(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert request.keep_alive


MALFORMED = {
    "both framings": START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, turned": START
    + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two equal lengths": START + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": START + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": START + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": START + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": START + b"Content-Length: -1\r\n\r\n",
    "an empty length": START + b"Content-Length:\r\n\r\n",
    "a length beyond all": START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a folded header": START + b"A: b\r\n c\r\n\r\n",
    "a header that begins with a space": START + b" A: b\r\n\r\n",
    "a space before the first header": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "a bare CR": START + b"A: b\rc\r\n\r\n",
    "a bare LF": START + b"A: b\nC: d\r\n\r\n",
    "bare LFs at the end": START + b"A: b\n\n",
    "a NUL": START + b"A: b\0c\r\n\r\n",
    "a control character": START + b"A: b\x01c\r\n\r\n",
    "a space before the colon": START + b"A : b\r\n\r\n",
    "a control character in a name": START + b"A\x01: b\r\n\r\n",
    "no name": START + b": b\r\n\r\n",
    "no colon": START + b"abc\r\n\r\n",
    "coded and in chunks": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": START + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "two codings": START
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": START + b"Transfer-Encoding: identity\r\n\r\n",
    "an unknown coding": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a vertical tab before the coding": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no hexadecimal size of a chunk": START + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
    "a chunk that is too long": START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a chunk beyond all": START + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na",
    "bare LFs between chunks": START + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
    "a header after the body": START
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Api-Key: k\r\n\r\n",
    "a length after the body": START
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
    "an absolute target": b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authority as target": b"GET y:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT y:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star as target": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a letter beyond ASCII in the target": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the target": b"GET /\t HTTP/1.1\r\nHost: x\r\n\r\n",
    "an upgrade": START + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "an upgrade that nothing announces": START + b"Upgrade: websocket\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9, said": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 of another method": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "another protocol": b"DESCRIBE / RTSP/1.0\r\n\r\n",
    "a method of lower case": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that is not served": b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that HTTP/1.0 does not have": b"OPTIONS / HTTP/1.0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two keys": START + b"Authorization: a\r\nauthorization: b\r\n\r\n",
    "two keys of the other kind": START + b"X-Api-Key: a\r\nX-API-KEY: b\r\n\r\n",
    "two content types": START + b"Content-Type: a\r\nContent-Type: b\r\n\r\n",
    "two headers of ours": START + b"X-Clearbar-Workflow: a\r\nX-Clearbar-Workflow: b\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    assert refusal(data).status == 400


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_it_is_refused_however_it_is_cut(data: bytes) -> None:
    for cut in range(1, len(data)):
        requests, refused = read_cut([data[:cut], data[cut:]], LIMITS)
        assert requests == []
        assert refused is not None


def test_a_request_before_a_malformed_one_is_read() -> None:
    requests, refused = read(START + b"\r\n" + b"GET / HTTP/9.9\r\n\r\n")
    assert [request.path for request in requests] == ["/v1/chat"]
    assert refused is not None


def test_a_head_that_is_too_large_is_refused() -> None:
    assert refusal(START + b"A: " + b"b" * 400 + b"\r\n\r\n").status == 431


def test_a_head_that_never_ends_is_refused() -> None:
    endless = [START, *([b"A: bbbbbbbbbb\r\n"] * 40)]
    assert read_cut(endless, Limits(max_head_bytes=400))[1] is not None


def test_too_many_headers_are_refused() -> None:
    assert refusal(START + b"A: b\r\n" * 8 + b"\r\n").status == 431


def test_a_body_said_to_be_too_large_is_refused_before_it_comes() -> None:
    assert refusal(START + b"Content-Length: 65\r\n\r\n").status == 413


def test_chunks_that_are_too_large_together_are_refused() -> None:
    chunk = b"20\r\n" + b"a" * 32 + b"\r\n"
    assert refusal(START + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3).status == 413


def test_one_chunk_that_is_too_large_is_refused() -> None:
    chunk = b"41\r\n" + b"a" * 65
    assert refusal(START + b"Transfer-Encoding: chunked\r\n\r\n" + chunk).status == 413


def test_an_unknown_expectation_is_refused() -> None:
    assert refusal(START + b"Expect: wonders\r\n\r\n").status == 417


def test_a_client_that_waits_for_a_100_is_known() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(START + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.wants_continue
    reader.feed(b"hi")
    assert not reader.wants_continue


CLEAN = (
    START + b"Content-Length: 2\r\n\r\nhi",
    START + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    b"GET /v1/models?a=b HTTP/1.1\r\nHost: x\r\nAccept:\r\nB:   c  \r\n\r\n",
    b"\r\nHEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    START + b"Accept: a\r\nAccept: b\r\n\r\n",
    START + b"A: " + b"b" * 340 + b"\r\n\r\n",
    START + b"A: " + b"b" * 400 + b"\r\n\r\n",
    START + b"Content-Length: 65\r\n\r\n" + b"a" * 65,
    START + b"Connection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
)


@given(messages=st.lists(st.sampled_from(CLEAN), min_size=1, max_size=4), data=st.data())
def test_any_two_ways_of_cutting_the_same_bytes_give_the_same_requests(
    messages: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(messages)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    edges = [0, *cuts, len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    at_once, refused = read(whole)
    in_pieces, refused_later = read_cut(pieces, LIMITS)
    assert [fields_of(each) for each in in_pieces] == [fields_of(each) for each in at_once]
    assert (refused and refused.status) == (refused_later and refused_later.status)


WORDS = (
    b"GET ",
    b"POST ",
    b"/",
    b"*",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b":",
    b"Host: x\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"3",
    b"abc",
    b";",
)


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=24))
def test_whatever_is_sent_no_request_contradicts_itself(words: list[bytes]) -> None:
    requests, _ = read(b"".join(words))
    for request in requests:
        length, coding = request.header(b"content-length"), request.header(b"transfer-encoding")
        assert length is None or coding is None
        assert len(request.body) == int(length or b"0") or coding == b"chunked"
        assert request.path.startswith("/") or request.path == "*"
        assert request.old or request.header(b"host")
        assert not any(c in value for _, value in request.headers for c in b"\r\n\0")
