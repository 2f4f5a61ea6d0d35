"""The store of small facts: one SQLite file in WAL mode, durable at commit, shared by processes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import LedgerError, let_write, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_SECONDS: Final = 30.0


class Store:
    """An open connection. One per process and thread; readers never block the writer."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._switch_to_wal()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except OSError as error:
            raise LedgerError(*refused(path.parent, error)) from error
        except sqlite3.Error as error:
            refuses = isinstance(error, sqlite3.OperationalError)
            way_out = let_write(path.parent) if refuses else "restore it from a backup"
            raise LedgerError(f"{path} cannot be opened: {error}", way_out) from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Return all rows of a query.

        Raises:
            LedgerError: when the file cannot be read.
        """
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise LedgerError(
                f"the facts of this workspace cannot be read: {error}",
                "restore .clearbar/facts.db from a backup",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Take the write lock at once, so that what is read inside stays true until commit."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _switch_to_wal(self) -> None:
        """Switch the journal; for this alone SQLite does not wait for other processes itself."""
        give_up = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return

    def _migrate(self) -> None:
        migrations = sorted(
            (entry for entry in files("clearbar.core").joinpath("migrations").iterdir()),
            key=lambda entry: entry.name,
        )
        if self._version() == len(migrations):
            return
        with self.transaction() as connection:
            done = self._version()
            if done > len(migrations):
                raise LedgerError(
                    "this workspace was written by a newer Clearbar",
                    "upgrade: pip install -U clearbar",
                )
            for number, migration in enumerate(migrations[done:], done + 1):
                for statement in _statements(migration.read_text()):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
