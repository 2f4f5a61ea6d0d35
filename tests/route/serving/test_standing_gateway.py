"""A gateway that goes on while workers die, stores fail and declarations change under its calls."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import ROOT, Answered, Gateway, gateway, toml
from tests.tools.upstream import Fault, Upstream

from clearbar.route.budgets.balances import balances
from clearbar.route.budgets.recovery import unsettled
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase
from clearbar.route.journal.reader import calls
from clearbar.workspace import Workspace
from clearbar.workspace.keeping import WorkspaceKeeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

FLEETING = """
[[tool]]
name = "fleeting"
kind = "openai"
model = "gpt-5-mini"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"
"""
BUDGETS = """
[[budget]]
scope = "workflow"
name = "letters"
usd = "5"

[[budget]]
scope = "task"
name = "*"
usd = "1"
per = "run"
"""
HALF_PRICE = """
[[price]]
provider = "openai"
model = "gpt-5-mini"
discount = 0.5
"""
ORPHAN = """
import asyncio, sys, time
from pathlib import Path
from clearbar.route.budgets.account import Account
from clearbar.route.budgets.allowance import Allowance
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase
from clearbar.route.journal.writer import Journal
from tests.route.journal.journals import held

async def main(folder, name, id_, amount):
    loop = asyncio.get_running_loop()
    journal = None
    if name != "elsewhere":
        journal = Journal(Path(folder) / "journal", name, loop)
    allowance = await Allowance.open(name, BudgetStore(SqliteDatabase(Path(folder) / "budgets.db")))
    account = Account(id_, 5_000_000_000)
    holding = await allowance.hold([account], int(amount), int(amount), begun=False)
    if journal is not None:
        line = held(worker=holding.worker, accounts=(id_,), amount_nusd=int(amount))
        journal.append(line)
    print("holds", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


def fault_of(asked: Asked) -> Fault | None:
    if asked.prompt == "hang":
        return Fault("hang")
    if asked.prompt == "later" and not AGAIN:
        AGAIN.append(asked.number)
        return Fault("status", status=503, headers={"retry-after": "3"})
    return None


AGAIN: list[int] = []


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: "one two three four", faults=fault_of) as opened:
        yield opened


def store_of(folder: Path) -> BudgetStore:
    return BudgetStore(SqliteDatabase(folder / ".clearbar/route/budgets.db"))


def account(folder: Path, name: str) -> tuple[int, int]:
    """Return what is spent and what is leased of an account."""
    with contextlib.closing(store_of(folder)) as store:
        found = {each.name: each for each in balances(store)}
    return found[name].spent_nusd, found[name].leased_nusd


def in_time(found: Any, most_s: float = 15.0) -> bool:
    give_up = time.monotonic() + most_s
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, KeyError):
            if found():
                return True
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def orphan(folder: Path, name: str, amount: int) -> Iterator[subprocess.Popen[str]]:
    """Run a worker that holds money, and that no supervisor knows of."""
    month = time.strftime("%Y-%m", time.gmtime())
    route = str(folder / ".clearbar/route")
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, route, name, f"workflow:letters/{month}", str(amount)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "holds\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def in_the_background(running: Gateway, key: str, prompt: str, **more: Any) -> threading.Thread:
    def ask() -> None:
        with contextlib.suppress(OSError, Exception):
            running.chat(key, messages=[{"role": "user", "content": prompt}], **more)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_call_ends_by_the_table_it_began_with_though_its_tool_is_gone(
    upstream: Upstream, tmp_path: Path
) -> None:
    text = toml(upstream.url, FLEETING.format(url=upstream.url))
    with gateway(tmp_path, text) as (running, key):
        answered: list[Answered] = []

        def ask() -> None:
            said = [{"role": "user", "content": "later"}]
            answered.append(running.chat(key, model="fleeting", messages=said))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        (tmp_path / "clearbar.toml").write_text(toml(upstream.url))
        asking.join(15)
        assert [each.status for each in answered] == [200]
        assert running.chat(key).status == 200


