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

import os
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.route.journal.charge_record import (
    SOURCE,
    fault_of,
    is_charge,
    lost_record,
    record_of,
)
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.lock import alone
from clearbar.route.journal.read_places import LinePlace, ReadPlaces, WorkerRead
from clearbar.route.journal.reader import Tail, workers
from clearbar.route.journal.segment import segment_name
from clearbar.spend.append import FileRead
from clearbar.spend.charge import digest_of
from clearbar.spend.engine import connect
from clearbar.spend.identity import gateway, upstream
from clearbar.spend.record_files import parquet_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.route.journal.reader import Placed
    from clearbar.spend.charge import Record
    from clearbar.spend.ledger import Ledger
    from clearbar.spend.prices import PriceBook

PARSER_VERSION: Final = 1
GATEWAY: Final = "clearbar"
"""The gateway's name in the identity of its charges."""
_BATCH: Final = 20_000
_SHORTEST_UNIQUE_ID: Final = 16
"""Without its prefix: `chatcmpl-123` is what some servers say again and again."""
_SEPARATOR: Final = re.compile("[_-]")
_LAST_US: Final = 253_402_300_800_000_000
"""The year 10000."""


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
    with alone(folder / "charging.lock"):
        return _Pass(folder, ledger, book, store, now).run()


def uri_of(segment: str) -> str:
    """Return how charges name a segment, which is given relative to the folder of journals."""
    return f"route/journal/{segment}"


class _Due(NamedTuple):
    """A charge that is to be appended."""

    segment: str
    call_id: str
    record: Record


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
        self._due: list[_Due] = []
        self._problems: list[tuple[str, Problem]] = []
        self._touched: list[_Worker] = []
        self._published: list[str] = []

    def run(self) -> int:
        """Read all journals; return how many charges are new."""
        self._places.forget_if_lost(self._ledger.folder.record_files())
        known = self._places.workers()
        charged = 0
        for name in workers(self._folder):
            read = known.get(name) or WorkerRead(name)
            if read.finished:
                continue
            worker = _Worker(self._folder, read, self._places.open_calls(name), self._problems)
            self._touched.append(worker)
            for due in worker.records():
                self._due.append(due)
                if len(self._due) >= _BATCH:
                    charged += self._flush()
        charged += self._flush()
        if self._published:
            self._ledger.settle(self._published)
        return charged

    def _flush(self) -> int:
        """Append what is due, then write down how far the journals were read."""
        published, added = self._append() if self._due else ([], 0)
        if self._problems or any(worker.moved for worker in self._touched):
            self._places.save(
                [(worker.read, worker.begun) for worker in self._touched],
                published,
                [(uri_of(segment), problem) for segment, problem in self._problems],
                self._now.astimezone(UTC).isoformat(timespec="seconds"),
            )
        self._touched = [worker for worker in self._touched if not worker.done]
        self._published += published
        self._due.clear()
        self._problems.clear()
        return added

    def _append(self) -> tuple[list[str], int]:
        """Append what is due; return the ledger's new files, and how many charges are new."""
        taken = _taken(self._ledger, {due.record.identity for due in self._due})
        added, segment = 0, ""
        with self._ledger.appender(self._book, int(self._now.timestamp() * 1e6)) as appender:
            for due in self._due:
                if due.segment != segment:
                    segment = due.segment
                    appender.begin(FileRead(uri_of(segment), SOURCE, PARSER_VERSION))
                if appender.add(_identified(due, taken)):
                    added += 1
                else:
                    self._problems.append((due.segment, Problem("names or ids of a million bytes")))
            appender.seal()
            return appender.published, added - appender.known


