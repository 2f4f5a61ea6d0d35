"""The thread that keeps what comes: unpacks it, puts it on the disk, and only then has it answered.

Many requests share one write: while one is on its way to the disk, the next ones gather.
"""

from __future__ import annotations

import shutil
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from clearbar.route.receiving.answers import Answer, refusal, taken
from clearbar.route.receiving.files import Files
from clearbar.route.receiving.kept import Kept, kept
from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.route.http.message import Reply
    from clearbar.spend.shapes.otel_protobuf import Signal

_TURN_S: Final = 0.5
_SOONEST_S: Final = 5.0
"""A large file is not closed sooner: each time, the traces that go on are written again."""
_MOST_FILES: Final = 8
"""With so many times the size of a file, all is closed, also traces that go on."""
_RETRY_S: Final = 5
_GZIP: Final = 31
"""Of zlib: a window of 15 bits, in a gzip wrapper."""
_MOST_MEMBERS: Final = 64
"""Gzip may be several, one behind the other."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of anything is held."""

    unpacked_bytes: int = 16 * 2**20
    """Of one request."""
    waiting_bytes: int = 64 * 2**20
    """Of all bodies that wait for the disk; more are asked to come again."""
    batch_bytes: int = 4 * 2**20
    """Bodies that share one write."""
    file_bytes: int = 16 * 2**20
    """A file is closed when it is larger."""
    free_bytes: int = 256 * 2**20
    """Of the disk: with less, nothing is taken any more."""
    close_every_s: float = 60.0
    """How often what came is closed and read."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request."""

    reply: Reply
    signal: Signal
    payload: bytes = field(repr=False)
    is_json: bool
    is_packed: bool


class Writer:
    """Takes jobs from the event loop and answers them there; tells it of closed files."""

    def __init__(
        self, folder: Path, loop: AbstractEventLoop, room: Room, closed: Callable[[Path], None]
    ) -> None:
        """Begin; `closed` is called in the loop.

        Raises:
            OSError: when the folder cannot be written.
        """
        self._files = Files(folder, time.monotonic())
        self._folder = folder
        self._loop = loop
        self._room = room
        self._closed = closed
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting_bytes = 0
        self._number = 0
        self.lacks_disk = self._is_disk_full()
        """Whether the disk has too little room."""
        self._thread = threading.Thread(target=self._run, name="receive", daemon=True)
        self._thread.start()

    def take(self, job: Job) -> bool:
        """Take a job, or return that too much waits already. In the loop's thread."""
        if self._waiting_bytes + len(job.payload) > self._room.waiting_bytes:
            return False
        self._waiting_bytes += len(job.payload)
        self._jobs.put(job)
        return True

    def close(self) -> list[Path]:
        """End, after all jobs; return the files that were closed at the end."""
        self._jobs.put(None)
        self._thread.join()
        return self._at_end

    def _run(self) -> None:
        self._at_end: list[Path] = []
        going = True
        while going:
            going, jobs = self._next_jobs()
            if jobs:
                self._keep(jobs)
            self.lacks_disk = self._is_disk_full()
            if self._is_due():
                for path in self._closed_now():
                    self._tell(self._closed, path)
        self._at_end = self._closed_now(everything=True)
        self._files.close()

    def _next_jobs(self) -> tuple[bool, list[Job]]:
        """Return whether to go on, and what has come; wait a little for the first."""
        jobs: list[Job] = []
        size, timeout = 0, _TURN_S
        with suppress(Empty):
            while size < self._room.batch_bytes:
                job = self._jobs.get(timeout=timeout) if timeout else self._jobs.get_nowait()
                if job is None:
                    return False, jobs
                jobs.append(job)
                size, timeout = size + len(job.payload), 0.0
        return True, jobs

    def _keep(self, jobs: list[Job]) -> None:
        """Put jobs on the disk and answer them, as many at once as may be held when unpacked."""
        read: list[tuple[Job, Kept | Answer]] = []
        size = 0
        for job in jobs:
            found = self._read(job)
            read.append((job, found))
            if isinstance(found, Kept):
                size += sum(len(line.payload) for line in found.lines)
            if size >= self._room.batch_bytes:
                self._write(read)
                read, size = [], 0
        self._write(read)

    def _write(self, read: list[tuple[Job, Kept | Answer]]) -> None:
        why = ""
        lines = [line for _, found in read if isinstance(found, Kept) for line in found.lines]
        try:
            if lines:
                self._files.append(lines, time.monotonic())
        except OSError as error:
            why = f"it cannot be kept: {error.strerror}"
        self._tell(self._answer, [(job, _answered(job, found, why)) for job, found in read])

    def _read(self, job: Job) -> Kept | Answer:
        try:
            payload = self._unpacked(job.payload) if job.is_packed else job.payload
            return kept(job.signal, payload, is_json=job.is_json) if payload else Kept([])
        except QuarantineError as error:
            status = 413 if error.what.startswith("larger") else 400
            return refusal(status, error.what, is_json=job.is_json)
        except Exception:  # noqa: BLE001 - what one request breaks ends with that request
            return refusal(400, "no OTLP export request", is_json=job.is_json)

    def _unpacked(self, payload: bytes) -> bytes:
        most = self._room.unpacked_bytes
        found = bytearray()
        for _ in range(_MOST_MEMBERS):
            unpacking = zlib.decompressobj(_GZIP)
            try:
                found += unpacking.decompress(payload, most + 1 - len(found))
            except zlib.error as error:
                raise QuarantineError("no gzip") from error
            if len(found) > most:
                raise QuarantineError(f"larger than {most} bytes when unpacked")
            if not unpacking.eof:
                raise QuarantineError("gzip that is cut short")
            payload = unpacking.unused_data
            if not payload:
                return bytes(found)
        raise QuarantineError("gzip of too many parts")

    def _answer(self, answered: list[tuple[Job, Answer]]) -> None:
        """Send the answers; in the loop's thread."""
        for job, answer in answered:
            self._waiting_bytes -= len(job.payload)
            job.reply.send(answer.status, answer.headers, answer.body)

    def _is_due(self) -> bool:
        files, room = self._files, self._room
        age = time.monotonic() - files.opened_s
        wait = min(_SOONEST_S, room.close_every_s) if self._is_large(1) else room.close_every_s
        return files.size > 0 and age >= wait

    def _is_large(self, times: int) -> bool:
        return self._files.size >= times * self._room.file_bytes

    def _closed_now(self, *, everything: bool = False) -> list[Path]:
        self._number += 1
        name = f"received-{time.time_ns() // 1000}-{self._number}.jsonl"
        try:
            now = time.monotonic()
            everything = everything or self._is_large(_MOST_FILES)  # traces may be cut then
            closed = self._files.close_settled(now, name, everything=everything)
        except OSError:
            return []  # the disk is full: it stays where it is, and is tried again
        return [closed] if closed else []

    def _is_disk_full(self) -> bool:
        try:
            return shutil.disk_usage(self._folder).free < self._room.free_bytes
        except OSError:
            return True

    def _tell(self, call: Callable[..., None], what: object) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, what)


def _answered(job: Job, found: Kept | Answer, why: str) -> Answer:
    """Return the answer to a job; `why` says why what could have been taken is not on the disk."""
    if isinstance(found, Answer):
        return found
    if why and found.lines:
        return refusal(503, why, is_json=job.is_json, retry_after_s=_RETRY_S)
    return taken(job.signal, found.refused, found.why, is_json=job.is_json)
