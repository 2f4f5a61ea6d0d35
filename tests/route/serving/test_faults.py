"""A hostile upstream: each fault ends as an answer, another tool's answer, or a clear error."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Gateway, charges, gateway, toml
from tests.tools.upstream import Fault, Upstream, read_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

ROUTES = """
[[workflow]]
name = "memos"
owner = "memos-lead@example.com"

[[tool]]
name = "gone"
kind = "openai"
model = "gpt-5-nano"
url = "http://127.0.0.1:{closed}/v1"
provider = "openai"

[[route]]
workflow = "memos"
tool = "gone"
fallbacks = ["small"]
"""


def fault_of(asked: Asked) -> Fault | None:
    """A prompt says which fault it wants: `once 500` only the first time, `retry-after 60`."""
    words = asked.prompt.split()
    match words:
        case ["once", kind, name]:
            return read_fault(f"1={kind}")[1] if name not in SEEN and not SEEN.add(name) else None  # type: ignore[func-returns-value]
        case ["wait", seconds, _]:
            return Fault("status", status=429, headers={"retry-after": seconds})
        case ["always", kind]:
            return read_fault(f"1={kind}")[1]
        case _:
            return None


SEEN: set[str] = set()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: "one two three four", faults=fault_of) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def running(upstream: Upstream, folder: Path) -> Iterator[tuple[Gateway, str]]:
    more = ROUTES.format(closed=closed_port())
    patience = "first_byte_timeout_s = 1\nstall_timeout_s = 1\nretries = 1\n"
    text = toml(upstream.url, more).replace("drain_s = 5", "drain_s = 5\n" + patience)
    with gateway(folder, text) as opened:
        yield opened


def said(running: tuple[Gateway, str], prompt: str, **more: Any) -> Any:
    return running[0].chat(
        running[1], messages=[{"role": "user", "content": prompt}], max_tokens=100, **more
    )


def memos_key(running: tuple[Gateway, str]) -> str:
    body = {"scope": "workflow", "of": "memos"}
    headers = {"authorization": f"Bearer {running[0].admin_token}"}
    answered = running[0].ask("POST", "/v1/keys", body, headers, port=running[0].admin_port)
    time.sleep(1.5)  # a worker looks for a new table once a second
    return str(answered.json["key"])


def test_a_failure_that_passes_is_tried_again_and_the_client_sees_nothing_of_it(
    running: tuple[Gateway, str],
) -> None:
    answered = said(running, "once status:503 first")
    assert answered.status == 200
    assert answered.json["choices"][0]["message"]["content"] == "one two three four"


def test_a_failure_that_stays_is_passed_on_as_the_upstream_said_it(
    running: tuple[Gateway, str],
) -> None:
    answered = said(running, "always status:400")
    assert answered.status == 400
    assert answered.json["error"]["message"] == "made to fail"


def test_a_long_retry_after_is_the_clients_to_wait_for(running: tuple[Gateway, str]) -> None:
    answered = said(running, "wait 60 now")
    assert answered.status == 429
    assert answered.headers["retry-after"] == "60"


def test_a_connection_that_breaks_before_the_answer_is_tried_again(
    running: tuple[Gateway, str],
) -> None:
    assert said(running, "once reset second").status == 200


def test_an_upstream_that_says_nothing_ends_in_a_timeout_in_the_protocols_own_shape(
    running: tuple[Gateway, str],
) -> None:
    answered = said(running, "always hang")
    assert answered.status == 504
    assert "did not answer" in answered.json["error"]["message"]


def test_a_tool_that_cannot_be_reached_gives_way_to_its_fallback(
    running: tuple[Gateway, str],
) -> None:
    key = memos_key(running)
    answered = running[0].chat(key)
    assert answered.status == 200
    assert answered.headers["x-clearbar-tool"] == "small"


def test_a_stream_that_breaks_off_never_looks_whole(running: tuple[Gateway, str]) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        said(running, "always reset", stream=True)
    assert b"broke off its answer" in caught.value.partial


def test_a_whole_answer_that_is_cut_is_tried_again(running: tuple[Gateway, str]) -> None:
    assert said(running, "once truncated third").status == 200


def test_garbage_reaches_the_client_as_it_came(running: tuple[Gateway, str]) -> None:
    answered = said(running, "always garbage")
    assert answered.status == 200
    assert answered.body.startswith(b'{"choices": [{"mess')


def test_a_client_that_leaves_in_the_middle_pays_an_estimate(
    running: tuple[Gateway, str], folder: Path
) -> None:
    gateway_, key = running
    with socket.create_connection(("127.0.0.1", gateway_.port)) as connection:
        body = json.dumps(
            {
                "model": "gpt-5-mini",
                "stream": True,
                "max_tokens": 100,
                "messages": [{"role": "user", "content": "always drip:0.2"}],
            }
        )
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            "x-clearbar-task: left\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body.encode())
        heard = b""
        while b"one" not in heard:
            heard += connection.recv(4096)
    give_up = time.monotonic() + 15
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < give_up:
        time.sleep(0.5)
        found = [each for each in charges(folder) if each["task_id"] == "left"]
    assert found[0]["status"] == "cancelled"
    assert found[0]["basis"] == "estimated"
    assert found[0]["cost_usd"] > 0


def test_a_body_that_is_no_json_is_refused_with_what_to_do(running: tuple[Gateway, str]) -> None:
    answered = running[0].ask(
        "POST", "/v1/chat/completions", b"{not json", {"authorization": f"Bearer {running[1]}"}
    )
    assert answered.status == 400
    assert answered.json["error"]["code"] == "bad_body"


def test_an_upstream_that_keeps_failing_is_left_alone_for_a_while(
    upstream: Upstream, tmp_path: Path
) -> None:
    with gateway(tmp_path, toml(upstream.url)) as running:
        for _ in range(4):
            said(running, "always status:500")
        asked = len(upstream.asked)
        answered = said(running, "always status:500")
        assert answered.status == 503
        assert answered.headers["retry-after"]
        assert len(upstream.asked) == asked
