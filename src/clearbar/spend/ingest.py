"""Files in, charges out: each file to the source that knows it, each bad record to quarantine."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.candidates import mapping_for
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import UnreadableFile, open_source_file, state_of
from clearbar.spend.pull.of_pull import of_pull
from clearbar.spend.sources import SOURCES
from clearbar.spend.storage.append import BATCH_RECORDS, Appender, FileRead

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clearbar.core.store import Store
    from clearbar.spend.charge import Record
    from clearbar.spend.files.candidates import Candidate
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.files.table_mapping import TableMapping
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.sources import Source
    from clearbar.spend.storage.ledger import Ledger

_MAX_KEPT_PROBLEMS: Final = 10_000
"""Of one file; more are counted and not kept."""

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "files": "Files that were read.",
        "unchanged_files": "Files not read again: nothing in them has changed since they were.",
        "unrecognised_files": "Files left alone: no source knows them.",
        "records": "new + known + merged + quarantined.",
        "new": "Records that became a new charge.",
        "known": "Records that the ledger already held.",
        "merged": "Records of a charge of which another line, file or source tells too.",
        "quarantined": "Records that were not taken in; each is kept with a reason.",
        "records_by_source": "Charges told of, by the source that read them.",
        "notes": "What is worth knowing of files and no fault: uri, what, hint.",
    }
)
"""Every field of `summary_json`."""

PROBLEM_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uri": "The file.",
        "line": "Its line or row; null where the whole file is meant.",
        "source": "The source that read it; empty where none knew it.",
        "what": "What is wrong. It never quotes the record.",
        "hint": "How to mend it.",
        "read_at": "When it was read, in UTC.",
    }
)
"""Every field of one of `problems`."""


@dataclass(slots=True)
class Summary:
    """What one `add` did. Every record is new, known, merged or quarantined."""

    files: int = 0
    unchanged_files: int = 0
    """Not read again: nothing in them has changed since they were."""
    unrecognised_files: list[str] = field(default_factory=list)
    """Left alone: no source knows them."""
    records: int = 0
    new: int = 0
    """Became a new charge."""
    known: int = 0
    """The ledger already held them."""
    merged: int = 0
    """Told of a charge of which another line, file or source tells too."""
    quarantined: int = 0
    records_by_source: dict[str, int] = field(default_factory=dict)
    notes: list[dict[str, str]] = field(default_factory=list)
    """What is worth knowing of files that were read, and no fault."""


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as JSON values."""
    return asdict(summary)


class Progress(Protocol):
    """Told of each file before it is read."""

    def __call__(self, done_bytes: int, total_bytes: int, name: str) -> None:
        """Show it."""
        ...


@dataclass(frozen=True, slots=True)
class _FileDone:
    uri: str
    fingerprint: str
    source: str
    records: int
    problems: list[Problem]


def ingest(
    files: Sequence[Candidate],
    ledger: Ledger,
    book: PriceBook,
    store: Store,
    mappings: Sequence[TableMapping],
    base: Path,
    now: datetime,
    progress: Progress | None = None,
) -> Summary:
    """Read the files into the ledger; return what came of it. Good records never wait for bad."""
    if not ledger.is_whole:
        _forget_files(store)
        ledger.forget_lost_files()
    total, done = sum(file.size for file in files), 0
    with ledger.appender(book, int(now.timestamp() * 1_000_000)) as appender:
        reading = _Reading(appender, store, now, _files_read(store))
        for file in files:
            if progress:
                progress(done, total, file.path.name)
            mapping = mapping_for(file.path, mappings, base)
            reading.take(file, mapping or mapping_for(file.given, mappings, base))
            done += file.size
        reading.checkpoint()
        summary = reading.summary
        summary.known += appender.known
    summary.merged += ledger.settle(appender.published)
    summary.new = summary.records - summary.known - summary.merged - summary.quarantined
    if progress:
        progress(total, total, "")
    return summary


