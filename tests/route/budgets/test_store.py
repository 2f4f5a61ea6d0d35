"""What the store does, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.leases import Ask, Need
from clearbar.route.budgets.store import Answer, Incarnation

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.budgets.store import BudgetStore

A = Account("key:a/2026-11", 1000, (500,), None)
B = Account("organisation:/2026-11", 1000)
ONE, TWO = (Incarnation(name, name, f"nonce of {name}") for name in ("one", "two"))


def ask(
    account: Account, spent: int = 0, held: int = 0, extra: int = 0, *, fresh: bool = False
) -> Ask:
    return Ask(account, spent, fresh, held, held, extra)


def traded(
    store: BudgetStore, who: Incarnation, *asks: Ask, needs: tuple[Need, ...] = ()
) -> Answer:
    answer = store.exchange(who, asks, needs)
    assert answer is not None
    return answer


def test_spend_is_reported_as_a_whole_and_so_may_be_reported_again(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    assert store.begin(ONE)
    traded(store, ONE, ask(A, fresh=True), ask(B, fresh=True))
    for _ in range(3):
        answer = traded(store, ONE, ask(A, 300), ask(B, 200))
    assert [it.position.spent_nusd for it in answer.grants] == [300, 200]
    assert store.taken([A.id, B.id, "none"]) == {A.id: 300, B.id: 200}


def test_what_is_leased_is_taken_from_what_others_may_have(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    assert store.begin(ONE)
    assert store.begin(TWO)
    need = Need((A.id,), 700, 400, begun=True)
    assert traded(store, ONE, ask(A, fresh=True), needs=(need,)).amounts == [700]
    answer = traded(store, TWO, ask(A, fresh=True), needs=(need,))
    assert answer.amounts == [None]
    assert (answer.grants[0].left_nusd, answer.grants[0].position.leased_nusd) == (300, 700)
    traded(store, ONE, ask(A, 100))
    assert traded(store, TWO, ask(A), needs=(need,)).amounts == [700]


def test_others_hear_of_what_a_call_misses(open_store: Callable[[], BudgetStore]) -> None:
    store = open_store()
    assert store.begin(ONE)
    assert store.begin(TWO)
    traded(store, ONE, ask(A, fresh=True, extra=900))
    need = Need((A.id,), 900, 900, begun=True)
    (short,) = traded(store, TWO, ask(A, fresh=True), needs=(need,)).grants
    assert (short.short_nusd, short.position.idle_nusd) == (400, 500)
    (grant,) = traded(store, ONE, ask(A, extra=500)).grants
    assert (grant.position.is_short, grant.leased_nusd) == (True, 0)
    traded(store, TWO, ask(A))
    assert traded(store, ONE, ask(A, extra=10)).grants[0].leased_nusd == 10


def test_a_lease_that_was_forgotten_goes_on_from_what_it_had_spent(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    assert store.begin(ONE)
    traded(store, ONE, ask(A, fresh=True))
    traded(store, ONE, ask(A, 60))
    (grant,) = traded(store, ONE, ask(A, fresh=True)).grants
    assert (grant.began_at_nusd, grant.position.spent_nusd) == (60, 60)


def test_a_threshold_is_told_to_one_worker(open_store: Callable[[], BudgetStore]) -> None:
    store = open_store()
    assert store.begin(ONE)
    assert store.begin(TWO)
    traded(store, ONE, ask(A, fresh=True))
    (grant,) = traded(store, ONE, ask(A, 500)).grants
    assert (grant.crossed, grant.passed) == ((500,), frozenset({500}))
    (grant,) = traded(store, TWO, ask(A, fresh=True)).grants
    assert (grant.crossed, grant.passed) == ((), frozenset({500}))


def test_only_the_process_that_began_an_incarnation_may_use_it(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    other = ONE._replace(nonce="another")
    assert store.begin(ONE)
    assert store.begin(ONE)
    assert not store.begin(other)
    assert store.exchange(other, [ask(A, fresh=True)]) is None


def test_tasks_that_began_are_told_once_in_the_order_in_which_they_began(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()
    assert store.begin(ONE)
    assert store.exchange(ONE, [], begun=("task:a", "run:b")) == Answer((), [])
    store.exchange(ONE, [], begun=("task:a", "task:c"))
    rows = store.begun_since(0, 100)
    assert [work for _, work in rows] == ["run:b", "task:a", "task:c"]
    assert store.begun_since(rows[1][0], 100) == rows[2:]
    assert store.begun_since(0, 1) == rows[2:]


def test_many_at_once_never_lease_more_than_there_is(
    open_store: Callable[[], BudgetStore],
) -> None:
    got: list[int] = []

    def work(name: str) -> None:
        store = open_store()
        who = Incarnation(name, name, name)
        assert store.begin(who)
        asks = [ask(A, fresh=True), ask(B, fresh=True)]
        need = Need((A.id, B.id), 70, 70, begun=True)
        for _ in range(5):
            amounts = traded(store, who, *asks, needs=(need,)).amounts
            held = (amounts[0] or 0) + asks[0].held_nusd
            asks = [ask(A, held=held), ask(B, held=held)]
        got.append(asks[0].held_nusd)
        store.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 980
    assert open_store().taken([A.id, B.id]) == {A.id: 980, B.id: 980}


def test_tables_of_a_newer_clearbar_are_refused(open_store: Callable[[], BudgetStore]) -> None:
    store = open_store()
    with store.transaction() as session:
        session.run("UPDATE budget_format SET version = version + 1")
    with pytest.raises(BudgetStoreError, match="newer"):
        open_store().taken([A.id])
    with store.transaction() as session:
        session.run("UPDATE budget_format SET version = version - 1")


def test_what_fails_inside_a_transaction_leaves_no_trace(
    open_store: Callable[[], BudgetStore],
) -> None:
    store = open_store()

    def note(*works: str) -> None:
        with store.transaction() as session:
            for work in works:
                session.run("INSERT INTO budget_begun (work, place) VALUES (?, 1)", work)
            raise KeyError

    with pytest.raises(BudgetStoreError):
        note("task:a", "task:a")
    with pytest.raises(KeyError):
        note("task:b")
    assert store.begun_since(0, 10) == []
