from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.route.budgets.worlds import workers

from clearbar.route.budgets import begun
from clearbar.route.budgets.begun import Begun
from clearbar.route.route import Caller

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ONE = Caller("support", "k", task="t1", run="r1")


def test_a_task_or_run_that_was_paid_for_has_begun() -> None:
    known = Begun()
    assert not known.has(ONE)
    known.mark(ONE)
    assert known.has(Caller("support", "k", task="t1"))
    assert known.has(Caller("support", "k", task="t2", run="r1"))
    assert not known.has(Caller("support", "k", task="r1"))


def test_who_names_no_task_and_no_run_has_not_begun() -> None:
    known = Begun()
    known.mark(Caller("support", "k"))
    assert not known.has(Caller("support", "k"))
    assert not known.has_new


def test_another_worker_learns_it_at_its_next_report(tmp_path: Path) -> None:
    async def scene() -> None:
        async with workers(tmp_path, "one", "two") as (one, two):
            one.mark_begun(ONE)
            await one.sync()
            await two.sync()
            assert two.has_begun(ONE)
        async with workers(tmp_path, "three") as (three,):
            assert three.has_begun(ONE)

    asyncio.run(scene())


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begun, "REMEMBERED", 2)
    known = Begun()
    known.learn((place, f"task:t{place}") for place in (1, 2, 3))
    has = [known.has(Caller("support", "k", task=f"t{place}")) for place in (1, 2, 3)]
    assert has == [False, True, True]
    assert known.place == 3


def test_what_could_not_be_told_is_told_later() -> None:
    known = Begun()
    known.mark(ONE)
    new = known.take_new()
    assert not known.has_new
    known.not_told(new)
    assert known.take_new() == ("task:t1", "run:r1")