@pytest.mark.slow
def test_a_new_price_is_in_force_though_no_route_has_changed(
    upstream: Upstream, tmp_path: Path
) -> None:
    def cost() -> int:
        running.chat(key)
        return max(calls(tmp_path / ".clearbar/route/journal"), key=lambda each: each[0].call_id)[
            1
        ].cost_nusd  # type: ignore[union-attr]

    text = toml(upstream.url)
    with gateway(tmp_path, text) as (running, key):
        time.sleep(3)  # the first verdicts change the table
        before = cost()
        (tmp_path / "clearbar.toml").write_text(text + HALF_PRICE)
        assert in_time(lambda: cost() < before, 6)


@pytest.mark.slow
def test_a_store_that_fails_as_a_worker_dies_ends_no_gateway_and_is_settled_later(
    upstream: Upstream, tmp_path: Path
) -> None:
    kept = tmp_path / ".clearbar/route"
    with gateway(tmp_path, toml(upstream.url, BUDGETS)) as (running, key):
        asking = in_the_background(running, key, "hang", max_tokens=1000)
        assert in_time(lambda: any(ended is None for _, ended in calls(kept / "journal")))
        amount = next(held.amount_nusd for held, ended in calls(kept / "journal") if not ended)
        (kept / "budgets.db").rename(kept / "aside.db")
        (kept / "budgets.db").mkdir()
        os.kill(running.worker_pids()[0], signal.SIGKILL)
        time.sleep(2)
        assert running.process.poll() is None
        (kept / "budgets.db").rmdir()
        (kept / "aside.db").rename(kept / "budgets.db")
        asking.join(15)
        assert in_time(lambda: account(tmp_path, "letters") == (amount, 0))
        running.wait_until_ready()
        assert running.chat(key, max_tokens=10).status == 200


@pytest.mark.slow
def test_a_worker_of_an_earlier_gateway_is_settled_when_it_dies(
    upstream: Upstream, tmp_path: Path
) -> None:
    with gateway(tmp_path, toml(upstream.url, BUDGETS)):
        with orphan(tmp_path, "earlier", 1_000_000_000):
            assert account(tmp_path, "letters")[1] >= 1_000_000_000
        assert in_time(lambda: account(tmp_path, "letters") == (1_000_000_000, 0))


@pytest.mark.slow
def test_a_worker_of_another_machine_without_a_sign_of_life_is_written_off(
    upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "clearbar.toml").write_text(toml(upstream.url, BUDGETS))
    seconds = [0.0]
    keeper = WorkspaceKeeper(lambda: Workspace(tmp_path), lambda: seconds[0])
    try:
        with orphan(tmp_path, "elsewhere", 1_000_000_000), orphan(tmp_path, "here", 1):
            assert keeper.write_off_lost() == []
            time.sleep(1.5)
            seconds[0] = 100.0
            assert keeper.write_off_lost() == []
        assert keeper.write_off_lost() == []
        seconds[0] = 170.0
        assert keeper.write_off_lost() == ["elsewhere"]
        assert keeper.dead_workers() == ["here"]
        keeper.recover("here")
    finally:
        keeper.close()
    spent, leased = account(tmp_path, "letters")
    assert spent >= 1_000_000_001
    assert leased == 0
    with contextlib.closing(store_of(tmp_path)) as store:
        assert unsettled(store) == {"elsewhere"}


@pytest.mark.slow
def test_where_budgets_only_count_a_store_that_does_not_answer_refuses_nobody(
    upstream: Upstream, tmp_path: Path
) -> None:
    text = toml(upstream.url, BUDGETS, mode="advise")
    with gateway(tmp_path, text) as (running, key):
        assert running.chat(key, headers={"x-clearbar-task": "before"}).status == 200
        path = tmp_path / ".clearbar/route/budgets.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answered = running.chat(key, headers={"x-clearbar-task": "meanwhile"})
            other.execute("ROLLBACK")
        assert answered.status == 200
        assert in_time(lambda: account(tmp_path, "meanwhile")[0] > 0)
