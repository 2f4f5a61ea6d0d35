"""The docket: verdicts, defences and overrides in one chain; each entry holds the hash before it.

Never edited: the file's own triggers refuse, and `verify` finds what went round them. What no
chain can show by itself is a cut end; for that, keep what `head` says somewhere else.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from clearbar.core.errors import ClearbarError, LedgerError, Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from clearbar.core.store import Store

Kind = Literal["verdict", "defence", "override"]
GENESIS: Final = "0" * 64
"""What stands as the hash before the first entry."""

_COLUMNS: Final = "entry, kind, workflow, at, body, previous_hash, hash"
_RESTORE: Final = "restore the workspace from a backup, and ask who writes to its files"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the docket, as stored."""

    entry: int
    """1, 2, 3 and so on without a gap."""
    kind: Kind
    workflow: str
    at: str
    """UTC, ISO 8601."""
    body: str
    """JSON."""
    previous_hash: str
    hash: str

    @property
    def day(self) -> date:
        """The UTC day on which it was appended."""
        return datetime.fromisoformat(self.at).date()

    @property
    def sealed(self) -> str:
        """The hash that its contents ask for.

        SHA-256 over the JSON list [entry, kind, workflow, at, body, previous_hash], ASCII only,
        without spaces; `body` stands in it as the text that is stored.
        """
        who = (self.entry, self.kind, self.workflow, self.at)
        return hashlib.sha256(
            _canonical([*who, self.body, self.previous_hash]).encode()
        ).hexdigest()


class Head(NamedTuple):
    """The end of the chain: how many entries, and the last hash. `str` writes `12:9f3c...`."""

    entries: int
    hash: str

    def __str__(self) -> str:
        return f"{self.entries}:{self.hash}"


def parse_head(text: str) -> Head:
    """Return the head that `str` wrote.

    Raises:
        ClearbarError: when it is none.
    """
    match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip())
    if not match:
        raise ClearbarError(
            "that is no head of a docket", "write the count and the hash: 12:9f3c..., as printed"
        )
    return Head(int(match[1]), match[2])


def append(
    store: Store, kind: Kind, workflow: str, at: datetime, body: Mapping[str, object]
) -> Entry:
    """Append one entry and return it. Safe while other processes append."""
    with store.transaction() as connection:
        return append_within(connection, kind, workflow, at, body)


def append_within(
    connection: sqlite3.Connection,
    kind: Kind,
    workflow: str,
    at: datetime,
    body: Mapping[str, object],
) -> Entry:
    """Append inside a transaction that already holds the write lock.

    Raises:
        ValueError: when `at` has no zone.
    """
    if at.tzinfo is None:
        raise ValueError("an entry's time needs a zone")
    last = connection.execute("SELECT entry, hash FROM docket ORDER BY entry DESC LIMIT 1")
    before, previous_hash = last.fetchone() or (0, GENESIS)
    time = at.astimezone(UTC).isoformat(timespec="seconds")
    draft = Entry(before + 1, kind, workflow, time, _canonical(body), previous_hash, "")
    entry = Entry(draft.entry, kind, workflow, time, draft.body, previous_hash, draft.sealed)
    connection.execute(
        f"INSERT INTO docket ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (entry.entry, kind, workflow, time, entry.body, previous_hash, entry.hash),
    )
    return entry


def entries(store: Store, kind: Kind | None = None, workflow: str | None = None) -> list[Entry]:
    """Return the entries in order: all, or of one kind or workflow."""
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM docket"  # noqa: S608 - a constant
        " WHERE kind = coalesce(?, kind) AND workflow = coalesce(?, workflow) ORDER BY entry",
        kind,
        workflow,
    )
    return [_entry(row) for row in rows]


def history(store: Store, workflow: str) -> list[Entry]:
    """Return all that the docket says of one workflow, oldest first."""
    return entries(store, workflow=workflow)


def head(store: Store) -> Head:
    """Return the end of the chain. Kept elsewhere, it shows later that nothing was cut off."""
    rows = store.rows("SELECT count(*) FROM docket")
    last = store.rows("SELECT hash FROM docket ORDER BY entry DESC LIMIT 1")
    return Head(cast("int", rows[0][0]), cast("str", last[0][0]) if last else GENESIS)


def verify(store: Store, expected_head: Head | None = None) -> list[Problem]:
    """Return what was edited, removed or reordered; empty for an unbroken chain.

    `expected_head` is a head that was noted earlier: the chain must still pass through it. A
    problem's `line` is the number of the entry.
    """
    try:
        chain = entries(store)
    except LedgerError:
        return [Problem("the docket cannot be read: its file is damaged", _RESTORE)]
    problems = [*_edited(chain), *_unlinked(chain)]
    if expected_head is not None and not _passes(chain, expected_head):
        problems.append(
            Problem(
                f"the chain does not pass through the head that was noted at entry "
                f"{expected_head.entries}: its end was cut off or rewritten",
                _RESTORE,
                expected_head.entries,
            )
        )
    return sorted(problems, key=lambda problem: problem.line or 0)


def _edited(chain: Iterable[Entry]) -> Iterator[Problem]:
    for entry in chain:
        if entry.sealed != entry.hash:
            what = f"entry {entry.entry} of the docket does not have its hash: it was edited"
            yield Problem(what, _RESTORE, entry.entry)


def _unlinked(chain: list[Entry]) -> Iterator[Problem]:
    before, before_hash = 0, GENESIS
    for entry in chain:
        if entry.entry != before + 1:
            what = f"entries of the docket are missing between {before} and {entry.entry}"
            yield Problem(what, _RESTORE, entry.entry)
        elif entry.previous_hash != before_hash:
            what = (
                f"entry {entry.entry} of the docket does not follow the one before it: "
                "entries were edited or reordered"
            )
            yield Problem(what, _RESTORE, entry.entry)
        before, before_hash = entry.entry, entry.hash


def _passes(chain: list[Entry], noted: Head) -> bool:
    if noted.entries == 0:
        return noted.hash == GENESIS
    return any((entry.entry, entry.hash) == noted for entry in chain)


def _entry(row: tuple[object, ...]) -> Entry:
    return Entry(*cast("tuple[int, Kind, str, str, str, str, str]", row))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
