"""One PostgreSQL for all tests of this room."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.route.budgets.clusters import NoClusterError, cluster
from tests.route.budgets.worlds import store_in

from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_postgres import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return the address of an empty PostgreSQL; skip where it cannot run."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(cluster())
        except NoClusterError as error:
            pytest.skip(str(error))
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], BudgetStore]]:
    """Return what opens one more connection to the same empty store."""
    opened: list[BudgetStore] = []
    address = request.getfixturevalue("postgres") if request.param == "postgres" else ""

    def made() -> BudgetStore:
        store = BudgetStore(PostgresDatabase(address)) if address else store_in(tmp_path)
        opened.append(store)
        return store

    yield made
    if address:
        store = made()
        with store.transaction() as session:
            for table in ("accounts", "workers", "leases", "warnings", "begun"):
                session.run(f"DELETE FROM budget_{table}")  # noqa: S608 - our own names
            session.run("DELETE FROM owned_objects")
    for store in opened:
        store.close()
