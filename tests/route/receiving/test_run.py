"""A receiver from its beginning to its end, in this process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from clearbar.core.errors import ClearbarError
from clearbar.route.receiving.server import ReceivingPlan, private, run
from clearbar.route.receiving.writer import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TRACE = "5b8efff798038103d269b633813fc60c"


def body() -> bytes:
    attributes = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]
    span = {"traceId": TRACE, "spanId": "00f067aa0ba902b7", "attributes": attributes}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def received(folder: Path, ingest: Callable[[Sequence[Path]], None], count: int = 1) -> list[str]:
    """Send some requests to a receiver and end it; return what it said."""
    said: list[str] = []
    begun = asyncio.Event()

    def say(what: str) -> None:
        said.append(what)
        begun.set()

    async def work(listening: socket.socket) -> None:
        plan = ReceivingPlan(private(folder), listening, "", ingest, say, Room(free_bytes=1))
        running = asyncio.create_task(run(plan))
        running.add_done_callback(lambda _: begun.set())
        await begun.wait()
        url = said[0].rpartition(" ")[2] + "/v1/traces" if said else ""
        async with httpx2.AsyncClient(headers={"content-type": "application/json"}) as client:
            for _ in range(count if url else 0):
                assert (await client.post(url, content=body())).status_code == 200
            signal.raise_signal(signal.SIGTERM)
        await running

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        asyncio.run(work(listening))
    return said


def test_what_came_is_read_when_it_ends(tmp_path: Path) -> None:
    read: list[Path] = []
    [said] = received(tmp_path, read.extend)
    assert said.startswith("for OpenTelemetry exporters: http://127.0.0.1:")
    assert [TRACE in each.read_text() for each in read] == [True]


def test_what_was_closed_before_a_crash_is_read_at_the_next_start(tmp_path: Path) -> None:
    left = private(tmp_path) / "received-1-1.jsonl"
    left.write_bytes(body())
    read: list[Path] = []
    received(tmp_path, read.extend, count=0)
    assert read == [left]


def test_a_ledger_that_refuses_ends_nothing(tmp_path: Path) -> None:
    def refuse(paths: Sequence[Path]) -> None:
        raise ClearbarError(f"{len(paths)} files are too many")

    said = received(tmp_path, refuse)
    assert said[1:] == ["not read into the ledger, but kept: 1 files are too many"]
    assert list(tmp_path.glob("received-*.jsonl"))


def test_a_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    def work() -> None:
        with monkeypatch.context() as patched:
            patched.setattr("clearbar.route.receiving.files.os.open", denied)
            received(tmp_path, lambda _: None)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(ClearbarError, match="cannot be read or written: permission denied"):
            work()
    finally:
        signal.signal(signal.SIGTERM, before)
