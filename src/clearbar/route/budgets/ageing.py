"""Removes from the store what nobody asks for any more: accounts of old periods, old answers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.balances import balances
from clearbar.route.budgets.owned import OwnedObjects

if TYPE_CHECKING:
    from datetime import date

    from clearbar.route.budgets.store import BudgetStore

KEPT: Final = timedelta(days=60)
"""After the end of a period. By then its calls are in the ledger, which keeps them."""
_EPOCH_ORDINAL: Final = 719_163
"""Of 1970-01-01."""


def forget_old(store: BudgetStore, today: date) -> int:
    """Remove accounts of periods that ended long ago, and answers that providers have removed.

    What a worker still has leased or holds of an account keeps it. Return how many accounts went.

    Raises:
        BudgetStoreError: when the store cannot be written.
    """
    OwnedObjects(store).forget(today.toordinal() - _EPOCH_ORDINAL)
    last = today - KEPT
    old = [
        each.account
        for each in balances(store)
        if each.period
        and not each.leased_nusd
        and each.period < f"{last:%Y-%m-%d}"[: len(each.period)]
    ]
    return sum(_forget(store, account) for account in old)


def _forget(store: BudgetStore, account: str) -> int:
    with store.transaction() as session:
        session.rows(
            f"SELECT account FROM budget_accounts WHERE account = ?{store.locking}",  # noqa: S608
            account,
        )
        leased = session.rows(
            "SELECT 1 FROM budget_leases WHERE account = ? AND (leased_nusd > 0 OR held_nusd > 0)",
            account,
        )
        if leased:
            return 0
        for table in ("budget_leases", "budget_warnings", "budget_accounts"):
            session.run(f"DELETE FROM {table} WHERE account = ?", account)  # noqa: S608 - our names
    return 1
