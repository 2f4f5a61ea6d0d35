"""Where the gateway itself fails in the middle of a call: an answer, no hold left, no end lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.route.serving.gateway import issue, toml
from tests.tools.upstream import Fault, Upstream

from clearbar.route.budgets.allowance import Allowance
from clearbar.route.budgets.balances import balances
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase
from clearbar.route.http.front import Front
from clearbar.route.http.limits import Limits
from clearbar.route.http.upstream import Upstreams
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import entries
from clearbar.route.journal.writer import Journal
from clearbar.route.serving.breakers import Breakers
from clearbar.route.serving.ids import Ids
from clearbar.route.serving.local import LocalTools
from clearbar.route.serving.means import Means
from clearbar.route.serving.reload import in_force_of
from clearbar.route.serving.worker import handler_of
from clearbar.route.snapshot import read
from clearbar.workspace import Workspace
from clearbar.workspace.keeping import WorkspaceKeeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

BUDGET = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "5"\n'
ENVIRONMENT = {"UPSTREAM_KEY": "sk-upstream"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(
        faults=lambda asked: Fault("delay", seconds=0.7) if asked.prompt == "slow" else None
    ) as opened:
        yield opened


@dataclass
class World:
    """A worker's means in this process, and a socket on which it serves."""

    means: Means
    port: int
    key: str
    folder: Path

    async def ask(self, prompt: str, most_s: float = 5.0) -> int:
        """Return the status of the answer; 0 where the connection broke."""
        body = json.dumps(
            {
                "model": "gpt-5-mini",
                "max_tokens": 100,
                "messages": [{"role": "user", "content": prompt}],
            }
        )
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode() + body.encode())
            async with asyncio.timeout(most_s):
                line = await reader.readline()
            return int(line.split()[1]) if line else 0
        except ConnectionError:
            return 0
        finally:
            writer.transport.abort()

    async def left_held(self) -> int:
        """Return what is still leased after everything was returned."""
        await self.means.allowance.close()
        with contextlib.closing(store_of(self.folder)) as store:
            return sum(each.leased_nusd for each in balances(store))


def store_of(folder: Path) -> BudgetStore:
    return BudgetStore(SqliteDatabase(folder / ".clearbar/route/budgets.db"))


@contextlib.asynccontextmanager
async def world(folder: Path, url: str, segment_bytes: int = 2**20) -> AsyncIterator[World]:
    (folder / "clearbar.toml").write_text(toml(url, BUDGET))
    key = issue(folder, "letters")
    keeper = WorkspaceKeeper(lambda: Workspace(folder))
    keeper.publish()
    keeper.close()
    kept, loop = folder / ".clearbar/route", asyncio.get_running_loop()
    in_force, _ = in_force_of(read(kept / "table.json"), ENVIRONMENT, {})
    source = random.Random(1)
    means = Means(
        "w1",
        in_force,
        await Allowance.open("w1", store_of(folder)),
        Journal(kept / "journal", "w1", loop, segment_bytes=segment_bytes, waits_for_disk=False),
        Upstreams(loop, {}),
        Breakers(),
        LocalTools(folder, {}),
        Ids(source),
        loop,
        lambda: time.time_ns() // 1000,
        source.random,
    )
    fronts: set[Front] = set()
    handler = handler_of(means)
    server = await loop.create_server(lambda: Front(handler, Limits(), fronts), "127.0.0.1", 0)
    try:
        yield World(means, server.sockets[0].getsockname()[1], key, folder)
    finally:
        server.close()
        for front in list(fronts):
            front.abort()
        await means.upstreams.close()
        await means.allowance.close()
        means.journal.close()


def test_a_call_that_cannot_be_sent_holds_nothing_and_has_an_end(
    upstream: Upstream, tmp_path: Path
) -> None:
    async def main() -> None:
        async with world(tmp_path, upstream.url) as it:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            assert await it.ask("hi") == 200
            await it.means.upstreams.close()
            assert await it.ask("hi") == 500
            assert not it.means.exchanges
            assert await it.left_held() == 0

    asyncio.run(main())
    found = [each.entry for each in entries(tmp_path / ".clearbar/route/journal")]
    held = [each for each in found if isinstance(each, Held)]
    ended = [each for each in found if isinstance(each, Ended)]
    assert [each.outcome for each in ended] == ["ok", "unsent"]
    assert [each.call_id for each in held] == [each.call_id for each in ended]


def test_refusals_on_a_full_disk_leave_room_for_the_ends_of_calls(
    upstream: Upstream, tmp_path: Path
) -> None:
    async def main() -> None:
        async with world(tmp_path, upstream.url, 16_384) as it:
            await asyncio.sleep(0.2)
            shutil.rmtree(tmp_path / ".clearbar/route/journal/w1")  # as good as a full disk
            for _ in range(24):  # into the last segment that there is
                assert await it.ask("hi") == 200
            slow = asyncio.create_task(it.ask("slow"))
            await asyncio.sleep(0.2)
            statuses = [await it.ask("hi") for _ in range(60)]
            assert 503 in statuses
            assert await slow == 200
            assert await it.ask("hi") == 503
            assert await it.left_held() == 0

    asyncio.run(main())


def test_an_end_that_cannot_be_written_down_is_no_whole_answer_and_leaves_no_hold(
    upstream: Upstream, tmp_path: Path
) -> None:
    async def main() -> None:
        async with world(tmp_path, upstream.url, 4096) as it:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            await asyncio.sleep(0.2)
            shutil.rmtree(tmp_path / ".clearbar/route/journal/w1")
            slow = [asyncio.create_task(it.ask("slow")) for _ in range(20)]
            statuses = await asyncio.gather(*slow)
            assert set(statuses) <= {0, 200, 500, 503}
            assert {0, 500} & set(statuses)
            assert not it.means.exchanges
            assert await it.left_held() == 0

    asyncio.run(main())
