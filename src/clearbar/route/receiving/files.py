"""The files of what was received: one that is written, and those that are closed and can be read.

A line is on the disk before anybody is told that it was taken. A file is closed by writing the
lines of the traces that have come to rest aside, and naming the file when it is whole; the lines of
the other traces go on into the next file. So a closed file never changes, holds whole traces as
far as they came in time, and a crash between any two steps leaves a line in two files at worst,
which the ledger counts once.

Used by one thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from clearbar.route.receiving.kept import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CURRENT: Final = "current.otlp"
"""The file that is written: no source knows its ending, so that nobody reads it by accident."""
_PRIVATE: Final = 0o600
QUIET_S: Final = 15.0
"""A trace of which nothing came for so long is at rest: exporters send every few seconds."""
LONGEST_S: Final = 300.0
"""How long a trace is waited for at most, from its first line."""


class Files:
    """The folder of what was received."""

    def __init__(self, folder: Path, now_s: float) -> None:
        """Open the folder; what a crash has left of the file that was written is taken over.

        Raises:
            OSError: when the folder cannot be written.
        """
        self._folder = folder
        self._lines: list[Line] = []
        self._first_s: dict[str, float] = {}
        self._last_s: dict[str, float] = {}
        self._size = 0
        self._opened_s = now_s
        self._descriptor = os.open(
            folder / CURRENT, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE
        )
        self._sync_folder()
        self._take_over(now_s)

    @property
    def size(self) -> int:
        """Bytes of the file that is written."""
        return self._size

    @property
    def opened_s(self) -> float:
        """When the file that is written was begun."""
        return self._opened_s

    def append(self, lines: Iterable[Line], now_s: float) -> None:
        """Put lines on the disk.

        Raises:
            OSError: when they are not; then none of them is in the file.
        """
        new = list(lines)
        data = b"".join(line.payload + b"\n" for line in new)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:], self._size + written)
            os.fdatasync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        for line in new:
            self._note(line, now_s)

    def close_settled(self, now_s: float, name: str, *, everything: bool = False) -> Path | None:
        """Close a file with the traces at rest, or with all; None where they tell of no call.

        Raises:
            OSError: when it cannot be; what was received stays in the file that is written.
        """
        settled = {trace for trace in self._last_s if everything or self._is_at_rest(trace, now_s)}
        matters = {line.trace for line in self._lines if line.matters}
        closing = [each for each in self._lines if each.trace in settled & matters]
        staying = [each for each in self._lines if each.trace not in settled]
        closed = self._write(name, closing) if closing else None
        if len(staying) < len(self._lines):
            self._go_on_with(staying)
        self._opened_s = now_s
        return closed

    def close(self) -> None:
        """Let go of the file that is written."""
        os.close(self._descriptor)

    def _is_at_rest(self, trace: str, now_s: float) -> bool:
        return (
            not trace
            or now_s - self._last_s[trace] >= QUIET_S
            or now_s - self._first_s[trace] >= LONGEST_S
        )

    def _note(self, line: Line, now_s: float) -> None:
        self._lines.append(line)
        self._first_s.setdefault(line.trace, now_s)
        self._last_s[line.trace] = now_s

    def _take_over(self, now_s: float) -> None:
        data = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        whole = data[: data.rfind(b"\n") + 1]  # what is behind was promised to nobody
        if len(whole) < len(data):
            os.ftruncate(self._descriptor, len(whole))
        self._size = len(whole)
        for payload in whole.splitlines():
            if (line := line_of(payload)) is not None:
                self._note(line, now_s)

    def _write(self, name: str, lines: list[Line]) -> Path:
        aside = self._folder / f"{name}.new"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(line.payload + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        target = self._folder / name
        aside.rename(target)
        self._sync_folder()
        return target

    def _go_on_with(self, lines: list[Line]) -> None:
        path = self._write(f"{CURRENT}.next", lines)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        path.rename(self._folder / CURRENT)
        self._sync_folder()
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._lines = lines
        self._size = os.fstat(descriptor).st_size
        left = {line.trace for line in lines}
        self._first_s = {each: self._first_s[each] for each in left}
        self._last_s = {each: self._last_s[each] for each in left}

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
