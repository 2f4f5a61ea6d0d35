"""Calls of the gateway become charges: each once, however often and by whomever this is done.

A pass reads what the journals say beyond where the last pass came to, appends the charges to the
ledger, and only then writes down how far it came. A process that dies in between leaves nothing to
mend: the next pass appends the same records of the same bytes, which the ledger knows. Passes of
several processes wait for each other. Where a file of the ledger is lost, everything that is still
in the journals is read again.

A charge names its evidence: its uri is `route/journal/WORKER/SEGMENT`, and the bytes are the line
that tells of the call's end; of a call that was lost with its worker, the line of its beginning.

Its identity is the provider's own id of the answer, so that a trace or a bill of the same call is
the same charge; without one it is the gateway's. Careless servers give one id to many answers: an
id that is too short to be unique is not taken, and of calls with equal ids only the first has it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from datetime import UTC
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.errors import Problem
from clearbar.route.journal.charge_reading import Single, WorkerCharges
from clearbar.route.journal.charge_record import SOURCE, own_identity
from clearbar.route.journal.lock import alone
from clearbar.route.journal.read_places import ReadPlaces, WorkerRead
from clearbar.route.journal.reader import workers
from clearbar.route.journal.seen_calls import Drawing
from clearbar.spend.storage.append import BATCH_RECORDS, FileRead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.route.journal.charge_rows import Rows
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.append import Appender
    from clearbar.spend.storage.ledger import Ledger

PARSER_VERSION: Final = 1
_BATCH: Final = BATCH_RECORDS
_MOST_UNSETTLED: Final = 60
"""Record files that are left to whoever reads the ledger to take into account: looking for other
records of the same charges means reading through all that are there."""


def charge_journal(
    folder: Path, ledger: Ledger, book: PriceBook, store: Store, now: datetime
) -> int:
    """Append the charges of all calls that journals tell of and the ledger does not yet hold.

    `folder` is that of all journals. Return how many are new. Safe at any time, in any process.

    Raises:
        LedgerError: when the ledger or the store cannot be read or written.
    """
    if not workers(folder):
        return 0
    with alone(folder / "charging.lock"), _no_collection():
        return _Pass(folder, ledger, book, store, now).run()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no cycles of garbage meanwhile: what is read is much, and makes none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def uri_of(segment: str) -> str:
    """Return how charges name a segment, which is given relative to the folder of journals."""
    return f"route/journal/{segment}"


class _Pass:
    """One reading of what is new in all journals."""

    def __init__(
        self, folder: Path, ledger: Ledger, book: PriceBook, store: Store, now: datetime
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._book = book
        self._places = ReadPlaces(store)
        self._now = now
        self._due: list[Rows | Single] = []
        self._due_count = 0
        self._problems: list[tuple[str, Problem]] = []
        self._touched: list[WorkerCharges] = []
        self._drawing = Drawing()
        self._appender: Appender | None = None
        """Made for the first charge: most passes over a quiet gateway have none."""
        self._sure = False
        """Whether each journal was read before, so that what was noted then covers all that it was
        made into."""

    def run(self) -> int:
        """Read all journals; return how many charges are new."""
        self._places.forget_if_lost(self._ledger.folder.record_files())
        try:
            charged = self._read()
        finally:
            if self._appender is not None:
                self._appender.close()
        if self._appender is not None and self._ledger.unsettled() > _MOST_UNSETTLED:
            self._ledger.settle()
        return charged

    def _read(self) -> int:
        known = self._places.workers()
        all_read = [known.get(name) or WorkerRead(name) for name in workers(self._folder)]
        self._sure = all(read.worker in known for read in all_read)
        charged = 0
        for read in all_read:
            if read.finished:
                continue
            earlier = self._places.open_calls(read.worker)
            worker = WorkerCharges(self._folder, read, earlier, self._problems, self._drawing)
            self._touched.append(worker)
            for due in worker.new():
                self._due += due
                self._due_count += sum(
                    1 if isinstance(each, Single) else len(each.call_ids) for each in due
                )
                if self._due_count >= _BATCH:
                    charged += self._flush()
        return charged + self._flush()

    def _flush(self) -> int:
        """Append what is due, then write down how far the journals were read."""
        published, added = self._append() if self._due else ([], 0)
        if self._problems or any(worker.moved for worker in self._touched):
            self._places.save(
                [(worker.read, worker.begun) for worker in self._touched],
                published,
                [(uri_of(segment), problem) for segment, problem in self._problems],
                self._now.astimezone(UTC).isoformat(timespec="seconds"),
                self._drawing,
            )
        self._touched = [worker for worker in self._touched if not worker.done]
        self._due.clear()
        self._due_count = 0
        self._problems.clear()
        return added

    def _append(self) -> tuple[Sequence[str], int]:
        """Append what is due; return the ledger's new files, and how many charges are new."""
        if self._appender is None:
            files = self._ledger.folder.record_files()
            held = self._places.unsure(files) if self._sure else files.values()
            now_us = int(self._now.timestamp() * 1e6)
            self._appender = self._ledger.appender(self._book, now_us, held)
        appender = self._appender
        published, known = len(appender.published), appender.known
        added, segment = 0, ""
        for due in _told_apart(self._due, appender):
            if due.segment != segment:
                segment = due.segment
                appender.begin(FileRead(uri_of(segment), SOURCE, PARSER_VERSION))
            if not isinstance(due, Single):
                columns = {"identity": due.identities, **due.columns}
                appender.add_all(columns, due.kinds, due.kind_numbers)
                added += len(due.identities)
            elif appender.add(due.record):
                added += 1
            else:
                self._problems.append((segment, Problem("names or ids of a million bytes")))
        appender.seal()
        return appender.published[published:], added - (appender.known - known)


def _told_apart(due: list[Rows | Single], appender: Appender) -> list[Rows | Single]:
    """Return the charges, with the gateway's identity where another call has the upstream's."""
    identities = [
        identity
        for identity in chain.from_iterable(map(_identities, due))
        if identity.startswith("upstream:")
    ]
    found = appender.places(identities, SOURCE)
    if not found and len(set(identities)) == len(identities):
        return due
    taken = {identity: (uri, offset) for identity, uri, offset in found}
    return [_identified(each, taken) for each in due]


def _identities(due: Rows | Single) -> Sequence[str]:
    return [due.record.identity] if isinstance(due, Single) else due.identities


def _identified(due: Rows | Single, taken: dict[str, tuple[str, int]]) -> Rows | Single:
    uri = uri_of(due.segment)
    if isinstance(due, Single):
        offset = due.record.offset or 0
        [identity] = _own(uri, [(due.record.identity, due.call_id, offset)], taken)
        return due._replace(record=msgspec.structs.replace(due.record, identity=identity))
    calls = zip(due.identities, due.call_ids, due.columns["offset"], strict=True)
    return due._replace(identities=_own(uri, calls, taken))


def _own(
    uri: str, calls: Iterable[tuple[str, str, int]], taken: dict[str, tuple[str, int]]
) -> list[str]:
    """Return the identity of each call, given as the upstream's, its id and its place."""
    return [
        identity
        if taken.setdefault(identity, (uri, offset)) == (uri, offset)
        else own_identity(call_id)
        for identity, call_id, offset in calls
    ]
