"""Which headers go on."""

from __future__ import annotations

from clearbar.route.http.upstream import Origin
from clearbar.route.serving.endpoint import Endpoint
from clearbar.route.serving.headers import finished_head, header, prepared_head, reply_headers

ENDPOINT = Endpoint(
    Origin(secure=True, host="api.example.com", port=443),
    b"/v1",
    b"",
    b"api.example.com",
    "openai",
    "example",
    ((b"authorization", b"Bearer upstream"),),
)
TRACE = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"


def sent(
    headers: list[tuple[bytes, bytes]],
    *,
    endpoint: Endpoint = ENDPOINT,
    query: bytes = b"",
    passes_credentials: bool = False,
    method: str = "POST",
    length: int = 2,
) -> bytes:
    prepared = prepared_head(
        method,
        endpoint,
        "/chat/completions",
        query,
        headers,
        passes_credentials=passes_credentials,
    )
    return finished_head(method, prepared, length, TRACE)


def test_the_request_goes_to_the_path_of_the_declared_address() -> None:
    assert sent([]).startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.example.com\r\n")


def test_a_query_of_the_declared_address_is_kept_beside_the_clients() -> None:
    azure = Endpoint(ENDPOINT.origin, b"/v1", b"api-version=1", b"h", "openai", "azure", ())
    assert sent([], endpoint=azure, query=b"a=b").startswith(
        b"POST /v1/chat/completions?api-version=1&a=b HTTP/1.1\r\n"
    )


def test_the_clients_key_is_replaced_by_the_tools() -> None:
    head = sent([(b"authorization", b"Bearer cb_secret"), (b"x-api-key", b"cb_secret")])
    assert b"cb_secret" not in head
    assert b"\r\nauthorization: Bearer upstream\r\n" in head


def test_a_client_that_brings_its_own_credentials_keeps_them() -> None:
    head = sent(
        [(b"authorization", b"Bearer own"), (b"x-clearbar-key", b"cb_secret")],
        passes_credentials=True,
    )
    assert b"\r\nauthorization: Bearer own\r\n" in head
    assert b"upstream" not in head
    assert b"cb_secret" not in head


def test_headers_of_the_connection_end_here() -> None:
    head = sent(
        [
            (b"connection", b"keep-alive, x-secret"),
            (b"x-secret", b"1"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
            (b"te", b"trailers"),
        ]
    )
    for name in (b"\r\nconnection", b"x-secret", b"transfer-encoding", b"upgrade", b"\r\nte:"):
        assert name not in head


def test_headers_that_say_where_the_client_is_do_not_go_out() -> None:
    assert b"10.0.0.7" not in sent([(b"x-forwarded-for", b"10.0.0.7"), (b"cookie", b"10.0.0.7")])


def test_headers_that_nobody_knows_go_on() -> None:
    head = sent([(b"anthropic-beta", b"tools-2026"), (b"x-new", b"1")])
    assert b"\r\nanthropic-beta: tools-2026\r\n" in head
    assert b"\r\nx-new: 1\r\n" in head


def test_the_trace_is_that_of_this_call() -> None:
    head = sent([(b"traceparent", b"00-" + b"9" * 32 + b"-" + b"8" * 16 + b"-01")])
    assert head.count(b"traceparent") == 1
    assert b"\r\ntraceparent: " + TRACE + b"\r\n" in head


def test_a_compressed_answer_is_not_asked_for() -> None:
    head = sent([(b"accept-encoding", b"gzip, br")])
    assert b"gzip" not in head
    assert b"\r\naccept-encoding: identity\r\n" in head


def test_the_length_is_that_of_the_body_that_goes_out() -> None:
    head = sent([(b"content-length", b"999")], length=17)
    assert b"\r\ncontent-length: 17\r\n" in head
    assert b"999" not in head


def test_a_get_without_a_body_names_no_length() -> None:
    assert b"content-length" not in sent([], method="GET", length=0)


def test_the_head_ends_with_an_empty_line() -> None:
    assert sent([(b"a", b"b")]).endswith(b"\r\n\r\n")


def test_a_reply_keeps_what_the_client_can_use() -> None:
    kept = reply_headers([(b"x-request-id", b"1"), (b"retry-after", b"3")], [(b"x-ours", b"2")])
    assert kept == [(b"x-request-id", b"1"), (b"retry-after", b"3"), (b"x-ours", b"2")]


def test_a_reply_carries_no_framing_and_no_cookies_of_the_endpoint() -> None:
    given = [
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"5"),
        (b"connection", b"close"),
        (b"set-cookie", b"a=b"),
    ]
    assert reply_headers(given, []) == []


def test_an_endpoint_cannot_speak_for_the_gateway() -> None:
    assert reply_headers([(b"x-clearbar-tool", b"forged")], []) == []


def test_a_header_that_is_not_there_is_empty() -> None:
    assert header([(b"a", b"1")], b"b") == b""
