"""The heads that are written."""

from __future__ import annotations

import pytest

from clearbar.route.http.heads import UnfitHeader, header_lines, reply_head, status_line


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
        header_lines([header])


def test_what_breaks_the_head_is_not_quoted() -> None:
    with pytest.raises(UnfitHeader) as caught:
        reply_head(200, [(b"a", b"secret\n")], b"")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"connection", b"host"])
def test_headers_about_framing_are_not_written_twice(name: bytes) -> None:
    head = reply_head(200, [(name, b"9"), (b"a", b"b")], b"content-length: 2\r\n")
    assert head == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n\r\n"


def test_lines_that_are_ready_make_the_head_that_their_headers_make() -> None:
    headers, framing = [(b"a", b"b"), (b"c", b"d")], b"content-length: 2\r\n"
    ready = b"%b%b\r\n%b\r\n" % (status_line(200), header_lines(headers), framing)
    assert ready == reply_head(200, headers, framing)
