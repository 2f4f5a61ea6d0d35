"""Whose objects are, as one worker knows it: from memory, from the store, and a moment later."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.budgets.owned import OwnedObjects
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase
from clearbar.route.serving.owners import SOON_S, Owners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def owners(folder: Path) -> AsyncIterator[Owners]:
    opened = Owners(OwnedObjects(BudgetStore(SqliteDatabase(folder / "budgets.db"))))
    try:
        yield opened
    finally:
        await opened.close()


def test_an_object_is_known_to_all_workers_once_it_is_remembered(tmp_path: Path) -> None:
    async def run() -> tuple[bool, bool]:
        async with owners(tmp_path) as one, owners(tmp_path) as other:
            await one.remember("letters", "openai", ["file-1"])
            return (
                await other.may_use("letters", "openai", ["file-1"]),
                await other.may_use("others", "openai", ["file-1"]),
            )

    assert asyncio.run(run()) == (True, False)


def test_an_answer_is_known_at_once_where_it_was_asked_and_elsewhere_soon(tmp_path: Path) -> None:
    async def run() -> tuple[bool, bool]:
        async with owners(tmp_path) as one, owners(tmp_path) as other:
            one.note_answer("letters", "openai", "resp_1", 0)
            return (
                await one.may_use("letters", "openai", ["resp_1"]),
                await other.may_use("letters", "openai", ["resp_1"]),
            )

    assert asyncio.run(run()) == (True, True)


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    async def run() -> bool:
        async with owners(tmp_path) as one:
            one.note_answer("letters", "openai", "resp_1", 0)
        async with owners(tmp_path) as other:
            return await other.may_use("letters", "openai", ["resp_1"])

    assert asyncio.run(run())


def test_one_object_of_others_is_enough_to_be_refused_and_at_once(tmp_path: Path) -> None:
    async def run() -> bool:
        async with owners(tmp_path) as one:
            await one.remember("letters", "openai", ["file-1"])
            await one.remember("others", "openai", ["file-2"])
            return await one.may_use("letters", "openai", ["file-1", "file-2", "file-3"])

    began = time.monotonic()
    assert not asyncio.run(run())
    assert time.monotonic() - began < SOON_S


def test_a_store_that_cannot_be_read_is_an_error_and_no_yes(tmp_path: Path) -> None:
    (tmp_path / "budgets.db").write_text("no database at all" * 100)

    async def run() -> None:
        async with owners(tmp_path) as one:
            await one.may_use("letters", "openai", ["file-1"])

    with pytest.raises(BudgetStoreError):
        asyncio.run(run())


def test_an_answer_that_could_not_be_written_is_tried_again(tmp_path: Path) -> None:
    async def run() -> bool:
        path = tmp_path / "budgets.db"
        path.mkdir()
        async with owners(tmp_path) as one:
            one.note_answer("letters", "openai", "resp_1", 0)
            await asyncio.sleep(SOON_S * 1.5)
            path.rmdir()
            async with owners(tmp_path) as other:
                await asyncio.sleep(SOON_S * 2.5)
                return await other.may_use("letters", "openai", ["resp_1"])

    assert asyncio.run(run())
