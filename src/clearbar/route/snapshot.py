"""The table of routes and the prices as one file, from the supervisor to the workers.

The first line holds the format and the SHA-256 of the second, which holds the rest. It replaces the
one before in one step, so a reader sees one or the other; and one that is damaged changes nothing.
Only the owner may read it: it holds the hashes of keys.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.route.table_json import read_table, table_json

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.route.route import RouteTable

_FORMAT: Final = 1
_OWNER_ONLY: Final = 0o600
_MAX_BYTES: Final = 256 * 2**20
_HINT: Final = "the table in force stays; the next change writes it anew"


class Snapshot(NamedTuple):
    """What workers work by."""

    table: RouteTable
    prices: dict[str, Any]
    """As `PriceList` writes and reads it."""


class _Head(msgspec.Struct, frozen=True):
    format: int
    sha256: str


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    table: dict[str, Any]
    prices: dict[str, Any]


def write(table: RouteTable, prices: dict[str, Any], path: Path) -> None:
    """Write a snapshot, durably and in one step.

    Raises:
        OSError: when it cannot be written; the one before is still there.
    """
    body = msgspec.json.encode(_Body(table_json(table), prices))
    head = msgspec.json.encode(_Head(_FORMAT, hashlib.sha256(body).hexdigest()))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}-{os.getpid()}-{uuid4().hex[:8]}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(staged, flags, _OWNER_ONLY), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(head + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        _sync(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def read(path: Path) -> Snapshot:
    """Return the snapshot of a file.

    Raises:
        ClearbarError: when it cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except OSError as error:
        said = error.strerror or str(error)
        raise ClearbarError(f"{path.name} cannot be read: {said}", _HINT) from error
    return _read(data, path.name)


class SnapshotReader:
    """Looks again and again whether there is a newer snapshot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.fault = ""
        """What is wrong with the file as it was seen last; empty while it is sound."""

    def look(self) -> Snapshot | None:
        """Return the snapshot where the file was replaced since; None where not, or damaged."""
        try:
            found = self._path.stat()
        except OSError as error:
            self.fault = f"{self._path.name} cannot be read: {error.strerror or error}"
            self._seen = None
            return None
        version = found.st_ino, found.st_mtime_ns, found.st_size
        if version == self._seen:
            return None
        self._seen = version
        try:
            snapshot = read(self._path)
        except ClearbarError as error:
            self.fault = error.message
            return None
        self.fault = ""
        return snapshot


def _read(data: bytes, name: str) -> Snapshot:
    first, _, body = data.partition(b"\n")
    try:
        head = msgspec.json.decode(first, type=_Head)
    except msgspec.MsgspecError as error:
        raise ClearbarError(f"{name} is damaged", _HINT) from error
    if head.format != _FORMAT:
        raise ClearbarError(f"{name} is of another version of Clearbar", "restart the gateway")
    if hashlib.sha256(body).hexdigest() != head.sha256:
        raise ClearbarError(f"{name} is damaged", _HINT)
    try:
        found = msgspec.json.decode(body, type=_Body)
        return Snapshot(read_table(found.table), found.prices)
    except (msgspec.MsgspecError, ClearbarError) as error:
        raise ClearbarError(
            f"{name} is of another version of Clearbar", "restart the gateway"
        ) from (error)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
