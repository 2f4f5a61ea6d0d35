"""The plug-in's client, before the admin API and before networks that fail."""

from __future__ import annotations

import asyncio
import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest
from tests.route.operating.admin_server import AdminServer
from tests.route.operating.gateway import GATEWAY_KEY

from clearbar.litellm_plugin import admin_client
from clearbar.litellm_plugin.admin_client import AdminClient, RefusedError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")
HOLD = {"hold_id": "h-1", "model": "gpt-4o-mini", "workflow": "support-replies"}
USED = {"outcome": "ok", "usage": {"input_tokens": 7}}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_client, "_FIRST_WAIT_S", 0.001)


def asked(url: str, ask: Callable[[AdminClient], Awaitable[T]], token: str = GATEWAY_KEY) -> T:
    async def main() -> T:
        client = AdminClient(url, token)
        try:
            return await ask(client)
        finally:
            await client.close()

    return asyncio.run(main())


class _Flaky(http.server.BaseHTTPRequestHandler):
    """Breaks off or fails until the last of the statuses it was given."""

    statuses: list[int]
    asked: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.asked.append(self.path)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not status:
            self.close_connection = True
            return
        body = b"{}"
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def flaky(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (_Flaky,), {"statuses": list(statuses), "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", vars(handler)["asked"]
        finally:
            server.shutdown()
            thread.join()


def test_a_hold_is_given_and_settled() -> None:
    with AdminServer() as server:
        given = asked(server.url, lambda client: client.hold(HOLD))
        assert asked(server.url, lambda client: client.end("h-1", USED))
    assert given["held_usd"] == "0.01"
    assert [end.outcome for end in server.facts.ends] == ["ok"]


def test_a_hold_that_was_not_used_is_released() -> None:
    with AdminServer() as server:
        asked(server.url, lambda client: client.hold(HOLD))
        assert asked(server.url, lambda client: client.end("h-1", None))
    assert [end.outcome for end in server.facts.ends] == ["unsent"]


def test_a_refusal_has_its_code_and_when_to_come_back() -> None:
    with AdminServer() as server:
        server.facts.limit_nusd = 0
        with pytest.raises(RefusedError, match="used up") as raised:
            asked(server.url, lambda client: client.hold(HOLD))
    refused = raised.value
    assert (refused.status, refused.code, refused.retry_after_s) == (429, "over_budget", 60)


def test_a_key_that_is_wrong_is_no_refusal_of_the_clients_request() -> None:
    with AdminServer() as server, pytest.raises(Unreachable, match="401"):
        asked(server.url, lambda client: client.hold(HOLD), token="cb_wrong")  # noqa: S106


def test_a_gateway_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        asked(NOWHERE, lambda client: client.hold(HOLD))


def test_something_else_on_that_port_is_unreachable() -> None:
    with flaky(200) as (url, _):
        assert asked(url, lambda client: client.hold(HOLD)) == {}
    with flaky(404) as (url, _), pytest.raises(Unreachable, match="404"):
        asked(url, lambda client: client.hold(HOLD))


def test_settling_is_tried_again_until_it_has_arrived() -> None:
    with flaky(0, 503, 200) as (url, paths):
        assert asked(url, lambda client: client.end("h-1", USED))
    assert paths == ["/v1/holds/h-1/settle"] * 3


def test_settling_that_never_arrives_is_given_up_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert not asked(NOWHERE, lambda client: client.end("h-1", USED))
    assert "estimated charge" in caplog.text


def test_settling_that_is_turned_down_is_said_and_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with flaky(400) as (url, paths):
        assert not asked(url, lambda client: client.end("h-1", USED))
    assert len(paths) == 1
    assert "not settled" in caplog.text


def test_each_loop_has_connections_of_its_own() -> None:
    with AdminServer() as server:
        client = AdminClient(server.url, GATEWAY_KEY)

        async def hold(name: str) -> None:
            await client.hold({**HOLD, "hold_id": name})
            await client.close()

        asyncio.run(hold("a"))
        asyncio.run(hold("b"))
        assert len(server.facts.holds) == 2
