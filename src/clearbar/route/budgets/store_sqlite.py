"""The budgets of one machine: an SQLite file, durable at commit, shared by its processes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from clearbar.route.budgets.holding import BudgetStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BUSY_S: Final = 10.0


class SqliteDatabase:
    """One connection to the file. Reads never wait; writers wait for each other."""

    locking = ""
    """The whole file is locked for writing from the beginning of a transaction."""

    finding = "SELECT 1 FROM sqlite_master WHERE name = 'budget_format'"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[SqliteSession]:
        """Take the write lock at once, so that what is read inside stays true until commit."""
        with self.reading() as session:
            session.run("BEGIN IMMEDIATE")
            try:
                yield session
            except BaseException:
                session.run("ROLLBACK")
                raise
            session.run("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[SqliteSession]:
        """Read without waiting for those who write."""
        try:
            yield SqliteSession(self._connection or self._opened())
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise BudgetStoreError(
                f"the budgets in {self._path} cannot be read or written: {error}",
                "is the disk full, or the file damaged? Routing goes on when it can be written",
            ) from error

    def close(self) -> None:
        """Close the connection; the next transaction opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._connection = connection
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


class SqliteSession:
    """An open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        self._connection.executemany(sql, rows)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch the journal; for this alone SQLite does not wait for other processes itself."""
    give_up = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
