"""Whatever happens in whatever order, no budget is exceeded, and the balance is what was charged.

The real leases, asks and store, with answers that arrive late or never, crashes and recoveries.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from tests.route.budgets.lines import ended_line, held_line

from clearbar.route.budgets import asking
from clearbar.route.budgets.account import Account
from clearbar.route.budgets.holding import Holding, Lease
from clearbar.route.budgets.leases import Ask, Need
from clearbar.route.budgets.recovery import end, living, recover, write_off
from clearbar.route.budgets.store import BudgetStore, Incarnation
from clearbar.route.budgets.store_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from clearbar.route.journal.entry import Ended, Held

LIMITS = {"a": 100, "b": 140, "c": 90}
amounts = st.integers(0, 40)
accounts = st.sets(st.sampled_from(sorted(LIMITS)), min_size=1).map(sorted)


class Worker:
    """A worker process, with its journal."""

    def __init__(self, number: int) -> None:
        name = f"w{number}"
        self.incarnation = Incarnation(name, name, name)
        self.leases = {each: Lease(Account(each, limit)) for each, limit in LIMITS.items()}
        self.journal: dict[str, tuple[Held, Ended | None]] = {}
        self.late: Any = None
        """An exchange whose answer has not arrived: asks, answer, the call that waits."""

    def took(self, each: str) -> int:
        return sum(
            held.amount_nusd if ended is None else ended.cost_nusd
            for held, ended in self.journal.values()
            if each in held.accounts
        )


class Interleavings(RuleBasedStateMachine):
    """Any order of what workers, the store and recovery do."""

    def __init__(self) -> None:
        super().__init__()
        self.store = BudgetStore(SqliteDatabase(Path(":memory:")))
        self.workers: list[Worker] = []
        self.every: list[Worker] = []
        """With those that died."""
        self.overshoot = 0
        self.calls = 0

    alive = Bundle("alive")
    dead = Bundle("dead")
    held = Bundle("held")

    @rule(target=alive)
    def start(self) -> Worker:
        worker = Worker(len(self.every))
        self.every.append(worker)
        assert self.store.begin(worker.incarnation)
        self.workers.append(worker)
        return worker

    @rule(worker=alive, of=accounts, wanted=amounts, least=amounts, ahead=st.booleans())
    def ask(self, worker: Worker, of: list[str], wanted: int, least: int, *, ahead: bool) -> None:
        """Send an exchange; its answer arrives later."""
        if worker.late is not None:
            return
        leases = [worker.leases[each] for each in of]
        if ahead:
            asks = [asking.ask_ahead(it) for it in leases]
            needs = []
        else:
            asks = [asking.ask_for_call(it, wanted) for it in leases]
            needs = [Need(tuple(of), max(wanted, least), min(wanted, least), begun=True)]
        self._send(worker, asks, needs)

    @rule(worker=alive, returning=st.booleans())
    def report(self, worker: Worker, *, returning: bool) -> None:
        if worker.late is None:
            form = asking.ask_to_return if returning else asking.ask_in_turn
            self._send(worker, [form(worker.leases[each]) for each in sorted(LIMITS)], [])

    def _send(self, worker: Worker, asks: list[Ask], needs: list[Need]) -> None:
        answer = self.store.exchange(worker.incarnation, asks, needs)
        worker.late = (asks, answer, needs)

    @rule(target=held, worker=alive, is_lost=st.booleans())
    def answer(self, worker: Worker, *, is_lost: bool) -> Any:
        """Let the answer arrive, or get lost on its way."""
        if worker.late is None:
            return None
        (asks, answer, needs), worker.late = worker.late, None
        if is_lost or answer is None:
            return None
        for ask, grant in zip(asks, answer.grants, strict=True):
            asking.apply(worker.leases[ask.account.id], ask, grant, 0.0)
        amount = answer.amounts[0] if needs else None
        return None if amount is None else self._take(worker, needs[0].accounts, amount)

    @rule(target=held, worker=alive, of=accounts, amount=amounts)
    def hold(self, worker: Worker, of: list[str], amount: int) -> Any:
        if any(worker.leases[each].free < amount for each in of):
            return None
        return self._take(worker, of, amount)

    def _take(self, worker: Worker, of: Any, amount: int) -> Any:
        leases = [worker.leases[each] for each in of]
        for lease in leases:
            lease.take(amount)
        holding = Holding([it.account for it in leases], amount, leases, worker.incarnation.worker)
        self.calls += 1
        line = held_line(str(self.calls), holding)
        worker.journal[line.call_id] = line, None
        return worker, line.call_id, holding

    @rule(call=consumes(held), cost=st.integers(0, 50))
    def settle(self, call: Any, cost: int) -> None:
        if call is None or call[0] not in self.workers:
            return
        worker, call_id, holding = call
        line, ended = worker.journal[call_id]
        if ended is not None:
            return
        worker.journal[call_id] = line, ended_line(call_id, cost)
        self.overshoot += max(cost - holding.amount_nusd, 0)
        for lease in holding.leases:
            lease.give_back(holding.amount_nusd, cost)

    @rule(worker=alive, each=st.sampled_from(sorted(LIMITS)))
    def forget(self, worker: Worker, each: str) -> None:
        """Drop a lease that has nothing, as a worker does after a while."""
        if worker.late is None and not worker.leases[each].is_owed:
            worker.leases[each] = Lease(worker.leases[each].account)

    @rule(target=dead, worker=consumes(alive))
    def crash(self, worker: Worker) -> Worker:
        self.workers.remove(worker)
        return worker

    @rule(worker=dead)
    def recover(self, worker: Worker) -> None:
        recover(self.store, worker.incarnation.worker, worker.journal.values())

    @rule(worker=dead)
    def lose(self, worker: Worker) -> None:
        name = worker.incarnation.worker
        write_off(self.store, name, living(self.store).get(name, ("", -1))[1])

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        taken = self.store.taken(sorted(LIMITS))
        for each, limit in LIMITS.items():
            assert taken.get(each, 0) <= limit + self.overshoot

    @invariant()
    def what_workers_hold_and_spent_is_covered(self) -> None:
        taken = self.store.taken(sorted(LIMITS))
        for each in LIMITS:
            took = sum(it.took(each) for it in self.every)
            assert took <= taken.get(each, 0) + self.overshoot

    @invariant()
    def what_a_worker_may_use_is_leased_to_it(self) -> None:
        with self.store.reading() as session:
            rows = session.rows(
                "SELECT worker, account, leased_nusd, reported_nusd FROM budget_leases"
            )
        leased = {(worker, account): (out, told) for worker, account, out, told in rows}
        for worker in self.workers:
            for each, lease in worker.leases.items():
                out, told = leased.get((worker.incarnation.worker, each), (0, 0))
                spent = lease.spent + told if lease.fresh else lease.spent
                # What a call cost beyond its hold is covered once its report is answered.
                beyond = self.overshoot if worker.late else 0
                assert lease.free + lease.held + spent - told <= out + beyond

    def teardown(self) -> None:
        """Settle with everybody: the balance is what was charged, and nothing is left behind."""
        for worker in self.every:
            if worker in self.workers and not any(
                ended is None for _, ended in worker.journal.values()
            ):
                spent = {each: lease.spent for each, lease in worker.leases.items()}
                fresh = any(lease.fresh and lease.spent for lease in worker.leases.values())
                assert fresh or end(self.store, worker.incarnation, spent)
            recover(self.store, worker.incarnation.worker, worker.journal.values())
        taken = self.store.taken(sorted(LIMITS))
        for each in LIMITS:
            assert taken.get(each, 0) == sum(it.took(each) for it in self.every)
        with self.store.reading() as session:
            assert session.rows("SELECT 1 FROM budget_leases WHERE leased_nusd <> 0") == []
            assert session.rows("SELECT 1 FROM budget_workers WHERE state = 'live'") == []
        self.store.close()


TestAnyInterleaving = Interleavings.TestCase
TestAnyInterleaving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
