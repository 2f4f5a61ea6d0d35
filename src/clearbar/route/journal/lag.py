"""How far the ledger is behind the journals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.journal.entry import Refused
from clearbar.route.journal.read_places import ReadPlaces, WorkerRead
from clearbar.route.journal.reader import Tail, workers

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from clearbar.core.store import Store

_MICROSECOND: Final = 1_000_000


def lag_s(folder: Path, store: Store, now: datetime) -> float:
    """Return how many seconds old the oldest line is that is not in the ledger yet; 0 for none.

    `folder` is that of all journals.
    """
    known = ReadPlaces(store).workers()
    oldest = now.timestamp()
    for worker in workers(folder):
        read = known.get(worker, WorkerRead(worker))
        if read.finished:
            continue
        first = next(Tail(folder, worker, read.place).new_entries(), None)
        if first is not None and not isinstance(first.entry, Refused):
            oldest = min(oldest, first.entry.at_us / _MICROSECOND)
    return max(now.timestamp() - oldest, 0.0)
