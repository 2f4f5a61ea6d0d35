"""Where the gateway itself fails in the middle of a call: an answer, no hold left, no end lost."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.route.serving.inside import world
from tests.tools.upstream import Fault, Upstream

from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.reader import entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(
        faults=lambda asked: Fault("delay", seconds=0.7) if asked.prompt == "slow" else None
    ) as opened:
        yield opened


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


def test_a_disk_that_fails_is_told_to_who_waits_for_it_at_once(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    async def main() -> None:
        async with world(tmp_path, upstream.url, waits_for_disk=True) as it:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            assert await it.ask("hi") == 200
            slow = [asyncio.create_task(it.ask("slow", 3)) for _ in range(4)]
            await asyncio.sleep(0.2)
            monkeypatch.setattr(os, "fdatasync", fail)
            assert set(await asyncio.gather(*slow)) <= {500, 503}
            assert await it.ask("hi", 3) in {500, 503}
            monkeypatch.undo()
            assert await it.left_held() == 0

    asyncio.run(main())
