from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.route.budgets.lines import ended_line, held_line
from tests.route.budgets.worlds import Clock, held, leased, spent, state, store_in, workers

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.allowance import Allowance, Holding
from clearbar.route.budgets.recovery import (
    LifeWatch,
    beats,
    is_closed,
    living,
    recover,
    unsettled,
    write_off,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearbar.route.journal.entry import Ended, Held

ORG = Account("organisation:/2026-11", 1000)


def recovered(folder: Path, worker: str, calls: Iterable[tuple[Held, Ended | None]]) -> None:
    store = store_in(folder)
    recover(store, worker, calls)
    store.close()


def written_off(folder: Path, worker: str) -> bool:
    store = store_in(folder)
    done = write_off(store, worker, living(store).get(worker, ("", -1))[1])
    store.close()
    return done


async def died(folder: Path, *costs: int | None) -> list[tuple[Held, Ended | None]]:
    """Let a worker make calls, and disappear without a word; None: in flight at its death."""
    worker = await Allowance.open("w", store_in(folder))
    calls: list[tuple[Held, Ended | None]] = []
    for number, cost in enumerate(costs):
        holding = await held(worker, (ORG,), 100)
        line = held_line(str(number), holding)
        calls.append((line, None if cost is None else ended_line(str(number), cost)))
        if cost is not None:
            worker.settle(holding, cost)
    task = worker._trade._task
    assert task is not None
    task.cancel()
    await asyncio.wait([task])
    worker._trade.stop()
    return calls


def test_what_a_dead_worker_spent_is_what_its_journal_says(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30, 70, 0))
    assert leased(tmp_path, ORG) > 0
    recovered(tmp_path, "w", calls)
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (100, 0)
    assert state(tmp_path, "w") == "recovered"


def test_a_call_in_flight_at_its_death_counts_with_all_that_was_held(tmp_path: Path) -> None:
    recovered(tmp_path, "w", asyncio.run(died(tmp_path, 30, None)))
    assert spent(tmp_path, ORG) == 130


def test_to_recover_again_changes_nothing(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30, None))
    for _ in range(3):
        recovered(tmp_path, "w", calls)
    assert spent(tmp_path, ORG) == 130


def test_a_line_that_is_read_only_later_puts_the_sum_right(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30, None))
    recovered(tmp_path, "w", calls)
    recovered(tmp_path, "w", [calls[0], (calls[1][0], ended_line("1", 5))])
    assert spent(tmp_path, ORG) == 35


def test_a_journal_whose_beginning_is_gone_frees_no_money(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (ORG,), 100), 90)
            await worker.sync()
            await held(worker, (ORG,), 10)

    asyncio.run(scene())
    recovered(tmp_path, "w", [])
    assert spent(tmp_path, ORG) == 90


def test_a_worker_that_ended_in_order_needs_no_recovery(tmp_path: Path) -> None:
    async def scene() -> list[tuple[Held, Ended | None]]:
        async with workers(tmp_path, "w") as (worker,):
            holding = await held(worker, (ORG,), 100)
            worker.settle(holding, 60)
            return [(held_line("1", holding), ended_line("1", 60))]

    recovered(tmp_path, "w", asyncio.run(scene()))
    assert (spent(tmp_path, ORG), state(tmp_path, "w")) == (60, "closed")


def test_only_a_worker_that_ended_in_order_under_its_first_name_is_closed(tmp_path: Path) -> None:
    async def in_order() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (ORG,), 100), 60)

    async def without_its_budgets() -> None:
        async with workers(tmp_path, "x") as (worker,):
            worker.settle(await held(worker, (ORG,), 30), 30)
            lose(tmp_path)
            await worker.sync()
            worker.settle(await held(worker, (ORG,), 20), 20)

    asyncio.run(in_order())
    store = store_in(tmp_path)
    assert (is_closed(store, "w"), is_closed(store, "never")) == (True, False)
    store.close()
    asyncio.run(died(tmp_path, 30))
    store = store_in(tmp_path)
    assert not is_closed(store, "w")
    store.close()
    asyncio.run(without_its_budgets())
    store = store_in(tmp_path)
    assert not is_closed(store, "x")
    store.close()


def lose(folder: Path) -> None:
    for file in folder.glob("budgets.db*"):
        file.unlink()
    store_in(folder).close()


def test_budgets_whose_file_was_lost_are_made_again_from_the_journals(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30, None))
    for file in tmp_path.glob("budgets.db*"):
        file.unlink()
    for _ in range(2):
        recovered(tmp_path, "w", calls)
    assert spent(tmp_path, ORG) == 130


