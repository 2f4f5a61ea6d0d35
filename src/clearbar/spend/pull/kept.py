"""What was pulled, as files: a folder for each span, complete or not there.

    pulled/API[@ACCOUNT]/SERIES/START_END_PULLED/page-00001.json

The pages are what the API sent, to the byte, but for fields that may hold prompts or answers. So a
charge is traced to its bytes like any other. `withdrawn.jsonl` beside them names what an earlier
pull of the same days told of and this one does not.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from uuid import uuid4

from clearbar.core.errors import ClearbarError
from clearbar.spend.pull.api import PullError, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = "pulled"
WITHDRAWN: Final = "withdrawn.jsonl"
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_(\d{8}T\d{12})")
_STAMP: Final = "%Y%m%dT%H%M%S%f"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kept(NamedTuple):
    """One span as it was pulled once."""

    span: Span
    pulled: str
    """When: sorts as time does."""
    folder: Path


def place_of(root: Path, api: str, account: str) -> Path:
    """Return the folder of an API's account; the account may be empty.

    Raises:
        ClearbarError: when the account's name is none that a folder can have.
    """
    if account and not _ACCOUNT.fullmatch(account):
        raise ClearbarError(
            f"an account is named by letters, digits, '.', '-' and '_': not by {account!r}"
        )
    return root / FOLDER / (f"{api}@{account}" if account else api)


@contextmanager
def only_one(place: Path) -> Iterator[None]:
    """Keep others from pulling into a folder; what a pull that was killed has begun is removed.

    Two at once could each miss what the other has withdrawn.

    Raises:
        PullError: when another pull is under way.
    """
    place.mkdir(parents=True, exist_ok=True)
    lock = place.with_name(f".{place.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another pull of {place.name} is under way"
            raise PullError(what, "wait until it ends; its days are added by itself") from None
        for staged in place.glob("*/.*"):
            shutil.rmtree(staged, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def account_of(path: Path) -> str:
    """Return the account that a file was pulled for; empty for any other file."""
    parts = path.parts
    for folder, name in pairwise(parts):
        if folder == FOLDER and "@" in name:
            return name.partition("@")[2]
    return ""


def kept(series: Path) -> list[Kept]:
    """Return what was pulled of a series, the oldest pull first."""
    if not series.is_dir():
        return []
    found = []
    for folder in series.iterdir():
        if (name := _NAME.fullmatch(folder.name)) and folder.is_dir():
            span = Span(date.fromisoformat(name[1]), date.fromisoformat(name[2]))
            found.append(Kept(span, name[3], folder))
    return sorted(found, key=lambda each: (each.pulled, each.span))


def pulled_us(path: Path) -> int | None:
    """Return when a file was pulled, in microseconds since 1970; None for any other file."""
    name = _NAME.fullmatch(path.parent.name)
    if name is None or FOLDER not in path.parts:
        return None
    pulled = datetime.strptime(name[3], _STAMP).replace(tzinfo=UTC)
    return (pulled - _EPOCH) // timedelta(microseconds=1)


class Staging:
    """Pages of a span on their way: kept when published, all or none. A context manager."""

    def __init__(self, series: Path) -> None:
        self._series = series
        self.folder = series / f".{uuid4().hex}"
        self.pages = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, page: bytes) -> None:
        """Take the next page; one that tells nothing is counted and not kept."""
        self.pages += 1
        if not page:
            return
        _write(self.folder / f"page-{self.pages:05}.json", page)

    def publish(self, span: Span, withdrawn: bytes, pulled: str) -> Path:
        """Keep what was taken; return the folder. On return it is durable."""
        if withdrawn:
            _write(self.folder / WITHDRAWN, withdrawn)
        _sync(self.folder)
        kept_as = self._series / f"{span.start}_{span.end}_{pulled}"
        self.folder.rename(kept_as)
        _sync(self._series)
        return kept_as


def stamp(now: datetime) -> str:
    """Return a moment as it stands in the names of folders."""
    return now.astimezone(UTC).strftime(_STAMP)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
