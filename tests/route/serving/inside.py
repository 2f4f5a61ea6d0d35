"""A worker's means in the process of the test, with a socket on which it serves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.route.serving.gateway import issue, toml

from clearbar.route.budgets.allowance import Allowance
from clearbar.route.budgets.balances import balances
from clearbar.route.budgets.store import BudgetStore
from clearbar.route.budgets.store_sqlite import SqliteDatabase
from clearbar.route.http.front import Front
from clearbar.route.http.limits import Limits
from clearbar.route.http.upstream import Upstreams
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
    from collections.abc import AsyncIterator
    from pathlib import Path

BUDGET = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "5"\n'
ENVIRONMENT = {"UPSTREAM_KEY": "sk-upstream"}


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
async def world(
    folder: Path, url: str, segment_bytes: int = 2**20, *, waits_for_disk: bool = False
) -> AsyncIterator[World]:
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
        Journal(
            kept / "journal",
            "w1",
            loop,
            segment_bytes=segment_bytes,
            waits_for_disk=waits_for_disk,
        ),
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
