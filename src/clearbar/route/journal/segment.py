"""One file of a journal: its room is taken from the disk before the first line is written.

Lines are written through a shared mapping. What stands in it belongs to the kernel: it outlives the
process, however that dies. Only a machine that stops needs more, which is `sync`.

Writing to a mapping has no way to fail but a signal that kills. So the file has all of its blocks
before it is mapped (`posix_fallocate`): a full disk is an error then, and never later.

`fdatasync` writes the dirty pages of shared mappings too. On Linux a page of a mapping is
write-protected while it is clean, so that the first write marks it dirty in the file's page cache
(since 2.6.19), and `msync(MS_SYNC)` is itself no more than `vfs_fsync_range(..., datasync=1)` on
the file (mm/msync.c), which is what `fdatasync` calls. A test looks at the pages. Unlike
`mmap.flush`, `os.fdatasync` leaves the interpreter to other threads while it waits.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.framing import HEADER

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = re.compile(r"(\d{8})\.log")
_PRIVATE: Final = 0o600


class Segment:
    """An open file of a journal, to be written from front to back by one thread."""

    __slots__ = ("_descriptor", "map", "number", "path", "size")

    def __init__(self, folder: Path, number: int, size: int) -> None:
        self.number = number
        self.size = size
        self.path = folder / segment_name(number)
        aside = self.path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        self._descriptor = -1
        try:
            self._descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE)
            os.posix_fallocate(self._descriptor, 0, size)
            os.pwrite(self._descriptor, HEADER, 0)
            os.fsync(self._descriptor)
            self.map = mmap.mmap(self._descriptor, size)
            aside.rename(self.path)
            sync_folder(folder)
        except (OSError, ValueError) as error:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            aside.unlink(missing_ok=True)
            raise _no_room(folder, error) from error

    def sync(self) -> None:
        """Put all that was written on the disk."""
        os.fdatasync(self._descriptor)

    def seal(self, used: int) -> None:
        """Give back the room behind the last line, and close; nobody may write any more."""
        self.map.close()
        try:
            os.ftruncate(self._descriptor, used)
        finally:
            os.close(self._descriptor)

    def discard(self) -> None:
        """Close and remove a segment that holds no line."""
        self.map.close()
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)


def segment_name(number: int) -> str:
    """Return the file name of a segment."""
    return f"{number:08d}.log"


def segment_numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments in a worker's folder, in order; none if it is gone."""
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_room(folder: Path, error: OSError | ValueError) -> ClearbarError:
    reason = getattr(error, "strerror", None) or str(error)
    return ClearbarError(
        f"the journal cannot go on in {folder}: {reason}",
        "free some space there; no request is served without a journal",
    )
