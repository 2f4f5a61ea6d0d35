"""The budgets that machines share: PostgreSQL by psycopg."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.budgets.holding import BudgetStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

_SETTINGS: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "clearbar budgets",
    "options": "-c statement_timeout=10000 -c lock_timeout=8000 "
    "-c idle_in_transaction_session_timeout=10000 -c default_transaction_isolation=read\\ committed"
    " -c synchronous_commit=on",
}


class PostgresDatabase:
    """One connection. The address may hold a password, and so never stands in an error."""

    locking = " FOR UPDATE"
    finding = "SELECT 1 WHERE to_regclass('budget_format') IS NOT NULL"

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        _library()

    @contextmanager
    def transaction(self) -> Iterator[PostgresSession]:
        """Begin at READ COMMITTED; rows that decide are locked, always in the same order."""
        with (
            self._connected() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            yield PostgresSession(cursor)

    @contextmanager
    def reading(self) -> Iterator[PostgresSession]:
        """Read; each query is a transaction of its own."""
        with self._connected() as connection, connection.cursor() as cursor:
            yield PostgresSession(cursor)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        library = _library()
        try:
            yield self._connection or self._opened()
        except library.Error as error:
            self.close()
            raise BudgetStoreError(
                f"the budgets in PostgreSQL cannot be read or written: {_said(error)}",
                "is the server up, and does the address in the variable of "
                "[gateway] store_env name it? Routing goes on when it answers",
            ) from None
        except BaseException:
            if self._connection is not None and self._connection.broken:
                self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next transaction opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> psycopg.Connection[tuple[Any, ...]]:
        self._connection = _library().connect(self._address, autocommit=True, **_SETTINGS)
        return self._connection


class PostgresSession:
    """An open transaction."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._cursor.execute(_own(sql), values).fetchall()

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; return how many rows it changed."""
        return self._cursor.execute(_own(sql), values).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        self._cursor.executemany(_own(sql), rows)


def _own(sql: str) -> Any:
    """Return SQL with psycopg's placeholders: ours has no `?` or `%` of its own."""
    return sql.replace("?", "%s")


def _said(error: Exception) -> str:
    """Return what the server or the library said, without the lines on the connection."""
    code = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}{f' ({code})' if code else ''}"


def _library() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError:
        raise ClearbarError(
            "budgets in PostgreSQL need psycopg",
            'pip install "clearbar[postgres]", or leave out store_env of [gateway]',
        ) from None
    return psycopg
