"""Removes what is in the ledger and old enough, and gives back the room that dead workers took."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from clearbar.route.journal.framing import HEADER
from clearbar.route.journal.lock import LOCK, alone, is_alive
from clearbar.route.journal.read_places import ReadPlaces
from clearbar.route.journal.reader import workers
from clearbar.route.journal.segment import segment_name, segment_numbers

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.route.journal.read_places import WorkerRead

KEPT_DAYS: Final = 7
_DAY_S: Final = 86_400
_BLOCK_BYTES: Final = 64 * 1024


def remove_charged(folder: Path, store: Store, now: datetime, days: float = KEPT_DAYS) -> int:
    """Remove the segments that are wholly in the ledger and older than some days; return how many.

    A segment that a living worker may still write to, or that holds the beginning of a call whose
    end is not in the ledger yet, stays. Of dead workers the room behind the last line is given back
    at once, and with the last segment the folder goes. Safe at any time, in any process.
    """
    if not workers(folder):
        return 0
    places = ReadPlaces(store)
    removed = 0
    with alone(folder / "charging.lock"):
        known = places.workers()
        for worker in workers(folder):
            own = folder / worker
            if segment_numbers(own) and not is_alive(folder, worker):
                _trim(own)
            if (read := known.get(worker)) is not None:
                removed += _remove(own, read, places, now.timestamp() - days * _DAY_S)
    return removed


def _remove(own: Path, read: WorkerRead, places: ReadPlaces, oldest_s: float) -> int:
    needed = {line.segment for line in places.open_calls(read.worker).values()}
    removed = 0
    for number in segment_numbers(own):
        path = own / segment_name(number)
        charged = read.finished or number < read.place.segment
        if charged and number not in needed and path.stat().st_mtime < oldest_s:
            path.unlink()
            removed += 1
    if read.finished and not segment_numbers(own):
        for path in own.iterdir():
            path.unlink()
        own.rmdir()
        places.forget_worker(read.worker)
    return removed


def _trim(own: Path) -> None:
    """Cut the zeros off the segments of a dead worker; remove those that hold no line."""
    for path in [*own.glob("*.new"), *(own / segment_name(n) for n in segment_numbers(own))]:
        if path.name == f"{LOCK}.new":
            continue
        with suppress(OSError):
            used = _used_bytes(path)
            if used <= len(HEADER) and path.name != segment_name(1):
                path.unlink()
            elif used < path.stat().st_size:
                modified = path.stat()
                os.truncate(path, used)
                os.utime(path, ns=(modified.st_atime_ns, modified.st_mtime_ns))


def _used_bytes(path: Path) -> int:
    """Return where the zeros at the end of a file begin."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _BLOCK_BYTES)
            file.seek(start)
            if used := len(file.read(end - start).rstrip(b"\0")):
                return start + used
            end = start
    return 0