class _Reading:
    """Reads one file after another; a file counts as read only once its records are published."""

    def __init__(
        self, appender: Appender, store: Store, now: datetime, before: dict[str, tuple[str, int]]
    ) -> None:
        self.summary = Summary()
        self._appender = appender
        self._store = store
        self._now = now.astimezone(UTC).isoformat(timespec="seconds")
        self._before = before
        self._done: list[_FileDone] = []

    def take(self, candidate: Candidate, mapping: TableMapping | None) -> None:
        """Read a file unless it is known or not ours."""
        uri = os.fsencode(candidate.path).decode("utf-8", "backslashreplace")
        try:
            file = open_source_file(candidate.path, mapping)
        except UnreadableFile as error:
            self._refuse(uri, Problem(error.message, error.hint))
            return
        source = next((source for source in SOURCES if source.recognises(file)), None)
        if source is None:
            self._pass_over(uri, named=candidate.named)
            return
        fingerprint = _fingerprint(candidate.path, source, mapping)
        if self._before.get(uri, ("", 0))[0] == fingerprint:
            self._count_unchanged(uri)
        else:
            self._read(file, source, uri, fingerprint)

    def checkpoint(self) -> None:
        """Publish what is pending; then write down which files are read, and their problems."""
        self._appender.seal()
        with self._store.transaction() as connection:
            for done in self._done:
                read = (done.uri, done.fingerprint, done.source, done.records, self._now)
                connection.execute("INSERT OR REPLACE INTO file_read VALUES (?, ?, ?, ?, ?)", read)
                connection.execute("DELETE FROM problem WHERE uri = ?", (done.uri,))
                connection.executemany(
                    "INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (done.uri, problem.line, done.source, problem.what, problem.hint, self._now)
                        for problem in done.problems
                    ],
                )
        self._done.clear()

    def _read(self, file: SourceFile, source: Source, uri: str, fingerprint: str) -> None:
        self._appender.begin(FileRead(uri, source.NAME, source.PARSER_VERSION))
        records = lines = refused = 0
        problems: list[Problem] = []
        for item in _items(file, source):
            if isinstance(item, Note):
                self.summary.notes.append({"uri": uri, "what": item.what, "hint": item.hint})
                continue
            if isinstance(item, Problem):
                problem = item
            elif self._append(item):
                records += 1
                lines += item.lines
                continue
            else:
                problem = Problem("names or ids of more than a million bytes", "", item.line)
            refused += 1
            if len(problems) < _MAX_KEPT_PROBLEMS:
                problems.append(problem)
        self.summary.files += 1
        self.summary.records += lines + refused
        self.summary.merged += lines - records
        self.summary.quarantined += refused
        by_source = self.summary.records_by_source
        by_source[source.NAME] = by_source.get(source.NAME, 0) + records
        self._done.append(_FileDone(uri, fingerprint, source.NAME, records, problems))
        if self._appender.pending >= BATCH_RECORDS:
            self.checkpoint()

    def _append(self, record: Record) -> bool:
        taken = self._appender.add(record)
        if self._appender.pending >= 2 * BATCH_RECORDS:
            self._appender.seal()
        return taken

    def _count_unchanged(self, uri: str) -> None:
        records = self._before[uri][1]
        self.summary.unchanged_files += 1
        self.summary.records += records
        self.summary.known += records

    def _pass_over(self, uri: str, *, named: bool) -> None:
        if named:
            hint = "see the list of sources in the docs, or declare a [[table]] in clearbar.toml"
            self._refuse(uri, Problem("no source knows this format", hint))
        else:
            self.summary.unrecognised_files.append(uri)

    def _refuse(self, uri: str, problem: Problem) -> None:
        self.summary.files += 1
        self.summary.records += 1
        self.summary.quarantined += 1
        self._done.append(_FileDone(uri, "", "", 0, [problem]))


def _items(file: SourceFile, source: Source) -> Iterator[Record | Problem | Note]:
    pull = of_pull(file.path)
    try:
        if pull is None:
            yield from source.read(file)
        else:
            for item in source.read(file):
                yield item if isinstance(item, Problem | Note) else pull.told(item)
    except ClearbarError as error:
        yield Problem(error.message, error.hint)


def _forget_files(store: Store) -> None:
    """Have every file read again, the next time it is added: records of it may be lost."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM file_read")


def _files_read(store: Store) -> dict[str, tuple[str, int]]:
    """Return the fingerprint and the number of records of each file that was read."""
    rows = store.rows("SELECT uri, fingerprint, records FROM file_read")
    return {str(uri): (str(fingerprint), int(str(count))) for uri, fingerprint, count in rows}


def _fingerprint(path: Path, source: Source, mapping: TableMapping | None) -> str:
    """Return what must be equal for a file not to be read again."""
    return f"{state_of(path)}:{source.NAME}:{source.PARSER_VERSION}:{mapping or ''}"


def problems(store: Store) -> list[dict[str, Any]]:
    """Return the records that were not taken in, by file and line, as JSON values."""
    rows = store.rows("SELECT uri, line, source, what, hint, read_at FROM problem ORDER BY 1, 2")
    names = ("uri", "line", "source", "what", "hint", "read_at")
    return [dict(zip(names, row, strict=True)) for row in rows]
