"""What the store forgets: accounts of periods that ended long ago, and answers that are gone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from tests.route import lines

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.ageing import forget_old
from clearbar.route.budgets.balances import balances
from clearbar.route.budgets.leases import Ask
from clearbar.route.budgets.owned import KEPT_DAYS, Owned, OwnedObjects, answers_in
from clearbar.route.budgets.store import Incarnation
from clearbar.route.wire.stored import hashed

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.budgets.store import BudgetStore

TODAY = date(2026, 11, 22)
WHO = Incarnation("w1", "w1", "n1")


def used(store: BudgetStore, account: str, *, leased: int = 0) -> None:
    """Use an account as a worker does, which keeps a lease of it or gives all back."""
    assert store.begin(WHO)
    asked = Ask(
        account=Account(account, 1000, (), None),
        spent_nusd=0,
        fresh=True,
        held_nusd=0,
        keep_nusd=0,
        extra_nusd=leased,
        warned=frozenset(),
        missing_nusd=0,
    )
    assert store.exchange(WHO, [asked]) is not None


@pytest.mark.parametrize(
    ("period", "stays"),
    [("2026-08", False), ("2026-09", True), ("2026-11", True), ("2026-09-22", False),
     ("2026-09-23", True), ("run", True)],
)  # fmt: skip
def test_an_account_goes_sixty_days_after_its_period(
    open_store: Callable[[], BudgetStore], period: str, *, stays: bool
) -> None:
    store = open_store()
    used(store, f"workflow:letters/{period}")
    forget_old(store, TODAY)
    assert bool(balances(store)) is stays


def test_an_account_of_which_somebody_has_a_lease_stays(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    used(store, "workflow:letters/2026-01", leased=100)
    assert forget_old(store, TODAY) == 0
    assert len(balances(store)) == 1


def test_the_first_who_made_an_object_stays_its_owner(
    open_store: Callable[[], BudgetStore],
) -> None:
    owned = OwnedObjects(open_store())
    owned.remember([Owned("a", "letters"), Owned("a", "letters"), Owned("b", "letters")])
    owned.remember([Owned("a", "others")])
    assert owned.owners(["a", "b", "c"]) == {"a": "letters", "b": "letters"}


def test_answers_are_forgotten_once_the_provider_has_removed_them(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    at_us = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1e6)
    calls = [
        (lines.held(operation="responses", at_us=at_us), lines.ended(upstream_id="resp_1")),
        (lines.held(operation="chat", at_us=at_us), lines.ended(upstream_id="chatcmpl_1")),
        (lines.held(operation="responses", at_us=at_us), None),
    ]
    owned = OwnedObjects(store)
    owned.remember(list(answers_in(calls)))
    kept = hashed("openai", "resp_1")
    forget_old(store, date.fromordinal(TODAY.toordinal() + KEPT_DAYS))
    assert owned.owners([kept, hashed("openai", "chatcmpl_1")]) == {kept: "letters"}
    forget_old(store, date.fromordinal(TODAY.toordinal() + KEPT_DAYS + 1))
    assert owned.owners([kept]) == {}


def test_a_store_of_an_older_clearbar_gets_what_it_lacks(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    with store.transaction() as session:
        session.run("DROP TABLE owned_objects")
        session.run("UPDATE budget_format SET version = 1")
    owned = OwnedObjects(open_store())
    owned.remember([Owned("a", "letters")])
    assert owned.owners(["a"]) == {"a": "letters"}
