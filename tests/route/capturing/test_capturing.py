"""Copies of requests in a worker: sampled, never in the way, written by a process beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.route.capturing.made import (
    AT_US,
    CALLER,
    CHAT,
    ROUTE,
    body,
    captured_by,
    read,
    soon,
)

from clearbar.route.capturing.capturing import MOST_WAITING, Capturing
from clearbar.route.capturing.files import rows
from clearbar.route.capturing.protect import Row
from clearbar.route.capturing.redaction import MAX_CHARACTERS
from clearbar.route.route import Caller, Route
from clearbar.route.wire.operation import operation_of

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import Request

ROOT = Path(__file__).parents[3]


def offered(
    capturing: Capturing,
    asked: str = "Where is my order?",
    route: Route = ROUTE,
    caller: Caller = CALLER,
    answer: str = "On its way.",
) -> bool:
    return capturing.offer(route, caller, CHAT, body(asked), answer, "gpt-mini", AT_US)


def rows_in(folder: Path) -> list[Row]:
    found = list(rows(folder, "support-replies", {}))
    assert all(isinstance(each, Row) for each in found)
    return [each for each in found if isinstance(each, Row)]


def test_what_is_offered_is_written_redacted(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    assert offered(capturing, "My card is 4111111111111111.")
    capturing.close()
    row = rows_in(tmp_path)[0]
    assert (row.input, row.prompt, row.cluster) == (
        "My card is [redacted].",
        "Be brief.",
        "ticket-9",
    )
    assert row.answers == {"gpt-mini": "On its way."}
    assert (capturing.counts.offered, capturing.counts.kept) == (1, 1)


def test_a_call_without_a_task_is_of_its_run(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    offered(capturing, caller=Caller("support-replies", "k1", run="run-3"))
    capturing.close()
    assert rows_in(tmp_path)[0].cluster == "run-3"


def test_a_worker_that_captures_nothing_starts_nothing(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    assert not offered(capturing, route=Route("support-replies"))
    models = operation_of("GET", "/v1/models", [])
    assert not capturing.offer(ROUTE, CALLER, models, b"", "", "gpt-mini", AT_US)
    assert capturing._thread is None
    capturing.close()
    assert not list(tmp_path.iterdir())


def test_a_share_of_the_requests_is_taken(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read, chance=Random(1))
    capturing._thread = None
    capturing._closed = True
    for _ in range(1000):
        offered(capturing, route=captured_by(share=0.1))
    assert 70 < capturing.counts.offered < 130


def test_what_finds_no_room_is_dropped_and_an_offer_never_waits(tmp_path: Path) -> None:
    held = threading.Event()

    def waits(operation: Operation, body: bytes) -> Request:
        held.wait()
        return read(operation, body)

    capturing = Capturing(tmp_path, waits)
    began = time.monotonic()
    taken = sum(offered(capturing) for _ in range(MOST_WAITING + 50))
    assert time.monotonic() - began < 1
    assert MOST_WAITING <= taken <= MOST_WAITING + 1
    assert capturing.counts.dropped == MOST_WAITING + 50 - taken
    held.set()
    capturing.close()
    assert capturing.counts.kept == taken


def test_an_answer_that_is_too_long_is_dropped(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    assert not offered(capturing, answer="x" * (MAX_CHARACTERS + 1))
    assert capturing.counts.dropped == 1


def test_requests_that_are_too_long_are_lost_and_do_not_end_the_capture(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    for _ in range(4):
        offered(capturing, "x" * (MAX_CHARACTERS + 1))
    offered(capturing)
    capturing.close()
    assert (capturing.counts.lost, capturing.counts.kept) == (4, 1)


@pytest.mark.parametrize("asked", ["", "  "])
def test_a_request_that_asks_nothing_is_no_case(tmp_path: Path, asked: str) -> None:
    capturing = Capturing(tmp_path, read)
    offered(capturing, asked)
    capturing.close()
    assert (capturing.counts.lost, capturing.counts.kept) == (1, 0)


def test_a_body_that_cannot_be_read_is_lost_and_the_next_is_kept(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    capturing.offer(ROUTE, CALLER, CHAT, b"{", "?", "gpt-mini", AT_US)
    offered(capturing)
    capturing.close()
    assert (capturing.counts.lost, capturing.counts.kept) == (1, 1)


def test_a_redaction_without_end_loses_its_request_alone(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    offered(capturing, "a" * 60, route=captured_by(redact=("(a|a)*b",)))
    offered(capturing)
    assert soon(lambda: capturing.counts.kept == 1)
    assert capturing.counts.lost == 1
    capturing.close()
    assert len(rows_in(tmp_path)) == 1


def test_a_writer_that_was_killed_is_started_again(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    offered(capturing)
    assert soon(lambda: capturing.counts.kept == 1)
    assert capturing._process is not None
    os.kill(capturing._process.pid, signal.SIGKILL)
    capturing._process.wait()
    offered(capturing)
    assert soon(lambda: capturing.counts.lost == 1)
    offered(capturing)
    capturing.close()
    assert capturing.counts.kept == 2


def test_writers_that_always_die_are_not_started_for_ever(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read, environment={"PYTHONHOME": str(tmp_path)})
    for _ in range(6):
        offered(capturing)
    capturing.close()
    assert (capturing.counts.lost, capturing._faults) == (6, 3)


WORKER = """
import sys, time
from pathlib import Path
from tests.route.capturing.made import AT_US, CALLER, CHAT, ROUTE, body, read
from clearbar.route.capturing.capturing import Capturing
capturing = Capturing(Path(sys.argv[1]), read)
capturing.offer(ROUTE, CALLER, CHAT, body("?"), "!", "gpt-mini", AT_US)
while not capturing.counts.kept:
    time.sleep(0.01)
print(capturing._process.pid, flush=True)
time.sleep(60)
"""


def test_a_writer_ends_with_its_worker_even_if_that_is_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", WORKER, str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT) as worker:
        assert worker.stdout is not None
        writer = int(worker.stdout.readline())
        worker.kill()
    assert soon(lambda: not _runs(writer))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_hundreds_of_copies_are_all_written(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, read)
    for number in range(500):
        assert soon(lambda number=number: offered(capturing, f"question {number}"))  # type: ignore[misc]
    capturing.close()
    assert {row.input for row in rows_in(tmp_path)} == {f"question {n}" for n in range(500)}
