"""The process that writes captured requests: redacts, protects, appends. One beside each worker.

A process of its own, because a regular expression holds the interpreter for as long as it searches,
and would hold up replies. Here it may take `LIMIT_S`; after that the request is not kept, since
what is not redacted must not reach the disk. It ends when its input does, which is when its worker
ends, in whatever way.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import FrameType  # noqa: TC003 - read by type checkers and nobody else, but small
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from clearbar.core.errors import ClearbarError
from clearbar.route.capturing.files import append
from clearbar.route.capturing.job import read_job
from clearbar.route.capturing.protect import Row, hashed_line, plain_line, sealed_line, sealer
from clearbar.route.capturing.redaction import MAX_CHARACTERS, compiled, redacted

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from clearbar.route.capturing.job import Job

LIMIT_S: Final = 2.0
"""For the redaction of one request."""
KEPT: Final = b"+"
LOST: Final = b"-"
"""What is said of each job on the output."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TooLongError(Exception):
    """A redaction took longer than it may."""


class Writer:
    """Writes jobs below one folder."""

    def __init__(
        self, captured: Path, environment: Mapping[str, str], limit_s: float = LIMIT_S
    ) -> None:
        self._captured = captured
        self._environment = environment
        self._limit_s = limit_s

    def write(self, job: Job) -> bool:
        """Write a job; False where it was not kept."""
        try:
            row = self._row(job)
            append(self._captured, job.workflow, _time(job.at_us), self._line(job, row))
        except (ClearbarError, TooLongError, OSError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def _row(self, job: Job) -> Row:
        texts = (job.input, job.prompt, job.answer, job.cluster)
        if max(map(len, texts)) > MAX_CHARACTERS:
            raise TooLongError
        patterns = _patterns(job.redact)
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)
        try:
            asked, prompt, answer, cluster = (redacted(text, patterns) for text in texts)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        at = _time(job.at_us).isoformat(timespec="milliseconds")
        answers = {job.tool: answer}
        return Row(
            id=uuid4().hex, at=at, input=asked, prompt=prompt, answers=answers, cluster=cluster
        )

    def _line(self, job: Job, row: Row) -> bytes:
        if job.protect == "encrypted":
            return sealed_line(row, job.workflow, sealer(self._environment))
        return hashed_line(row) if job.protect == "hashed" else plain_line(row)


@lru_cache(maxsize=256)
def _patterns(redact: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return compiled(redact)


def _time(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def too_long(signum: int, frame: FrameType | None) -> None:
    """End the search that is under way; Python's own looks for signals now and then."""
    del signum, frame
    raise TooLongError


def main() -> None:
    """Write what comes on the standard input below the folder of the argument."""
    signal.signal(signal.SIGALRM, too_long)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # what was handed over is written; the end comes by EOF
    os.nice(5)
    writer = Writer(Path(sys.argv[1]), os.environ)
    while (job := read_job(sys.stdin.buffer)) is not None:
        sys.stdout.buffer.write(KEPT if writer.write(job) else LOST)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
