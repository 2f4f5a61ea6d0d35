"""What the store of budgets needs of a database: SQL with `?`, in transactions."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager


class Session(Protocol):
    """An open transaction."""

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        ...

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; return how many rows it changed."""
        ...

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        ...


class Database(Protocol):
    """One connection, for one thread at a time. It opens on first use and again after a failure."""

    locking: str
    """Ends a SELECT whose rows stay locked until the transaction ends; empty: all is locked."""
    finding: str
    """A query with a row where the tables are there: to make them disturbs those at work."""

    def transaction(self) -> AbstractContextManager[Session]:
        """Begin a transaction that commits at the end, and rolls back on any exception.

        Raises:
            BudgetStoreError: the database cannot be reached, or refused; what was done inside may
                have been committed only where the failure came at the very end.
        """
        ...

    def reading(self) -> AbstractContextManager[Session]:
        """Read without locking anything; each query sees what is committed.

        Raises:
            BudgetStoreError: the database cannot be reached.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def schema() -> Iterator[str]:
    """Return the statements that make the tables where they are missing."""
    text = files("clearbar.route.budgets").joinpath("schema.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            yield statement.strip()
