"""Takes copies of requests and answers in a worker, for workflows that declare `capture`.

`offer` puts a copy into a short queue and returns; a thread hands it to the process that redacts
and writes (`writer.py`). Where that does not keep up, copies are dropped and counted: a reply never
waits for a capture, and nothing that was not redacted reaches the disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from clearbar.route.capturing.job import Job, framed
from clearbar.route.capturing.redaction import MAX_CHARACTERS
from clearbar.route.capturing.writer import KEPT
from clearbar.route.copies import Copies, Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clearbar.route.route import Caller, Route
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import Request

MOST_WAITING: Final = 256
MOST_WAITING_BYTES: Final = 32 * 2**20
_MOST_FAULTS: Final = 3
"""Writers that may die in a row before no more is captured."""
_GRACE_S: Final = 5.0


@dataclass(slots=True)
class CaptureCounts(Counts):
    """What became of what was offered."""

    lost: int = 0
    """It could not be redacted in time, or not be written."""


@dataclass(frozen=True, slots=True)
class _Copy:
    route: Route
    operation: Operation
    body: bytes
    text: str
    tool: str
    cluster: str
    at_us: int


class Capturing:
    """Of one worker. `read` tells what a body asks: its prompt and its input."""

    def __init__(
        self,
        captured: Path,
        read: Callable[[Operation, bytes], Request],
        *,
        environment: Mapping[str, str] | None = None,
        chance: Random | None = None,
    ) -> None:
        """Make it for the folder `.clearbar/route/captured`; nothing starts before an offer."""
        self.counts = CaptureCounts()
        self._captured, self._read = captured, read
        self._environment = os.environ if environment is None else environment
        self._chance = chance or Random()  # noqa: S311 - a share, no secret
        self._waiting: Copies[_Copy] = Copies(MOST_WAITING, MOST_WAITING_BYTES)
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._faults = 0

    def offer(
        self,
        route: Route,
        caller: Caller,
        operation: Operation,
        body: bytes,
        answer_text: str,
        tool: str,
        at_us: int,
    ) -> bool:
        """Take a copy of a request that `tool` answered; False where it is not kept."""
        capture = route.capture
        if capture is None or not operation.answers or self._chance.random() >= capture.share:
            return False
        self.counts.offered += 1
        cluster = caller.task or caller.run
        copy = _Copy(route, operation, body, answer_text, tool, cluster, at_us)
        with self._wake:
            too_long = len(answer_text) > MAX_CHARACTERS
            if self._closed or too_long or not self._waiting.put(copy):
                self.counts.dropped += 1
                return False
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="capturing", daemon=True)
            self._thread.start()
        return True

    def close(self) -> None:
        """Write what waits, for a few seconds at most, and end."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is None:
            return
        self._thread.join(_GRACE_S)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def _run(self) -> None:
        while (copy := self._next()) is not None:
            if self._hand_over(copy):
                self.counts.kept += 1
            else:
                self.counts.lost += 1
        self._end()

    def _next(self) -> _Copy | None:
        with self._wake:
            while not self._waiting and not self._closed:
                self._wake.wait()
            return self._waiting.take() if self._waiting else None

    def _hand_over(self, copy: _Copy) -> bool:
        """Have one copy written; wait until it is."""
        if self._faults >= _MOST_FAULTS:
            return False
        capture = copy.route.capture
        try:
            request = self._read(copy.operation, copy.body)
        except Exception:  # noqa: BLE001 - a body that cannot be read is not kept, and hurts nobody
            return False
        too_long = max(len(request.input), len(request.prompt)) > MAX_CHARACTERS
        if capture is None or too_long or not request.input.strip():
            return False
        job = Job(
            copy.route.workflow,
            copy.at_us,
            copy.tool,
            request.input,
            request.prompt,
            copy.text,
            copy.cluster,
            capture.redact,
            capture.protect,
        )
        try:
            said = self._said(framed(job))
        except ValueError:  # half a character, which no file can hold
            return False
        except OSError:
            said = b""
        if not said:
            self._faults += 1
            self._end()
            return False
        self._faults = 0
        return said == KEPT

    def _said(self, job: bytes) -> bytes:
        """Return what the writer says of a job; nothing where it died."""
        process = self._process = self._process or self._started()
        if process.stdin is None or process.stdout is None:
            return b""
        process.stdin.write(job)
        process.stdin.flush()
        return process.stdout.read(1)

    def _started(self) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "clearbar.route.capturing.writer", str(self._captured)]
        return subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(self._environment),
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            if process.stdin is not None:
                try:
                    process.stdin.close()
                except OSError:
                    process.kill()
