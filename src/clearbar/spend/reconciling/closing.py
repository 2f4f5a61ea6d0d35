"""Closed months in the store: appended, chained by hashes, never edited. Beside it only readers.

An entry closes a month, with all its rows, or corrects closed ones with what was seen on one day.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import UTC, date
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import msgspec

from clearbar.core.errors import ClearbarError, Problem
from clearbar.core.money import plain
from clearbar.core.period import month_of
from clearbar.spend.charge import Origin
from clearbar.spend.reconciling.closed import Closed, Fixed, month_name
from clearbar.spend.usage import USAGE_FIELDS, Usage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from clearbar.core.period import Period
    from clearbar.core.store import Store

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "closings": "What was closed and corrected, in order.",
        "closings[].entry": "1, 2, 3 and so on without a gap.",
        "closings[].kind": "`close` or `correction`.",
        "closings[].month": "The month that was closed; empty for corrections.",
        "closings[].day": "First day of the month; of corrections the UTC day they stand on.",
        "closings[].at": "When it was recorded, in UTC.",
        "closings[].hash": "Stands for the entry and all before it.",
    }
)
"""Every field of `clearbar spend close --json`, by its path."""
GENESIS: Final = "0" * 64
_COLUMNS: Final = "entry, kind, month, day, at, rows_digest, previous_hash, hash"
_RESTORE: Final = "restore the workspace from a backup, and ask who writes to its files"
_MONEY: Final = frozenset(
    name for name in USAGE_FIELDS if isinstance(getattr(Usage(), name), Decimal)
)


class ClosedEntry(NamedTuple):
    """A closing, or corrections that were seen together."""

    entry: int
    kind: str
    month: str
    day: str
    at: str
    rows_digest: str
    previous_hash: str
    hash: str

    @property
    def sealed(self) -> str:
        """The hash that its contents ask for: SHA-256 over their JSON list."""
        return hashlib.sha256(msgspec.json.encode(list(self[:-1]))).hexdigest()


class _Row(NamedTuple):
    """A row as it is stored, its origin as text."""

    origin: str
    workflow: str
    day: str
    month: str
    usage: str


def entries(store: Store) -> list[ClosedEntry]:
    """Return what was closed and corrected, in order."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM closing ORDER BY entry")  # noqa: S608 - a constant
    return [ClosedEntry(*cast("tuple[Any, ...]", row)) for row in rows]


def closed_months(store: Store) -> Closed:
    """Return all that closed months fix."""
    known = entries(store)
    months = [month_of(date.fromisoformat(f"{e.month}-01")) for e in known if e.kind == "close"]
    rows: list[Fixed] = []
    corrections: list[Fixed] = []
    overlaps: list[tuple[date, Usage]] = []
    origins: dict[str, Origin] = {}
    for row in (each for found in _rows(store).values() for each in found):
        day, usage = date.fromisoformat(row.day), _usage(row.usage)
        if not row.origin:
            overlaps.append((day, usage))
            continue
        origin = origins.get(row.origin) or msgspec.json.decode(row.origin, type=Origin)
        origins[row.origin] = origin
        fixed = Fixed(origin, row.workflow, day, usage, row.month)
        (corrections if row.month else rows).append(fixed)
    return Closed(tuple(months), tuple(rows), tuple(corrections), tuple(overlaps), len(known))


def close(
    store: Store,
    month: Period,
    rows: Iterable[Fixed],
    overlaps: Mapping[date, Usage],
    at: datetime,
    is_current: Callable[[], bool],
) -> ClosedEntry:
    """Close a month with the rows that were reported of it.

    `is_current` says, while nobody else writes, whether the rows are still those of the ledger.

    Raises:
        ClearbarError: when it is closed already, or the ledger has just changed.
    """
    name = month_name(month)
    stored = [_stored(row) for row in rows]
    stored += [_Row("", "", str(day), "", _text(usage)) for day, usage in overlaps.items()]
    with store.transaction() as connection:
        before = connection.execute(
            "SELECT at FROM closing WHERE kind = 'close' AND month = ?", (name,)
        ).fetchone()
        if before:
            raise ClearbarError(
                f"{name} was closed at {before[0]}",
                "it stays closed: later changes are corrections of the month they are seen in",
            )
        if not is_current():
            raise ClearbarError(f"the ledger has changed while {name} was closed", "close it again")
        return _append(connection, "close", name, month.start, at, stored)


