"""One worker's journal read for the ledger: which charges are new in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.route.journal.call_rows import (
    CALL_ID,
    ENDED,
    HELD,
    columns_of,
    ended_of,
    held_of,
    row_of,
    rows_in,
)
from clearbar.route.journal.charge_record import (
    fault_of,
    identity_of,
    is_charge,
    lost_record,
    own_identity,
    record_of,
)
from clearbar.route.journal.charge_rows import is_datable, rows_of, runs_of
from clearbar.route.journal.entry import Held
from clearbar.route.journal.read_places import LinePlace
from clearbar.route.journal.segment import segment_name
from clearbar.route.journal.tail import Tail
from clearbar.spend.charge import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from clearbar.route.journal.call_rows import Calls, EndedCall, Row
    from clearbar.route.journal.charge_rows import Rows
    from clearbar.route.journal.read_places import WorkerRead
    from clearbar.route.journal.seen_calls import Drawing
    from clearbar.route.journal.tail import Lines
    from clearbar.spend.charge import Record


class Single(NamedTuple):
    """A charge of which there is something special to say."""

    segment: str
    """Relative to the folder of journals."""
    call_id: str
    record: Record


class WorkerCharges:
    """What is new in one worker's journal."""

    def __init__(
        self,
        folder: Path,
        read: WorkerRead,
        earlier: dict[str, LinePlace],
        problems: list[tuple[str, Problem]],
        drawing: Drawing,
    ) -> None:
        """`earlier` are the calls that had begun and not ended when the last pass came to here."""
        self.read = read
        self.done = False
        """Whether nothing more comes in this pass."""
        self._before = (read.place, read.finished)
        self._folder = folder
        self._tail = Tail(folder, read.worker, read.place)
        self._earlier = earlier
        self._held: dict[str, tuple[Row, int, int, int]] = {}
        """The calls that have begun in this pass and not ended; with segment, offset, length."""
        self._problems = problems
        self._drawing = drawing

    @property
    def moved(self) -> bool:
        """Whether anything was read in this pass."""
        return (self.read.place, self.read.finished) != self._before

    @property
    def begun(self) -> dict[str, LinePlace]:
        """The calls that have begun and not ended: where they began."""
        held = ((call_id, LinePlace(*place)) for call_id, (_, *place) in self._held.items())
        return self._earlier | dict(held)

    def new(self) -> Iterator[Sequence[Rows | Single]]:
        """Yield the charges in the order of the journal, those of a block of lines together.

        `read` and `begun` move along with each block.
        """
        for lines in self._tail.new_lines():
            self.read.place = self._tail.place
            segment = f"{self.read.worker}/{segment_name(lines.number)}"
            if ended := self._ended(lines, segment):
                calls = columns_of(ended)
                self._drawing.take(calls)
                yield list(self._charges(segment, calls))
        self.read.place = self._tail.place
        self._problems += self._tail.problems
        if self._tail.finished:
            yield list(self._lost())
            self.read.finished = True
        self.done = True

    def _ended(self, lines: Lines, segment: str) -> list[EndedCall]:
        """Return the calls that ended, each with its beginning."""
        found: list[EndedCall] = []
        number, held, earlier = lines.number, self._held, self._earlier
        for offset, payload, row in rows_in(self._tail, lines):
            if row[0] == HELD:
                held[row[CALL_ID]] = row, number, offset, len(payload)
                if earlier:
                    earlier.pop(row[CALL_ID], None)
            elif row[0] == ENDED:
                begun = held.pop(row[CALL_ID], None) or self._begun_earlier(row[CALL_ID], segment)
                if begun is not None:
                    found.append((begun[0], begun[3], row, offset, payload))
        return found

    def _begun_earlier(self, call_id: str, segment: str) -> tuple[Row, int, int, int] | None:
        line = self._earlier.pop(call_id, None)
        if line is None:
            self._note(segment, "a call ended whose beginning is not there")
            return None
        held = self._read_again(line)
        if held is None:
            self._note(segment, "the beginning of a call that ended cannot be read")
            return None
        return row_of(held), *line

    def _charges(self, segment: str, ended: Calls) -> Iterator[Rows | Single]:
        for usual, run in runs_of(ended):
            if usual:
                yield rows_of(segment, run)
                continue
            for call in run.calls:
                if (record := self._record(segment, call)) is not None:
                    yield Single(segment, call[0][CALL_ID], record)

    def _record(self, segment: str, call: EndedCall) -> Record | None:
        held, ended, (*_, offset, payload) = held_of(call[0]), ended_of(call[2]), call
        if not is_datable(held.at_us, ended.at_us):
            self._note(segment, "the beginning of a call that ended cannot be read")
            return None
        if not is_charge(held, ended):
            return None
        if fault := fault_of(ended):
            self._note(segment, fault)
            ended = msgspec.structs.replace(
                ended, usage={}, known="none", priced=False, cost_nusd=0
            )
        identity = identity_of(held.call_id, held.provider, ended.upstream_id)
        return record_of(held, ended, identity=identity, **_evidence(offset, payload))

    def _lost(self) -> Iterator[Single]:
        """Yield the charges of the calls that a dead worker had in flight."""
        for call_id, line in self.begun.items():
            segment = f"{self.read.worker}/{segment_name(line.segment)}"
            held = self._begun_now(call_id) or self._read_again(line)
            if held is None or not is_datable(held.at_us):
                self._note(segment, "the beginning of a call that was lost cannot be read")
            elif is_charge(held, None):
                evidence = _evidence(line.offset, self._payload(line))
                record = lost_record(held, identity=own_identity(call_id), **evidence)
                yield Single(segment, call_id, record)
        self._earlier.clear()
        self._held.clear()

    def _begun_now(self, call_id: str) -> Held | None:
        return held_of(self._held[call_id][0]) if call_id in self._held else None

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


def _evidence(offset: int, payload: bytes) -> dict[str, Any]:
    return {"offset": offset, "length": len(payload), "digest": digest_of(payload)}
