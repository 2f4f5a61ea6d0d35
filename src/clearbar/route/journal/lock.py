"""Whether a worker lives: it holds a lock that the kernel takes from it when it dies.

The lock is `flock` on the file `lock` of the worker's folder. It does not depend on clocks, on
process ids, which are used again, or on anybody cleaning up. The file is locked before it gets its
name, and there is no segment before it: whoever sees a segment and can take the lock knows that the
worker is dead. A name is used once, so that it stays so.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK: Final = "lock"
_PRIVATE: Final = 0o600


def take_lock(folder: Path) -> int:
    """Take the lock of a worker's new folder; return the descriptor that holds it until closed."""
    unnamed = folder / f"{LOCK}.new"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unnamed.rename(folder / LOCK)
    return descriptor


def is_alive(folder: Path, worker: str) -> bool:
    """Return whether the worker's process lives; also True where that cannot be found out."""
    try:
        descriptor = os.open(folder / worker / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in the block with the same file, and keep others out."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
