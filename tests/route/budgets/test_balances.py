from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

from tests.route.budgets.worlds import held, store_in, workers

from clearbar.route.budgets.account import Account
from clearbar.route.budgets.balances import Balance, balances, running

if TYPE_CHECKING:
    from pathlib import Path

TEAM = Account("team:care/day/2026-11-22", 1000, (500, 900), 600)
RUN = Account("run:r/1/run", 400)


def found(folder: Path) -> list[Balance]:
    store = store_in(folder)
    try:
        return balances(store)
    finally:
        store.close()


def test_a_balance_shows_what_is_spent_held_leased_and_left(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(await held(worker, (RUN, TEAM), 400), 300)
            worker.settle(await held(worker, (TEAM,), 350), 350)
            await held(worker, (RUN,), 40)
            await worker.sync()
            run, team = found(tmp_path)
            assert (run.spent_nusd, run.held_nusd, run.left_nusd) == (300, 40, 60)
            assert run.leased_nusd >= run.held_nusd
            assert (team.left_nusd, team.draining, team.warned) == (350, True, (0.5,))

    asyncio.run(scene())


def test_names_may_have_any_signs_in_them(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.release(await held(worker, (RUN, TEAM), 1))

    asyncio.run(scene())
    assert [(it.scope, it.name, it.per, it.period) for it in found(tmp_path)] == [
        ("run", "r/1", "run", ""),
        ("team", "care/day", "day", "2026-11-22"),
    ]
    assert [it.name for it in running(found(tmp_path), date(2026, 11, 23))] == ["r/1"]
    assert len(running(found(tmp_path), date(2026, 11, 22))) == 2


def test_an_overdrawn_account_has_less_than_nothing_left(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "w") as (worker,):
            worker.settle(worker.overdraw((RUN, Account("key:k/2026-11", 0))), 500)

    asyncio.run(scene())
    assert [it.left_nusd for it in found(tmp_path)] == [-500, -100]
