from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.route.budgets.worlds import Clock, asked, held, leased, spent, state, store_in, workers

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.allowance import Allowance, BudgetStoreError, Holding, Short

if TYPE_CHECKING:
    from pathlib import Path

ORG = Account("organisation:/2026-11", 1000)
TEAM = Account("team:care/2026-11", 400)


def test_a_settled_call_is_spent_and_the_rest_is_free_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (ORG,), 300), 120)
            await worker.sync()
            assert spent(tmp_path, ORG) == 120
            worker.release(await held(worker, (ORG,), 880))

    asyncio.run(scene())
    assert (spent(tmp_path, ORG), leased(tmp_path, ORG)) == (120, 0)


def test_all_accounts_of_a_call_are_held_together(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (ORG, TEAM), 300), 300)

    asyncio.run(scene())
    assert (spent(tmp_path, ORG), spent(tmp_path, TEAM)) == (300, 300)


def test_where_one_account_is_short_nothing_is_held_of_any(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            assert await asked(worker, (ORG, TEAM), 500) == Short(TEAM, 400, draining=False)
            await worker.sync()
            assert leased(tmp_path, ORG) == leased(tmp_path, TEAM) == 0

    asyncio.run(scene())


def test_a_call_is_held_for_less_where_less_is_left_but_enough(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            found = await held(worker, (ORG, TEAM), 900, 100)
            assert found.amount_nusd == 400
            worker.release(found)

    asyncio.run(scene())


def test_most_calls_need_no_store(tmp_path: Path) -> None:
    plenty = Account("organisation:/2026-11", 10**9)

    async def scene() -> int:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (plenty,), 100), 10)
            at_once = 0
            for _ in range(1000):
                found = worker.try_hold((plenty,), 100, 100, begun=True)
                at_once += isinstance(found, Holding)
                worker.settle(
                    found if isinstance(found, Holding) else await held(worker, (plenty,), 100), 10
                )
                await asyncio.sleep(0)
            return at_once

    assert asyncio.run(scene()) >= 980
    assert spent(tmp_path, plenty) == 10_010


def test_settling_again_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            found = await held(worker, (ORG,), 300)
            worker.settle(found, 120)
            worker.settle(found, 120)
            worker.release(found)

    asyncio.run(scene())
    assert spent(tmp_path, ORG) == 120


def test_a_call_that_costs_more_than_was_held_is_recorded_all_the_same(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (TEAM,), 400), 450)
            assert await asked(worker, (TEAM,), 1) == Short(TEAM, 0, draining=False)

    asyncio.run(scene())
    assert spent(tmp_path, TEAM) == 450