def correct(
    store: Store,
    corrections: Sequence[Fixed],
    after: int,
    at: datetime,
    is_current: Callable[[], bool],
) -> bool:
    """Record what was seen; False, and nothing, where another process was quicker.

    `after` is the last entry that was taken into account.
    """
    with store.transaction() as connection:
        if _last(connection)[0] != after or not is_current():
            return False
        stored = [_stored(row) for row in corrections]
        _append(connection, "correction", "", corrections[0].day, at, stored)
        return True


def last_look(store: Store) -> str:
    """Return the stamp of `looked`; empty before the first."""
    rows = store.rows("SELECT stamp FROM closing_look")
    return str(rows[0][0]) if rows else ""


def looked(store: Store, stamp: str) -> None:
    """Note that nothing of the closed months is uncorrected while the ledger has this stamp."""
    with store.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO closing_look VALUES (1, ?)", (stamp,))


def verify_closings(store: Store) -> list[Problem]:
    """Return what was edited, removed or reordered; empty for an unbroken chain."""
    problems: list[Problem] = []
    previous, rows = GENESIS, _rows(store)
    for number, entry in enumerate(entries(store), 1):
        if (entry.entry, entry.previous_hash) != (number, previous):
            problems.append(
                Problem(f"entry {entry.entry} of the closed months is out of order", _RESTORE)
            )
        if entry.hash != entry.sealed:
            problems.append(
                Problem(f"entry {entry.entry} of the closed months was edited", _RESTORE)
            )
        if entry.rows_digest != _digest(rows.pop(entry.entry, [])):
            what = entry.month or f"the corrections of {entry.day}"
            problems.append(Problem(f"rows of {what} were edited or are gone", _RESTORE))
        previous = entry.hash
    if rows:
        problems.append(Problem("rows of closed months belong to no entry", _RESTORE))
    return problems


def _append(
    connection: sqlite3.Connection,
    kind: str,
    month: str,
    day: date,
    at: datetime,
    rows: Sequence[_Row],
) -> ClosedEntry:
    before, previous = _last(connection)
    time = at.astimezone(UTC).isoformat(timespec="seconds")
    draft = ClosedEntry(before + 1, kind, month, str(day), time, _digest(rows), previous, "")
    entry = draft._replace(hash=draft.sealed)
    connection.execute(
        f"INSERT INTO closing ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        entry,
    )
    origins = {(row.origin,) for row in rows if row.origin}
    connection.executemany(
        "INSERT OR IGNORE INTO closing_origin (origin) VALUES (?)", sorted(origins)
    )
    connection.executemany(
        """INSERT INTO closing_row VALUES
        (?, (SELECT origin_number FROM closing_origin WHERE origin = ?), ?, ?, ?, ?)""",
        [(entry.entry, *row) for row in rows],
    )
    return entry


def _last(connection: sqlite3.Connection) -> tuple[int, str]:
    found = connection.execute("SELECT entry, hash FROM closing ORDER BY entry DESC LIMIT 1")
    return cast("tuple[int, str]", found.fetchone() or (0, GENESIS))


def _rows(store: Store) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = defaultdict(list)
    for entry, *row in store.rows(
        """SELECT entry, coalesce(origin, ''), workflow, day, month, usage
        FROM closing_row LEFT JOIN closing_origin USING (origin_number)"""
    ):
        found[cast("int", entry)].append(_Row(*cast("list[str]", row)))
    return found


def _digest(rows: Iterable[_Row]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(rows))).hexdigest()


def _stored(row: Fixed) -> _Row:
    origin = msgspec.json.encode(row.origin).decode()
    return _Row(origin, row.workflow, str(row.day), row.month, _text(row.usage))


def _text(usage: Usage) -> str:
    values = ((name, getattr(usage, name)) for name in USAGE_FIELDS)
    told = {name: plain(v) if name in _MONEY else v for name, v in values if v}
    return msgspec.json.encode(told).decode()


def _usage(text: str) -> Usage:
    told: dict[str, Any] = msgspec.json.decode(text)
    values: dict[str, Any] = {n: Decimal(v) if n in _MONEY else v for n, v in told.items()}
    return Usage(**values)
