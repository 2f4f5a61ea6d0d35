"""Ends in good order and in bad: what was begun ends whole or broken, and is charged once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from tests.route.serving.gateway import Gateway, charges, gateway, issue, settled, toml
from tests.tools.upstream import Fault, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.upstream_bodies import Asked

BUDGET = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "5"\n'
STREAMS = 12


def fault_of(asked: Asked) -> Fault | None:
    match asked.prompt.split():
        case ["drip", seconds]:
            return Fault("drip", seconds=float(seconds))
        case ["hang"]:
            return Fault("hang")
        case _:
            return None


@pytest.fixture
def text() -> Iterator[str]:
    with Upstream(lambda _: "one two three four", faults=fault_of) as upstream:
        yield toml(upstream.url, BUDGET).replace("[gateway]", "[gateway]\nworkers = 2")


def opened(port: int, key: str, prompt: str, task: str) -> socket.socket:
    """Ask for a stream over a connection of its own, and do not wait for it."""
    body = json.dumps(
        {
            "model": "gpt-5-mini",
            "stream": True,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": prompt}],
        }
    )
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(
        (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"x-clearbar-task: {task}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}"
        ).encode()
    )
    return connection


def heard(connection: socket.socket, until: bytes = b"\r\n0\r\n\r\n") -> bytes:
    """Read until something was said, or nothing more is."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while until not in said and (piece := connection.recv(65536)):
            said += piece
    return said


def is_taken(port: int) -> bool:
    """Whether somebody answers a new connection."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as asked:
        asked.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        return bool(asked.recv(100))
    return False


def dead(pids: list[int], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_streams_end_whole_and_nothing_new_is_taken(tmp_path: Path, text: str) -> None:
    with gateway(tmp_path, text) as (running, key):
        streams = [
            opened(running.port, key, "drip 0.03", f"stream-{each}") for each in range(STREAMS)
        ]
        for each in streams:
            heard(each, b"data: ")
        with ThreadedEnd(running) as ending:
            give_up = time.monotonic() + 3
            while is_taken(running.port) and time.monotonic() < give_up:
                time.sleep(0.02)
            refused = not is_taken(running.port)
            ended = [heard(each) for each in streams]
            for each in streams:
                each.close()
        assert refused
        assert all(each.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for each in ended)
        assert ending.code == 0
        assert "ended: every charge is in the ledger" in running.said
    found = Counter(each["task_id"] for each in charges(tmp_path))
    assert found == Counter(f"stream-{each}" for each in range(STREAMS))
    assert {each["status"] for each in charges(tmp_path)} == {"ok"}


class ThreadedEnd:
    """Ends a gateway while something else goes on; `code` is what it ended with."""

    def __init__(self, running: Gateway) -> None:
        self.code: int | None = None
        self._running = running
        self._thread = threading.Thread(target=self._end)

    def _end(self) -> None:
        self.code = self._running.stop()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@pytest.mark.slow
def test_what_does_not_end_in_time_is_broken_off_and_charged(tmp_path: Path, text: str) -> None:
    with gateway(tmp_path, text.replace("drain_s = 5", "drain_s = 1")) as (running, key):
        with opened(running.port, key, "drip 0.2", "slow") as stream:
            heard(stream, b"data: ")
            started = time.monotonic()
            assert running.stop() == 0
            assert not heard(stream).endswith(b"0\r\n\r\n")
        assert time.monotonic() - started < 5
    (charge,) = charges(tmp_path)
    assert (charge["status"], charge["basis"]) == ("cancelled", "estimated")


@pytest.mark.slow
def test_a_task_that_waits_is_broken_off_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "words.py").write_text("import time\n\ndef wait(text):\n    time.sleep(30)\n")
    slow = (
        '[[tool]]\nname = "slow"\nkind = "python"\nfunction = "words:wait"\n'
        '[[route]]\nworkflow = "letters"\ntool = "slow"\nholdout = 0\n'
    )
    text = text.replace("drain_s = 5", "drain_s = 1") + slow
    with gateway(tmp_path, text) as (running, key), opened(running.port, key, "hi", "waits"):
        time.sleep(0.5)
        assert running.stop() == 0
    (charge,) = charges(tmp_path)
    assert (charge["status"], charge["cost_usd"]) == ("cancelled", 0)


@pytest.mark.slow
def test_workers_end_with_their_supervisor_and_the_next_start_settles_everything(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "clearbar.toml").write_text(text)
    key = issue(tmp_path, "letters")
    first = Gateway.start(tmp_path)
    for _ in range(5):
        assert first.chat(key, max_tokens=100).status == 200
    hanging = [opened(first.port, key, "hang", f"open-{each}") for each in range(4)]
    time.sleep(0.5)
    workers = first.worker_pids()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert len(workers) == 2
    assert dead(workers)
    for each in hanging:
        each.close()
    second = Gateway.start(tmp_path)
    try:
        found = charges(tmp_path)
        account = second.account("workflow:letters")
    finally:
        assert second.stop() == 0
    assert Counter(each["status"] for each in found) == {"ok": 5, "cancelled": 4}
    assert float(account["spent_usd"]) == pytest.approx(
        float(sum(each["cost_usd"] for each in found)), abs=1e-6
    )
    assert float(account["held_usd"]) == 0


@pytest.mark.slow
def test_a_dead_worker_is_replaced_and_what_it_had_open_is_charged_once(
    tmp_path: Path, text: str
) -> None:
    with gateway(tmp_path, text) as (running, key):
        hanging = [opened(running.port, key, "hang", f"open-{each}") for each in range(8)]
        time.sleep(0.5)
        before = running.worker_pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        give_up = time.monotonic() + 10
        while set(running.worker_pids()) & set(before) or not running.worker_pids():
            assert time.monotonic() < give_up
            time.sleep(0.05)
        running.wait_until_ready()
        assert running.chat(key, max_tokens=100).status == 200
        for each in hanging:
            each.close()

        def whole(found: list[dict[str, Any]]) -> bool:
            return len(found) == 9

        found = settled(tmp_path, whole)
        assert settled(tmp_path, whole) == found
    lost = [each for each in found if each["task_id"]]
    assert Counter(each["task_id"] for each in lost) == Counter(f"open-{n}" for n in range(8))
    assert {(each["status"], each["basis"]) for each in lost} == {("cancelled", "estimated")}
    assert all(each["cost_usd"] > 0 for each in lost)
    assert charges(tmp_path) == found
