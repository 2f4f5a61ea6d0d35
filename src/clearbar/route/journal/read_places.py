"""How far journals are in the ledger, kept among the small facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from clearbar.route.journal.charge_record import SOURCE
from clearbar.route.journal.reader import Place
from clearbar.route.journal.seen_calls import keep_within, note_used_within

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from clearbar.core.errors import Problem
    from clearbar.core.store import Store
    from clearbar.route.journal.seen_calls import Drawing


_OF_READING: Final = ("journal_read", "journal_open_call", "journal_record_file", "call_seen")
"""What is forgotten where all journals are read again; calls are then drawn again."""


class LinePlace(NamedTuple):
    """Where a line stands in a worker's journal."""

    segment: int
    offset: int
    """Of its JSON."""
    length: int


@dataclass(slots=True)
class WorkerRead:
    """How far the journal of one worker is in the ledger."""

    worker: str
    place: Place = Place()  # noqa: RUF009 - a tuple
    finished: bool = False
    """The worker is dead, and all of it is read."""


class ReadPlaces:
    """The tables of what was read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def workers(self) -> dict[str, WorkerRead]:
        """Return what is known of each worker."""
        rows = self._store.rows("SELECT worker, segment, byte_offset, finished FROM journal_read")
        return {
            worker: WorkerRead(worker, Place(segment, offset), bool(finished))
            for worker, segment, offset, finished in cast("list[tuple[Any, ...]]", rows)
        }

    def open_calls(self, worker: str) -> dict[str, LinePlace]:
        """Return the calls of a worker that had begun and not ended, by id: where they began."""
        rows = self._store.rows(
            "SELECT call_id, segment, byte_offset, byte_length FROM journal_open_call"
            " WHERE worker = ? ORDER BY segment, byte_offset",
            worker,
        )
        return {row[0]: LinePlace(*row[1:]) for row in cast("list[tuple[Any, ...]]", rows)}

    def forget_if_lost(self, record_files: Collection[str]) -> None:
        """Have all journals read again where a file of the ledger is gone that holds charges."""
        used = {str(name) for [name] in self._store.rows("SELECT name FROM journal_record_file")}
        if used <= set(record_files):
            return
        with self._store.transaction() as connection:
            for table in _OF_READING:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            connection.execute("DELETE FROM problem WHERE source = ?", (SOURCE,))

    def unsure(self, record_files: Mapping[str, Path]) -> list[Path]:
        """Return the files of the ledger that may hold charges of lines that were not read yet.

        That are those of other sources, and of a pass that died before it wrote down its place.
        """
        sure = {str(name) for [name] in self._store.rows("SELECT name FROM journal_record_file")}
        return [path for name, path in record_files.items() if name not in sure]

    def forget_worker(self, worker: str) -> None:
        """Forget a worker whose journal was removed."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM journal_read WHERE worker = ?", (worker,))
            connection.execute("DELETE FROM journal_open_call WHERE worker = ?", (worker,))

    def save(
        self,
        read: Iterable[tuple[WorkerRead, dict[str, LinePlace]]],
        record_files: Iterable[str],
        problems: Iterable[tuple[str, Problem]],
        at: str,
        drawing: Drawing,
    ) -> None:
        """Write down, in one step, how far workers are read, with their open calls.

        With these, what was drawn of the calls that have ended.
        """
        with self._store.transaction() as connection:
            for each, begun in read:
                _save_worker(connection, each, begun)
            connection.executemany(
                "INSERT OR IGNORE INTO journal_record_file VALUES (?)",
                [(name,) for name in record_files],
            )
            connection.executemany(
                "INSERT INTO problem VALUES (?, NULL, ?, ?, ?, ?)",
                [(uri, SOURCE, problem.what, problem.hint, at) for uri, problem in problems],
            )
            keep_within(connection, drawing.drawn())
            note_used_within(connection, drawing.used())


def _save_worker(
    connection: sqlite3.Connection, read: WorkerRead, begun: dict[str, LinePlace]
) -> None:
    values = (read.worker, *read.place, int(read.finished))
    connection.execute("INSERT OR REPLACE INTO journal_read VALUES (?, ?, ?, ?)", values)
    connection.execute("DELETE FROM journal_open_call WHERE worker = ?", (read.worker,))
    connection.executemany(
        "INSERT INTO journal_open_call VALUES (?, ?, ?, ?, ?)",
        [(call_id, read.worker, *place) for call_id, place in begun.items()],
    )
