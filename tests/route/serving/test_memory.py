"""A worker's memory: what a thousand idle streams take, and what slow clients do not."""

from __future__ import annotations

import json
import resource
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Gateway, gateway, toml
from tests.route.serving.storm import upstream_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc"),
]
STREAMS = 1000
MB = 2**20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, str]]:
    with upstream_process("tests.route.serving.silent_upstream") as url:
        text = toml(url).replace("drain_s = 5", "drain_s = 0.2")
        with gateway(tmp_path_factory.mktemp("memory"), text) as opened:
            yield opened


def resident(running: Gateway) -> int:
    """The bytes of memory that the worker has now."""
    (pid,) = running.worker_pids()
    said = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in said.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def open_files(running: Gateway) -> int:
    (pid,) = running.worker_pids()
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def asked(running: tuple[Gateway, str], prompt: str, **more: Any) -> socket.socket:
    """Ask, and leave the answer unread."""
    said = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}], **more}
    body = json.dumps(said).encode()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", running[0].port))
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
        % (running[1].encode(), len(body))
        + body
    )
    return connection


def test_a_client_that_reads_slowly_takes_no_memory(running: tuple[Gateway, str]) -> None:
    asked(running, "bytes 1000000").close()
    time.sleep(0.5)
    before = most = resident(running[0])
    with asked(running, f"bytes {50 * MB}") as slow:
        read = 0
        for _ in range(30):
            time.sleep(0.05)
            read += len(slow.recv(65_536))
            most = max(most, resident(running[0]))
        assert read < 5 * MB
        while piece := slow.recv(MB):
            read += len(piece)
            if piece.endswith(b"0\r\n\r\n"):
                break
        most = max(most, resident(running[0]))
    assert read >= 50 * MB
    assert most - before < 8 * MB


def test_many_that_read_nothing_are_ended_by_nobody_and_take_little(
    running: tuple[Gateway, str],
) -> None:
    before = resident(running[0])
    idle = [asked(running, f"bytes {50 * MB}") for _ in range(20)]
    time.sleep(1.0)
    took = resident(running[0]) - before
    for each in idle:
        each.close()
    assert took < 20 * MB
    give_up = time.monotonic() + 5
    while open_files(running[0]) > 60 and time.monotonic() < give_up:
        time.sleep(0.1)
    assert open_files(running[0]) <= 60


def test_idle_streams_are_small(
    running: tuple[Gateway, str], record_property: Callable[[str, object], None]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < STREAMS + 200:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, STREAMS + 200), hard))
    asked(running, "warm", stream=True).close()
    time.sleep(0.5)
    before = resident(running[0])
    streams = [asked(running, "wait", stream=True) for _ in range(STREAMS)]
    try:
        for each in streams:
            heard = b""
            while b"hello" not in heard:
                piece = each.recv(4096)
                assert piece, heard
                heard += piece
        took = resident(running[0]) - before
    finally:
        for each in streams:
            each.close()
    record_property("bytes_of_a_thousand_idle_streams", took)
    assert took < 60 * MB