def test_a_late_return_cannot_undo_a_recovery(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            holding = await held(worker, (ORG,), 100)
            done = await held(worker, (ORG,), 50)
            worker.settle(done, 40)
            lines = [(held_line("1", holding), None), (held_line("2", done), ended_line("2", 40))]
            recovered(tmp_path, "w", lines)
            assert spent(tmp_path, ORG) == 140
            worker.settle(holding, 10)
            await worker.sync()
            await worker.sync()
            assert spent(tmp_path, ORG) == 140
            after = await held(worker, (ORG,), 860)
            assert after.worker == worker.worker != "w"
            worker.settle(after, 860)

    asyncio.run(scene())
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (1000, 0)


def test_all_incarnations_of_a_worker_are_recovered_together(tmp_path: Path) -> None:
    async def scene() -> list[tuple[Held, Ended | None]]:
        async with workers(tmp_path, "w") as (worker,):
            first = await held(worker, (ORG,), 100)
            recovered(tmp_path, "w", [(held_line("1", first), None)])
            await worker.sync()
            second = await held(worker, (ORG,), 200)
            assert first.worker != second.worker
            return [(held_line(str(it), call), None) for it, call in enumerate((first, second))]

    recovered(tmp_path, "w", asyncio.run(scene()))
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (300, 0)


def test_a_lost_worker_counts_with_all_it_could_have_spent(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30, None))
    could = spent(tmp_path, ORG) + leased(tmp_path, ORG)
    assert written_off(tmp_path, "w")
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (could, 0)
    assert not written_off(tmp_path, "w")
    recovered(tmp_path, "w", calls)
    assert spent(tmp_path, ORG) == 130


def test_a_worker_that_shows_a_sign_of_life_in_time_is_not_lost(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            await held(worker, (ORG,), 100)
            store = store_in(tmp_path)
            ((_, beat),) = living(store).values()
            await worker.sync()
            assert not write_off(store, "w", beat)
            store.close()

    asyncio.run(scene())


def test_a_worker_that_comes_back_says_what_it_really_spent(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            holding = await held(worker, (ORG,), 100)
            assert written_off(tmp_path, "w")
            assert spent(tmp_path, ORG) >= 100
            await worker.sync()
            assert isinstance(worker.try_hold((), 1, 1, begun=True), Holding)
            worker.settle(holding, 15)
            await worker.sync()
            assert (spent(tmp_path, ORG), state(tmp_path, "w")) == (15, "closed")

    asyncio.run(scene())


def test_an_old_incarnation_is_closed_so_that_its_journal_is_not_needed_for_ever(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        clock = Clock()
        worker = await Allowance.open("w", store_in(tmp_path), clock=clock)
        holding = await held(worker, (ORG,), 100)
        clock.now_s += 7 * 3600
        await worker.sync()
        other = await held(worker, (ORG,), 100)
        assert other.worker != holding.worker
        worker.settle(holding, 20)
        worker.settle(other, 30)
        await worker.sync()
        assert state(tmp_path, "w") == "closed"
        await worker.close()

    asyncio.run(scene())
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (50, 0)


def test_only_a_worker_that_has_money_has_to_show_that_it_lives(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "busy", "idle") as (busy, _):
            busy.release(await held(busy, (ORG,), 100))
            store = store_in(tmp_path)
            assert beats(store).keys() == {"busy"}
            assert living(store).keys() == {"busy", "idle"}
            store.close()

    asyncio.run(scene())


def test_a_lost_worker_is_unsettled_until_its_journal_was_read(tmp_path: Path) -> None:
    calls = asyncio.run(died(tmp_path, 30))
    store = store_in(tmp_path)
    assert written_off(tmp_path, "w")
    assert unsettled(store) == {"w"}
    recovered(tmp_path, "w", calls)
    assert unsettled(store) == set()
    store.close()


def test_only_a_counter_that_stands_still_for_long_is_a_lost_worker() -> None:
    watch = LifeWatch(60)
    assert watch.lost({"a": 1, "b": 1}, 0) == []
    assert watch.lost({"a": 1, "b": 2}, 59) == []
    assert watch.lost({"a": 1, "b": 2, "c": 1}, 60) == [("a", 1)]
    assert watch.lost({"b": 3}, 119) == []
    assert watch.lost({"a": 1, "b": 3}, 120) == []
