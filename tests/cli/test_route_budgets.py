"""`clearbar route budgets`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.route.budgets.worlds import held, workers

from clearbar.route.budgets.account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

LETTERS = Account("workflow:letters/2026-09", 10 * 10**9, (8 * 10**9,))
OVER = Account("workflow:letters/2026-08", 10 * 10**9)
RUN = Account("run:[/x]/run", 3 * 10**9, (), 10**9)


def spend(folder: Path) -> None:
    async def scene() -> None:
        async with workers(folder / ".clearbar" / "route", "w") as (worker,):
            worker.settle(await held(worker, (LETTERS,), 9 * 10**9), 8_500_000_000)
            worker.settle(await held(worker, (OVER,), 10**9), 10**9)
            worker.settle(await held(worker, (RUN,), 10**9), 10**9)

    asyncio.run(scene())


def test_before_any_call_no_budget_was_used(clearbar: CommandLine) -> None:
    said = clearbar("route", "budgets")
    assert (said.code, said.out) == (0, "No budget has been used yet.\n")
    assert not (clearbar.folder / ".clearbar" / "route").exists()


def test_what_is_left_of_each_budget_is_shown(clearbar: CommandLine) -> None:
    spend(clearbar.folder)
    lines = clearbar("route", "budgets").out.splitlines()
    assert [line.split() for line in lines] == [
        ["account", "limit", "spent", "held", "leased", "left"],
        ["run:[/x]/run", "$3.00", "$1.00", "$0.00", "$0.00", "$2.00", "draining"],
        [LETTERS.id, "$10.00", "$8.50", "$0.00", "$0.00", "$1.50", "over", "80%"],
    ]


def test_months_that_are_over_are_shown_when_asked_for(clearbar: CommandLine) -> None:
    spend(clearbar.folder)
    assert OVER.id in clearbar("route", "budgets", "--all").out


def test_json_has_every_amount(clearbar: CommandLine) -> None:
    spend(clearbar.folder)
    _, letters = clearbar("route", "budgets", "--json").json
    assert letters == {
        "account": LETTERS.id,
        "scope": "workflow",
        "name": "letters",
        "per": "month",
        "period": "2026-09",
        "limit_usd": "10",
        "spent_usd": "8.5",
        "held_usd": "0",
        "leased_usd": "0",
        "left_usd": "1.5",
        "draining": False,
        "warned": [0.8],
    }
