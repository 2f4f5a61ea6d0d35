"""Captured requests on disk: one folder a workflow, one file of lines a UTC day, for us alone.

Any number of processes append: a line is one write to a file opened for appending.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from clearbar.core.errors import Problem, UnknownName
from clearbar.route.capturing.protect import Row, SealedError, opened, sealer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_LINE_BYTES: Final = 16 * 2**20
DEFAULT_DAYS: Final = 30
"""For which captures are kept of a workflow that no longer declares any."""
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")
_OURS: Final = 0o600
_OUR_FOLDER: Final = 0o700


class CapturedDays(NamedTuple):
    """What is kept of one workflow."""

    workflow: str
    first: date
    last: date
    files: int
    size_bytes: int


def folder_of(captured: Path, workflow: str) -> Path:
    """Return the folder of a workflow: its name, with whatever a path may not hold escaped."""
    name = quote(workflow, safe=" ")
    return captured / (f"%2E{name[1:]}" if name.startswith(".") else name)


def append(captured: Path, workflow: str, at: datetime, line: bytes) -> None:
    """Append a line to the file of its day.

    Raises:
        OSError: when that is not possible.
    """
    folder = folder_of(captured, workflow)
    folder.mkdir(mode=_OUR_FOLDER, parents=True, exist_ok=True)
    path = folder / f"{at.astimezone(UTC).date().isoformat()}.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, _OURS)
    try:
        if os.write(file, line) < len(line):
            raise OSError("the disk took only a part of a line")
    finally:
        os.close(file)


def kept(captured: Path) -> list[CapturedDays]:
    """Return what is kept, by workflow."""
    found = []
    for folder in sorted(_folders(captured)):
        files = _day_files(folder)
        if files:
            days = [day for day, _ in files]
            size = sum(path.stat().st_size for _, path in files)
            name = unquote(folder.name)
            found.append(CapturedDays(name, days[0], days[-1], len(files), size))
    return found


def rows(
    captured: Path, workflow: str, environment: Mapping[str, str], since: date | None = None
) -> Iterator[Row | Problem]:
    """Yield the captured requests of a workflow, oldest day first; what cannot be read is told.

    Raises:
        UnknownName: when nothing is kept of it.
        ClearbarError: when it is encrypted and there is no key.
    """
    files = [
        path
        for day, path in _day_files(folder_of(captured, workflow))
        if since is None or day >= since
    ]
    if not files:
        raise UnknownName(
            f"nothing is captured of {workflow}",
            "see what is: clearbar route capture; declare `capture` in its [[route]]",
        )
    reader = _Reader(workflow, environment)
    for path in files:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES):
                number += 1
                yield reader.read(line, number)


def expire(captured: Path, days: Mapping[str, int], today: date) -> int:
    """Remove the files that are older than their workflow keeps them; return how many.

    `days`: by workflow, as declared; for others `DEFAULT_DAYS`.
    """
    gone = 0
    for folder in _folders(captured):
        keeps = timedelta(days=days.get(unquote(folder.name), DEFAULT_DAYS))
        for day, path in _day_files(folder):
            if day + keeps < today:
                path.unlink(missing_ok=True)
                gone += 1
    return gone


def forget(captured: Path, workflow: str) -> int:
    """Remove all that is kept of a workflow; return how many files there were."""
    folder = folder_of(captured, workflow)
    files = _day_files(folder)
    if folder.is_dir():
        shutil.rmtree(folder)
    return len(files)


class _Reader:
    def __init__(self, workflow: str, environment: Mapping[str, str]) -> None:
        self._workflow = workflow
        self._environment = environment
        self._seal: Any = None

    def read(self, line: bytes, number: int) -> Row | Problem:
        try:
            told = msgspec.json.decode(line, type=dict[str, Any])
            if "sealed" in told:
                self._seal = self._seal or sealer(self._environment)
                return opened(told, self._workflow, self._seal)
            if "input_digest" in told:
                return Problem("only digests were kept", 'declare protect = "encrypted"', number)
            return msgspec.convert(told, Row)
        except SealedError as error:
            return Problem(error.message, error.hint, number)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return Problem("no captured request: the line was cut off or changed", "", number)


def _folders(captured: Path) -> list[Path]:
    return [each for each in captured.iterdir() if each.is_dir()] if captured.is_dir() else []


def _day_files(folder: Path) -> list[tuple[date, Path]]:
    """Return the files of a workflow, oldest first; what is not ours is passed over."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _DAY.fullmatch(path.name)
        try:
            day = date.fromisoformat(match[1]) if match else None
        except ValueError:
            day = None
        if day is not None:
            found.append((day, path))
    return sorted(found)


def checked(environment: Mapping[str, str], protect: str) -> None:
    """Check, before requests flow, that what is declared can be done.

    Raises:
        ClearbarError: when captures are to be encrypted and there is no key.
    """
    if protect == "encrypted":
        sealer(environment)
