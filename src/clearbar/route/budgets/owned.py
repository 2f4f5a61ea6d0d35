"""Whose objects at the provider are: ids, hashed, by the workflow that made them.

Kept beside the budgets, because all workers and machines that share these share the providers' keys
too. Each method is one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.route.wire.stored import hashed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from clearbar.route.budgets.store import BudgetStore
    from clearbar.route.journal.entry import Ended, Held
    from clearbar.tools.address import Protocol

KEPT_DAYS: Final = 60
"""Providers keep answers for a month."""
_DAY_US: Final = 86_400_000_000
_FOR_GOOD: Final = 10**9


class Owned(NamedTuple):
    """One object."""

    object: str
    """Its hash."""
    workflow: str
    lapses_on_day: int = _FOR_GOOD
    """Since 1970: when the provider has removed it."""


def kept_answer(workflow: str, protocol: Protocol, answer_id: str, at_us: int) -> Owned:
    """Return the answer to a workflow that a provider keeps for a while."""
    return Owned(hashed(protocol, answer_id), workflow, at_us // _DAY_US + KEPT_DAYS)


def answers_in(calls: Iterable[tuple[Held, Ended | None]]) -> Iterator[Owned]:
    """Yield the answers that providers may have kept, of the calls of a journal."""
    for held, ended in calls:
        if ended is not None and ended.upstream_id and held.operation == "responses":
            yield kept_answer(held.workflow, "openai", ended.upstream_id, held.at_us)


class OwnedObjects:
    """Over a connection of its own, for one thread at a time."""

    def __init__(self, store: BudgetStore) -> None:
        self._store = store

    def owners(self, objects: Collection[str]) -> dict[str, str]:
        """Return the workflows that made objects; who is not there is not known.

        Raises:
            BudgetStoreError: when the store cannot be read.
        """
        marks = ", ".join("?" * len(objects))
        with self._store.reading() as session:
            rows = session.rows(
                f"SELECT object, workflow FROM owned_objects WHERE object IN ({marks})",  # noqa: S608 - only marks
                *objects,
            )
        return dict(rows)

    def remember(self, made: Sequence[Owned]) -> None:
        """Note who made objects; what is known already stays as it is.

        Raises:
            BudgetStoreError: when the store cannot be written.
        """
        with self._store.transaction() as session:
            session.many(
                "INSERT INTO owned_objects (object, workflow, lapses_on_day) VALUES (?, ?, ?) "
                "ON CONFLICT (object) DO NOTHING",
                sorted(set(made)),
            )

    def forget(self, before_day: int) -> int:
        """Remove what providers have removed before a day; return how much."""
        with self._store.transaction() as session:
            return session.run("DELETE FROM owned_objects WHERE lapses_on_day < ?", before_day)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()