def test_an_overdraft_is_recorded_beyond_any_limit(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(worker.overdraw((ORG, TEAM)), 700)

    asyncio.run(scene())
    assert (spent(tmp_path, ORG), spent(tmp_path, TEAM)) == (700, 700)


def test_a_lease_that_was_given_back_and_taken_again_goes_on_from_what_was_spent(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        clock = Clock()
        worker = await Allowance.open("w", store_in(tmp_path), clock=clock)
        for _ in range(2):
            worker.settle(await held(worker, (ORG,), 100), 100)
            for _ in range(4):
                clock.now_s += 6
                await worker.sync()
            assert not worker._leases
        worker.settle(worker.overdraw((ORG,)), 7)
        await worker.close()

    asyncio.run(scene())
    assert spent(tmp_path, ORG) == 207


def test_a_worker_whose_trade_has_broken_off_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        allowance = await Allowance.open("w", store_in(tmp_path))
        try:
            holding = await held(allowance, (ORG,), 300)
            seen = [allowance.is_over]
            allowance.settle(holding, 2**70)  # no database counts so far
            while not seen[-1] and len(seen) < 100:
                await asyncio.sleep(0.05)
                seen.append(allowance.is_over)
            assert seen[0] is False
            assert seen[-1] is True
        finally:
            with pytest.raises(OverflowError):
                await allowance.close()
            allowance._trade.stop()

    asyncio.run(scene())


def test_a_call_without_accounts_is_held_without_a_store(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            found = worker.try_hold((), 5, 5, begun=False)
            assert isinstance(found, Holding)
            assert (await held(worker, (), 5)).account_ids == ()
            worker.settle(found, 5)

    asyncio.run(scene())


def test_what_another_worker_does_not_use_comes_back_in_time(tmp_path: Path) -> None:
    account = Account("key:k/2026-11", 1000)

    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            one.settle(await held(one, (account,), 100), 0)
            assert leased(tmp_path, account) > 100
            two.release(await held(two, (account,), 1000))

    asyncio.run(scene())


def test_money_in_flight_elsewhere_is_waited_for_a_moment_then_refused(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            found = await held(one, (TEAM,), 400)
            began = asyncio.get_running_loop().time()
            assert isinstance(await asked(two, (TEAM,), 1), Short)
            assert asyncio.get_running_loop().time() - began < 1.45
            assert isinstance(two.try_hold((TEAM,), 1, 1, begun=True), Short)
            one.release(found)
            await asyncio.sleep(0.3)
            two.release(await held(two, (TEAM,), 400))

    asyncio.run(scene())


def test_a_call_that_waits_gets_what_another_call_of_the_worker_gives_back(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            elsewhere = await held(two, (TEAM,), 300)
            first = await held(one, (TEAM,), 100)
            waiting = asyncio.create_task(held(one, (TEAM,), 100))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            one.settle(first, 0)
            one.release(await waiting)
            two.release(elsewhere)

    asyncio.run(scene())


def test_a_call_that_nobody_could_help_is_refused_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            elsewhere = await held(two, (TEAM,), 10)
            began = asyncio.get_running_loop().time()
            assert await asked(one, (TEAM,), 401) == Short(TEAM, 390, draining=False)
            assert asyncio.get_running_loop().time() - began < 0.25
            two.release(elsewhere)

    asyncio.run(scene())


def test_a_cancelled_wait_holds_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            elsewhere = await held(two, (TEAM,), 400)
            waiting = asyncio.create_task(asked(one, (TEAM,), 300))
            await asyncio.sleep(0.05)
            waiting.cancel()
            two.release(elsewhere)
            with pytest.raises(asyncio.CancelledError):
                await waiting
            two.release(await held(two, (TEAM,), 400))

    asyncio.run(scene())


def test_a_call_that_is_cancelled_just_as_it_is_served_holds_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            waiting = asyncio.create_task(asked(worker, (TEAM,), 400))
            for _ in range(1_000_000):
                if worker._leases and worker._leases[TEAM.id].held:
                    break
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            worker.release(await held(worker, (TEAM,), 400))

    asyncio.run(scene())


def test_a_raised_limit_is_used_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            assert isinstance(await asked(worker, (TEAM,), 500), Short)
            more = TEAM._replace(limit_nusd=500)
            worker.release(await held(worker, (more,), 500))

    asyncio.run(scene())


def test_a_limit_lowered_below_what_is_spent_blocks(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (ORG,), 100), 50)
            less = ORG._replace(limit_nusd=40)
            assert worker.try_hold((less,), 1, 1, begun=True) is None
            assert await asked(worker, (less,), 1) == Short(less, 0, draining=False)

    asyncio.run(scene())


def test_each_threshold_warns_once_over_all_workers(tmp_path: Path) -> None:
    account = Account("team:care/2026-11", 1000, (500, 800))

    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            warned = []
            for worker, cost in ((one, 400), (two, 200), (one, 50), (two, 200), (one, 10)):
                worker.settle(await held(worker, (account,), cost), cost)
                await worker.sync()
                warned += worker.warnings()
            assert warned == [(account, 0.5), (account, 0.8)]
            assert one.warnings() == two.warnings() == []

    asyncio.run(scene())


def test_from_the_drain_on_new_work_is_refused_and_begun_work_goes_on(tmp_path: Path) -> None:
    account = Account("team:care/2026-11", 1000, (), 500)

    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            one.settle(await held(one, (account,), 500), 500)
            refusals = [await asked(one, (account,), 1, begun=False)]
            await one.sync()
            refusals.append(await asked(two, (account,), 1, begun=False))
            assert [isinstance(it, Short) and it.draining for it in refusals] == [True, True]
            two.release(await held(two, (account,), 500))
            assert isinstance(await asked(one, (account,), 501), Short)

    asyncio.run(scene())


def test_a_worker_that_cannot_reach_its_store_stops_holding_in_time(tmp_path: Path) -> None:
    clock = Clock()

    async def scene() -> None:
        worker = await Allowance.open("w", store_in(tmp_path), clock=clock)
        worker.release(await held(worker, (ORG,), 10))
        assert isinstance(worker.try_hold((ORG,), 10, 10, begun=True), Holding)
        clock.now_s += 21
        assert worker.try_hold((ORG,), 10, 10, begun=True) is None
        await worker.close()

    asyncio.run(scene())


def test_a_store_that_fails_is_said_to_the_call_and_used_again_when_it_works(
    tmp_path: Path,
) -> None:
    def move(one: str, other: str) -> None:
        for end in ("", "-wal", "-shm"):
            if (file := tmp_path / f"{one}{end}").exists():
                file.rename(tmp_path / f"{other}{end}")

    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            await worker.sync()
            worker._trade._store.close()
            move("budgets.db", "away.db")
            (tmp_path / "budgets.db").mkdir()
            with pytest.raises(BudgetStoreError, match="cannot be read or written"):
                await worker.hold((ORG,), 1, 1, begun=True)
            (tmp_path / "budgets.db").rmdir()
            move("away.db", "budgets.db")
            worker.settle(await held(worker, (ORG,), 5), 5)

    asyncio.run(scene())
    assert spent(tmp_path, ORG) == 5


def test_a_name_that_another_process_has_is_not_shared(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w", "w") as (one, two):
            assert one.worker == "w"
            assert two.worker.startswith("w~")

    asyncio.run(scene())


def test_a_worker_that_ends_with_open_holds_is_left_to_recovery(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            await held(worker, (ORG,), 300)

    asyncio.run(scene())
    assert (state(tmp_path, "w"), leased(tmp_path, ORG)) == ("live", 300)


def test_a_call_still_waiting_when_the_worker_ends_is_told_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            elsewhere = await held(two, (TEAM,), 400)
            waiting = asyncio.create_task(asked(one, (TEAM,), 300))
            await asyncio.sleep(0.05)
            await one.close()
            with pytest.raises(BudgetStoreError, match="ending"):
                await waiting
            two.release(elsewhere)

    asyncio.run(scene())


def test_a_crowd_takes_exactly_what_is_there(tmp_path: Path) -> None:
    async def scene() -> list[Holding | Short]:
        async with workers(tmp_path, "one", "two", "three") as three:
            found = await asyncio.gather(
                *(asked(three[number % 3], (ORG, TEAM), 8) for number in range(150))
            )
            for worker in three:
                for each in found:
                    if isinstance(each, Holding) and each.worker == worker.worker:
                        worker.settle(each, 8)
            return found

    found = asyncio.run(scene())
    assert sum(isinstance(it, Holding) for it in found) == 50
    assert spent(tmp_path, TEAM) == 400
