"""One worker's journal read for the ledger: which charges are new in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clearbar.core.errors import Problem
from clearbar.route.journal.charge_record import (
    fault_of,
    identity_of,
    is_charge,
    lost_record,
    own_identity,
    record_of,
)
from clearbar.route.journal.charge_rows import is_datable, rows_of, runs_of
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.read_places import LinePlace
from clearbar.route.journal.reader import Tail
from clearbar.route.journal.segment import segment_name
from clearbar.spend.charge import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from clearbar.route.journal.charge_rows import EndedCall, Rows
    from clearbar.route.journal.read_places import WorkerRead
    from clearbar.route.journal.reader import Block
    from clearbar.route.journal.seen_calls import Drawing
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
        self._held: dict[str, tuple[Held, int, int, int]] = {}
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
        for block in self._tail.new_blocks():
            self.read.place = self._tail.place
            if ended := self._ended(block):
                self._drawing.take(ended)
                yield list(self._charges(block.segment, ended))
        self.read.place = self._tail.place
        self._problems += self._tail.problems
        if self._tail.finished:
            yield list(self._lost())
            self.read.finished = True
        self.done = True

    def _ended(self, block: Block) -> list[EndedCall]:
        """Return the calls that ended, each with its beginning."""
        found: list[EndedCall] = []
        number, held, earlier = block.number, self._held, self._earlier
        for offset, payload, entry in zip(
            block.offsets, block.payloads, block.entries, strict=True
        ):
            if isinstance(entry, Held):
                held[entry.call_id] = entry, number, offset, len(payload)
                if earlier:
                    earlier.pop(entry.call_id, None)
            elif isinstance(entry, Ended):
                begun = held.pop(entry.call_id, None) or self._begun_earlier(entry, block.segment)
                if begun is not None:
                    found.append((begun[0], begun[3], entry, offset, payload))
        return found

    def _begun_earlier(self, ended: Ended, segment: str) -> tuple[Held, int, int, int] | None:
        line = self._earlier.pop(ended.call_id, None)
        if line is None:
            self._note(segment, "a call ended whose beginning is not there")
            return None
        held = self._read_again(line)
        if held is None:
            self._note(segment, "the beginning of a call that ended cannot be read")
            return None
        return held, *line

    def _charges(self, segment: str, ended: Sequence[EndedCall]) -> Iterator[Rows | Single]:
        for usual, calls in runs_of(ended):
            if usual:
                yield rows_of(segment, calls)
                continue
            for call in calls:
                if (record := self._record(segment, call)) is not None:
                    yield Single(segment, call[0].call_id, record)

    def _record(self, segment: str, call: EndedCall) -> Record | None:
        held, _, ended, offset, payload = call
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
        identity = identity_of(held, ended)
        return record_of(held, ended, identity=identity, **_evidence(offset, payload))

    def _lost(self) -> Iterator[Single]:
        """Yield the charges of the calls that a dead worker had in flight."""
        for call_id, line in self.begun.items():
            segment = f"{self.read.worker}/{segment_name(line.segment)}"
            held = self._held[call_id][0] if call_id in self._held else self._read_again(line)
            if held is None or not is_datable(held.at_us):
                self._note(segment, "the beginning of a call that was lost cannot be read")
            elif is_charge(held, None):
                evidence = _evidence(line.offset, self._payload(line))
                record = lost_record(held, identity=own_identity(call_id), **evidence)
                yield Single(segment, call_id, record)
        self._earlier.clear()
        self._held.clear()

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