class _Worker:
    """What is new in one worker's journal."""

    def __init__(
        self,
        folder: Path,
        read: WorkerRead,
        begun: dict[str, LinePlace],
        problems: list[tuple[str, Problem]],
    ) -> None:
        self.read = read
        self.begun = begun
        self.done = False
        """Whether nothing more comes in this pass."""
        self._before = (read.place, read.finished)
        self._folder = folder
        self._tail = Tail(folder, read.worker, read.place)
        self._held: dict[str, Held] = {}
        """Of the calls that have begun in this pass."""
        self._problems = problems

    @property
    def moved(self) -> bool:
        """Whether anything was read in this pass."""
        return (self.read.place, self.read.finished) != self._before

    def records(self) -> Iterator[_Due]:
        """Yield the charges; `read` and `begun` move along."""
        for placed in self._tail.new_entries():
            self.read.place = self._tail.place
            entry = placed.entry
            if isinstance(entry, Held):
                self._held[entry.call_id] = entry
                self.begun[entry.call_id] = LinePlace(placed.number, placed.offset, placed.length)
            elif isinstance(entry, Ended) and (record := self._ended(entry, placed)) is not None:
                yield _Due(placed.segment, entry.call_id, record)
        self.read.place = self._tail.place
        self._problems += self._tail.problems
        if self._tail.finished:
            yield from self._lost()
            self.read.finished = True
        self.done = True

    def _ended(self, ended: Ended, placed: Placed) -> Record | None:
        begun = self.begun.pop(ended.call_id, None)
        if begun is None:
            self._note(placed.segment, "a call ended whose beginning is not there")
            return None
        held = self._held.pop(ended.call_id, None) or self._read_again(begun)
        if held is None or not _datable(held.at_us, ended.at_us):
            self._note(placed.segment, "the beginning of a call that ended cannot be read")
            return None
        if not is_charge(held, ended):
            return None
        if fault := fault_of(ended):
            self._note(placed.segment, fault)
            ended = msgspec.structs.replace(
                ended, usage={}, known="none", priced=False, cost_nusd=0
            )
        identity = _identity(held, ended)
        line = LinePlace(placed.number, placed.offset, placed.length)
        return record_of(held, ended, identity=identity, **_evidence(line, placed.payload))

    def _lost(self) -> Iterator[_Due]:
        """Yield the charges of the calls that a dead worker had in flight."""
        for call_id, line in self.begun.items():
            segment = f"{self.read.worker}/{segment_name(line.segment)}"
            payload = self._payload(line)
            held = self._held.get(call_id) or self._read_again(line)
            if held is None or not _datable(held.at_us):
                self._note(segment, "the beginning of a call that was lost cannot be read")
                continue
            if not is_charge(held, None):
                continue
            identity = gateway(GATEWAY, call_id)
            record = lost_record(held, identity=identity, **_evidence(line, payload))
            yield _Due(segment, call_id, record)
        self.begun.clear()

    def _read_again(self, line: LinePlace) -> Held | None:
        try:
            return msgspec.json.decode(self._payload(line), type=Held)
        except msgspec.MsgspecError:
            return None

    def _payload(self, line: LinePlace) -> bytes:
        try:
            path = self._folder / self.read.worker / segment_name(line.segment)
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.pread(descriptor, line.length, line.offset)
        finally:
            os.close(descriptor)

    def _note(self, segment: str, what: str) -> None:
        self._problems.append((segment, Problem(what, "see the lines before it in the journal")))


def _identity(held: Held, ended: Ended) -> str:
    if len(_SEPARATOR.split(ended.upstream_id, 1)[-1]) < _SHORTEST_UNIQUE_ID:
        return gateway(GATEWAY, held.call_id)
    return upstream(held.provider, ended.upstream_id)


def _taken(ledger: Ledger, identities: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return which of some identities calls of the gateway have, and where those calls stand."""
    files = ledger.folder.record_files()
    if not files:
        return {}
    connection = connect(ledger.folder.path / "staging", threads=1)
    try:
        rows = connection.execute(
            f"""SELECT identity, any_value(uri), any_value(byte_offset)
            FROM {parquet_sql(files.values())}
            WHERE source = ? AND identity IN (SELECT unnest(?::VARCHAR[])) GROUP BY identity""",  # noqa: S608 - our own paths, quoted
            [SOURCE, [each for each in identities if each.startswith("upstream:")]],
        ).fetchall()
    finally:
        connection.close()
    return {identity: (uri, offset) for identity, uri, offset in rows}


def _identified(due: _Due, taken: dict[str, tuple[str, int]]) -> Record:
    """Return the record, with the gateway's identity where another call has the upstream's."""
    place = (uri_of(due.segment), due.record.offset or 0)
    if taken.setdefault(due.record.identity, place) == place:
        return due.record
    return msgspec.structs.replace(due.record, identity=gateway(GATEWAY, due.call_id))


def _evidence(line: LinePlace, payload: bytes) -> dict[str, Any]:
    return {"offset": line.offset, "length": line.length, "digest": digest_of(payload)}


def _datable(*times_us: int) -> bool:
    return all(0 <= at_us < _LAST_US for at_us in times_us)
