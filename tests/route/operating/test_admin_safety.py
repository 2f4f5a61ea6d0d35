"""What a page in a browser, or a stranger, learns from the admin port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.route.operating.admin_server import AdminServer

from clearbar.route.http.message import Request
from clearbar.route.operating.admin import is_rebound

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[AdminServer]:
    with AdminServer() as running:
        yield running


def asked(host: str, peer: str = "127.0.0.1") -> Request:
    return Request("GET", "/metrics", b"", [(b"host", host.encode())], b"", peer)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8788", "EVIL.example.", "a.b.c"])
def test_a_name_that_somebody_owns_may_be_rebound(host: str) -> None:
    assert is_rebound(asked(host))
    assert is_rebound(asked(host, "::1"))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8788", "[::1]:8788", "localhost:8788", "box", "clearbar.internal:1"],
)
def test_a_name_that_nobody_owns_is_not_rebound(host: str) -> None:
    assert not is_rebound(asked(host))


def test_who_asks_from_another_machine_is_not_a_page_on_this_one() -> None:
    assert not is_rebound(asked("clearbar.example.com", "10.0.0.7"))
    assert not is_rebound(asked("clearbar.example.com", ""))


def test_metrics_are_not_told_to_a_page_but_to_who_has_the_token(server: AdminServer) -> None:
    host = {"host": "evil.example:8788"}
    said = server.ask("GET", "/metrics", token=None, headers=host)
    assert (said.status, said.json["code"]) == (403, "foreign_host")
    assert server.ask("GET", "/metrics", headers=host).status == 200
    assert server.ask("GET", "/metrics", token=None).status == 200


def test_a_stranger_does_not_learn_where_the_token_lies(server: AdminServer) -> None:
    assert b"a test" not in server.ask("GET", "/v1/keys", token=None).body
