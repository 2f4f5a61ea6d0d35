"""The heads that are written."""

from __future__ import annotations

import pytest

from clearbar.route.http.heads import (
    UnfitHeader,
    end_to_end,
    host_of,
    reply_head,
    request_head,
)

HOST = b"api.example"


def test_a_request_head_stands_as_it_goes_out() -> None:
    head = request_head("POST", "/v1/chat?a=b", HOST, [(b"accept", b"x")], 2)
    assert head == (
        b"POST /v1/chat?a=b HTTP/1.1\r\nhost: api.example\r\naccept: x\r\ncontent-length: 2\r\n\r\n"
    )


def test_a_request_head_may_have_neither_headers_nor_a_body() -> None:
    assert (
        request_head("GET", "/", HOST, [], None) == b"GET / HTTP/1.1\r\nhost: api.example\r\n\r\n"
    )


def test_a_reply_head_may_have_no_headers() -> None:
    assert reply_head(200, [], b"a: b\r\n") == b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"


def test_an_unknown_status_has_no_phrase() -> None:
    assert reply_head(529, [], b"") == b"HTTP/1.1 529 \r\n\r\n"


@pytest.mark.parametrize(
    "evil", [b"a\r\nb: c", b"a\rb", b"a\nb", b"a\0b", b"a\r\n\r\nHTTP/1.1 200"]
)
@pytest.mark.parametrize("place", ["name", "value"])
def test_nobody_writes_a_header_into_another(evil: bytes, place: str) -> None:
    header = (evil, b"x") if place == "name" else (b"x", evil)
    with pytest.raises(UnfitHeader):
        reply_head(200, [(b"a", b"b"), header], b"")
    with pytest.raises(UnfitHeader):
        request_head("POST", "/", HOST, [header], 0)


def test_what_breaks_the_head_is_not_quoted() -> None:
    with pytest.raises(UnfitHeader) as caught:
        reply_head(200, [(b"a", b"secret\n")], b"")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("target", ["/a b", "/a\r\nb: c", "/\0", "/é", "/\x7f"])
def test_a_target_that_breaks_the_head_is_not_written(target: str) -> None:
    with pytest.raises(UnfitHeader):
        request_head("GET", target, HOST, [], None)


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"connection", b"host"])
def test_headers_about_framing_are_not_written_twice(name: bytes) -> None:
    head = request_head("POST", "/", HOST, [(name, b"9")], 2)
    assert head == b"POST / HTTP/1.1\r\nhost: api.example\r\ncontent-length: 2\r\n\r\n"


def test_headers_about_one_hop_are_not_passed_on() -> None:
    kept = end_to_end(
        [
            (b"host", b"x"),
            (b"te", b"trailers"),
            (b"keep-alive", b"5"),
            (b"proxy-authorization", b"p"),
            (b"connection", b"keep-alive"),
            (b"accept", b"a"),
            (b"content-length", b"2"),
        ]
    )
    assert kept == [(b"accept", b"a")]


def test_headers_that_connection_names_are_not_passed_on() -> None:
    kept = end_to_end([(b"x-hop", b"1"), (b"connection", b"close, X-Hop"), (b"a", b"b")])
    assert kept == [(b"a", b"b")]


@pytest.mark.parametrize(
    ("secure", "host", "port", "value"),
    [
        (True, "api.example", 443, b"api.example"),
        (True, "api.example", 8443, b"api.example:8443"),
        (False, "api.example", 80, b"api.example"),
        (False, "::1", 8080, b"[::1]:8080"),
        (False, "bücher.example", 80, b"xn--bcher-kva.example"),
    ],
)
def test_the_host_names_its_port_where_it_is_not_the_usual_one(
    *, secure: bool, host: str, port: int, value: bytes
) -> None:
    assert host_of(secure=secure, host=host, port=port) == value


def test_a_host_that_breaks_the_head_is_not_written() -> None:
    with pytest.raises(UnfitHeader):
        host_of(secure=False, host="a\r\nb: c", port=80)
