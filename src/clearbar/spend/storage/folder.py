"""The ledger's folder: immutable files, each published by one rename, and one manifest.

    records/NAME.parquet   what sources said, as read; never changed
    origins/NAME.parquet   the origins that those records name
    merged/NAME.parquet    charges that several records tell of, merged: derived, can be rebuilt
    united/NAME.parquet    which ids of charges became others: derived too
    links/NAME.parquet     which identities records share: derived too
    manifest.json          which records the newest derived files have taken into account

Any number of processes write and read at once, without a lock: a reader that finds records that
the manifest does not cover merges them itself.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from clearbar.core.errors import LedgerError, refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_LEFTOVER_SECONDS: Final = 3600.0
_DERIVED: Final = ("merged", "united", "links")
"""Folders of derived files; the manifest has a field of the same name for the newest of each."""


class Manifest(msgspec.Struct, frozen=True):
    """What the newest derived files are made of."""

    covers: frozenset[str] = frozenset()
    """Names of record files."""
    merged: str | None = None
    """Name of the merged file; None when no charge has two records."""
    united: str | None = None
    """Name of the file of ids that became others; None when no id did."""
    links: str | None = None
    """Name of the file of links; None when no two identities share any."""
    aliases: bool = False
    """Whether any of the records names another identity of its call."""
    columns: str = ""
    """Which columns all files that it names have: `older_files.COLUMNS_ID` of who wrote it."""


class LedgerFolder:
    """The files of one ledger.

    Raises:
        LedgerError: when its folders cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            for name in ("records", "origins", *_DERIVED, "staging"):
                (path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(*refused(path, error)) from error

    def record_files(self) -> dict[str, Path]:
        """Return name -> path of all published record files."""
        return _parquet_files(self.path / "records")

    def origin_files(self) -> dict[str, Path]:
        """Return name -> path of all published origin files."""
        return _parquet_files(self.path / "origins")

    def record_file(self, name: str) -> Path:
        """Return the path of a record file."""
        return self.path / "records" / f"{name}.parquet"

    def origin_file(self, name: str) -> Path:
        """Return the path of an origin file."""
        return self.path / "origins" / f"{name}.parquet"

    def merged_file(self, name: str) -> Path:
        """Return the path of a merged file."""
        return self.path / "merged" / f"{name}.parquet"

    def united_file(self, name: str) -> Path:
        """Return the path of a file of ids that became others."""
        return self.path / "united" / f"{name}.parquet"

    def links_file(self, name: str) -> Path:
        """Return the path of a file of links."""
        return self.path / "links" / f"{name}.parquet"

    def derived_files(self, manifest: Manifest) -> dict[str, Path]:
        """Return kind -> path of the derived files that a manifest names."""
        names = {kind: getattr(manifest, kind) for kind in _DERIVED}
        return {
            kind: self.path / kind / f"{name}.parquet"
            for kind, name in names.items()
            if name is not None
        }

    def manifest(self) -> Manifest:
        """Return the manifest, an empty one if there is none yet.

        Raises:
            LedgerError: when it cannot be understood.
        """
        path = self.path / "manifest.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            return Manifest()
        except msgspec.MsgspecError as error:
            raise LedgerError(
                f"{path} is damaged: {error}", "delete it: it is rebuilt from the records"
            ) from error

    def lost_files(self) -> list[Path]:
        """Return the record files that were there once, by the manifest, and are gone.

        Raises:
            LedgerError: when the manifest cannot be understood.
        """
        gone = self.manifest().covers - self.record_files().keys()
        return [self.record_file(name) for name in sorted(gone)]

    def publish_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest in one step, and remove what no reader can still be using."""
        used = set(self.derived_files(manifest).values())
        for before in set(self.derived_files(self.manifest()).values()) - used:
            with suppress(FileNotFoundError):
                os.utime(before)  # from now on it is a leftover
        with self.published(self.path / "manifest.json") as staged:
            staged.write_bytes(msgspec.json.encode(manifest))
        self._sweep(used)

    @contextmanager
    def published(self, target: Path) -> Iterator[Path]:
        """Yield a path to write to; on success it becomes `target`, durably and in one step."""
        staged = self.scratch(target.suffix)
        try:
            yield staged
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)
        finally:
            staged.unlink(missing_ok=True)

    def scratch(self, suffix: str) -> Path:
        """Return the path of a file that nobody else writes and no reader looks at."""
        return self.path / "staging" / f"{os.getpid()}-{uuid4().hex}{suffix}"

    def _sweep(self, used: Collection[Path]) -> None:
        oldest = time.time() - _LEFTOVER_SECONDS
        derived = [p for kind in _DERIVED for p in _parquet_files(self.path / kind).values()]
        stale = [path for path in derived if path not in used]
        for path in (*stale, *(self.path / "staging").iterdir()):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:
                continue


def new_name(read_at_us: int) -> str:
    """Return a file name that no other process makes, which sorts by time."""
    return f"{read_at_us:016d}-{uuid4().hex[:12]}"


def _parquet_files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.parquet"))}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
