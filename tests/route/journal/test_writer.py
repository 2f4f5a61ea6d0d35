"""The journal as its worker writes it: what is acknowledged, when, and what a full disk does."""

from __future__ import annotations

import asyncio
import mmap
import os
import re
import resource
import stat
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from tests.route.journal.journals import append, ended, held, journal, write

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.entry import Held
from clearbar.route.journal.reader import entries, is_alive
from clearbar.route.journal.writer import SWIFT_COMMITS, SWIFT_S, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

SMALL = 4096


def ids(folder: Path) -> list[str]:
    return [placed.entry.call_id for placed in entries(folder) if isinstance(placed.entry, Held)]


def in_a_loop(
    folder: Path, work: Callable[[Journal], Coroutine[Any, Any, Any]], **settings: Any
) -> Any:
    """Do something with a journal in a running event loop."""

    async def run() -> Any:
        opened = Journal(folder, "w1", asyncio.get_running_loop(), **settings)
        try:
            return await asyncio.wait_for(work(opened), 10)
        finally:
            opened.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


async def durable(opened: Journal, position: int) -> None:
    done = asyncio.get_running_loop().create_future()
    opened.when_durable(position, lambda: done.set_result(None))
    await done


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the nearest thing to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_appended_can_be_read_at_once(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(held())
        assert ids(tmp_path) == ["c1"]


def test_positions_grow_over_segments(tmp_path: Path) -> None:
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        positions = [opened.append(held(f"c{n}")) for n in range(50)]
    assert positions == sorted(set(positions))


def test_a_full_segment_is_followed_by_the_next_and_nothing_is_lost(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(100)), segment_bytes=SMALL)
    assert ids(tmp_path) == [f"c{n}" for n in range(100)]
    assert len(list((tmp_path / "w1").glob("*.log"))) > 5


def test_a_closed_journal_takes_no_more_room_than_its_lines(tmp_path: Path) -> None:
    write(tmp_path, held(), ended())
    [segment] = (tmp_path / "w1").glob("*.log")
    assert b"\0" not in segment.read_bytes()


def test_only_the_owner_may_read_a_journal(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(20)), segment_bytes=SMALL)
    paths = [path for path in (tmp_path / "w1").iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_the_lock_is_held_while_the_journal_is_open(tmp_path: Path) -> None:
    with journal(tmp_path):
        assert is_alive(tmp_path, "w1")
    assert not is_alive(tmp_path, "w1")


def test_a_name_is_used_once(tmp_path: Path) -> None:
    write(tmp_path, held())
    with pytest.raises(ClearbarError, match="already"), journal(tmp_path):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "x" * 200])
def test_a_name_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClearbarError, match="cannot name"), journal(tmp_path, name):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClearbarError, match="cannot be made"), journal(tmp_path / "file" / "sub"):
        pass


def test_an_entry_that_is_larger_than_a_segment_is_refused_and_others_go_on(tmp_path: Path) -> None:
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        with pytest.raises(ClearbarError, match="does not fit"):
            opened.append(held("large", labels="x" * SMALL))
        opened.append(held("c2"))
        assert ids(tmp_path) == ["c2"]


def test_a_closed_journal_refuses_entries(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.close()
        with pytest.raises(ClearbarError, match="closed"):
            opened.append(held())
        assert not opened.has_room


def test_calls_are_made_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    async def work(opened: Journal) -> list[int]:
        made: list[int] = []
        for number in range(200):
            position = opened.append(held(f"c{number}"))
            opened.when_durable(position, lambda number=number: made.append(number))  # type: ignore[misc]
            if number % 50 == 0:
                await asyncio.sleep(0.002)
        await durable(opened, position)
        return made

    assert in_a_loop(tmp_path, work, segment_bytes=SMALL) == list(range(200))


def test_a_position_that_is_durable_already_is_told_soon_and_not_at_once(tmp_path: Path) -> None:
    async def work(opened: Journal) -> bool:
        position = opened.append(held())
        await durable(opened, position)
        told = asyncio.Event()
        opened.when_durable(position, told.set)
        at_once = told.is_set()
        await told.wait()
        return at_once

    assert in_a_loop(tmp_path, work) is False


def test_calls_are_made_on_the_thread_of_the_loop(tmp_path: Path) -> None:
    async def work(opened: Journal) -> int:
        done = asyncio.get_running_loop().create_future()
        position = opened.append(held())
        opened.when_durable(position, lambda: done.set_result(threading.get_ident()))
        return int(await done)

    assert in_a_loop(tmp_path, work) == threading.get_ident()


def test_many_that_wait_share_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        nonlocal commits
        commits += 1
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def work(opened: Journal) -> None:
        for number in range(500):
            last = opened.append(held(f"c{number}"))
            opened.when_durable(last, lambda: None)
        await durable(opened, last)

    in_a_loop(tmp_path, work)
    assert commits <= 4


def test_a_commit_waits_for_calls_in_flight_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.route.journal.writer.GATHER_S", 5.0)

    async def work(opened: Journal) -> list[str]:
        made: list[str] = []
        both = [opened.append(held(name)) for name in ("a", "b")]
        for position in both:
            opened.when_durable(position, lambda: None)
        await durable(opened, both[-1])
        opened.when_durable(opened.append(ended("a")), lambda: made.append("a"))
        await asyncio.sleep(0.02)
        early = list(made)
        await durable(opened, opened.append(ended("b")))
        assert early == []  # several had waited for the commit before
        return made

    began = time.monotonic()
    assert in_a_loop(tmp_path, work) == ["a"]
    assert time.monotonic() - began < 4


def test_a_call_that_fails_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    said: list[str] = []

    async def work(opened: Journal) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context["message"]))
        position = opened.append(held())
        opened.when_durable(position, lambda: 1 // 0)  # type: ignore[arg-type]
        await durable(opened, position)

    in_a_loop(tmp_path, work)
    assert said == ["a call that waited for the journal failed"]


def test_closing_makes_the_calls_that_waited(tmp_path: Path) -> None:
    made: list[str] = []
    with journal(tmp_path) as opened:
        opened.when_durable(opened.append(held()), lambda: made.append("durable"))
    assert made == ["durable"]


def test_what_nobody_waits_for_is_put_on_the_disk_within_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.route.journal.writer.IDLE_COMMIT_S", 0.01)

    async def work(opened: Journal) -> bool:
        opened.append(held())
        await asyncio.sleep(0.15)
        return opened._durable == opened._before + opened._at

    assert in_a_loop(tmp_path, work)


def test_an_idle_journal_wakes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.route.journal.writer.IDLE_COMMIT_S", 0.01)

    async def work(opened: Journal) -> int:
        await durable(opened, opened.append(held()))
        await asyncio.sleep(0.05)  # the reminder for what nobody waits for comes once
        before = sum(resource.getrusage(resource.RUSAGE_SELF)[14:16])
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is not to run
        return int(sum(resource.getrusage(resource.RUSAGE_SELF)[14:16]) - before)

    assert in_a_loop(tmp_path, work) <= 20


def test_without_room_a_journal_is_not_opened(tmp_path: Path) -> None:
    with (
        largest_file(1000),
        pytest.raises(ClearbarError, match="cannot go on") as caught,
        journal(tmp_path, segment_bytes=SMALL),
    ):
        pass
    assert "free some space" in caught.value.hint


def test_a_full_disk_is_an_error_that_loses_nothing_and_passes(tmp_path: Path) -> None:
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        opened._spare.result()
        with largest_file(1000):
            append(opened, (held(f"c{n}") for n in range(7)))  # the spare is used up too
            with pytest.raises(ClearbarError, match="cannot go on"):
                append(opened, (held(f"c{n}") for n in range(7, 99)))
            written = ids(tmp_path)
            assert written == [f"c{n}" for n in range(len(written))]
            assert not opened.has_room
        deadline = time.monotonic() + 5
        while not opened.has_room and time.monotonic() < deadline:
            opened._retry_at = 0.0
            time.sleep(0.01)
        opened.append(held("later"))
        assert ids(tmp_path) == [*written, "later"]


def test_a_disk_that_fails_breaks_the_journal_and_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[ClearbarError] = []
    broken = asyncio.Event()

    def note(error: ClearbarError) -> None:
        told.append(error)
        broken.set()

    async def work(opened: Journal) -> bool:
        real = os.fdatasync

        def fail(_: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", fail)
        opened.when_durable(opened.append(held()), told.clear)
        await broken.wait()
        monkeypatch.setattr(os, "fdatasync", real)
        with pytest.raises(ClearbarError, match="Input/output error"):
            opened.append(held("c2"))
        opened.when_durable(1, told.clear)
        await asyncio.sleep(0.02)
        return opened.has_room

    assert in_a_loop(tmp_path, work, on_broken=note) is False
    assert len(told) == 1


def test_a_disk_that_fails_at_the_end_is_told_when_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with journal(tmp_path) as opened:
        position = opened.append(held())
        monkeypatch.setattr(os, "fdatasync", fail)
        opened._waiting.append((position, lambda: made.append("durable"), None))
        with pytest.raises(ClearbarError, match="Input/output error"):
            opened.close()
    assert made == []
    assert not is_alive(tmp_path, "w1")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel says it in /proc")
def test_fdatasync_cleans_the_pages_of_a_shared_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    with path.open("w+b") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 20)
        with mmap.mmap(file.fileno(), 1 << 20) as mapped:
            mapped[0:10] = b"0123456789"
            assert dirty_kib(path) > 0
            mapped.flush()
            if dirty_kib(path):
                pytest.skip("this file system keeps its pages dirty: it is in memory")
            mapped[5000:5010] = b"0123456789"
            assert dirty_kib(path) > 0
            os.fdatasync(file.fileno())
            assert dirty_kib(path) == 0


def dirty_kib(path: Path) -> int:
    """Return how much of a file's mapping the kernel still has to write."""
    mappings = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    [mine] = [text for text in mappings if str(path) in text]
    return sum(int(found) for found in re.findall(r"_Dirty: +(\d+) kB", mine))


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        assert not os.get_inheritable(opened._lock)
    with suppress(OSError):
        assert not is_alive(tmp_path, "w1")


def threads_of_waits(folder: Path, work: Callable[[Journal], None]) -> list[int]:
    """Return in which threads files were put on the disk once a journal had a quick disk."""
    used: list[int] = []

    async def main(opened: Journal) -> None:
        opened._swift = SWIFT_COMMITS
        sync = opened._segment.sync

        class Watched:
            def sync(self) -> None:
                used.append(threading.get_ident())
                sync()

            def __getattr__(self, name: str) -> Any:
                return getattr(segment, name)

        segment, opened._segment = opened._segment, Watched()  # type: ignore[assignment]
        work(opened)
        await asyncio.sleep(0.2)
        opened._segment = segment

    in_a_loop(folder, main)
    return used


def test_a_lone_call_is_put_on_a_quick_disk_without_the_thread(tmp_path: Path) -> None:
    done: list[str] = []

    def work(opened: Journal) -> None:
        opened.append(held())
        opened.when_durable(opened.append(ended()), lambda: done.append("durable"))
        assert done == ["durable"]

    assert threads_of_waits(tmp_path, work)[0] == threading.get_ident()


def test_while_another_call_is_in_flight_nobody_waits_in_the_loop(tmp_path: Path) -> None:
    done: list[str] = []

    def work(opened: Journal) -> None:
        opened.append(held("c2"))
        opened.append(held("c1"))
        opened.when_durable(opened.append(ended("c1")), lambda: done.append("durable"))
        assert done == []

    assert threading.get_ident() not in threads_of_waits(tmp_path, work)
    assert done == ["durable"]


def test_a_disk_is_quick_when_it_has_been_so_each_time_of_late(tmp_path: Path) -> None:
    async def main(opened: Journal) -> None:
        for _ in range(SWIFT_COMMITS):
            opened._note_pace(SWIFT_S / 2)
        assert opened._swift == SWIFT_COMMITS
        opened._note_pace(SWIFT_S)
        assert opened._swift == 0

    in_a_loop(tmp_path, main)


@pytest.mark.parametrize("swift", [0, SWIFT_COMMITS])
def test_who_waits_for_a_disk_that_fails_is_told_so_and_who_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swift: int
) -> None:
    told: list[str] = []

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    async def main(opened: Journal) -> None:
        opened._swift = swift
        opened.append(held())
        position = opened.append(ended())
        monkeypatch.setattr(os, "fdatasync", fail)
        for name in ("waits", "comes later"):
            lost = partial(told.append, name)
            opened.when_durable(position, lambda: told.append("durable"), lost)
            await asyncio.sleep(0.1)

    in_a_loop(tmp_path, main, on_broken=lambda _: told.append("broken"))
    assert told == ["broken", "waits", "comes later"]


def test_a_disk_that_fails_in_the_loop_breaks_the_journal(tmp_path: Path) -> None:
    broken: list[str] = []

    async def main(opened: Journal) -> None:
        opened._swift = SWIFT_COMMITS
        descriptor = os.dup(opened._segment._descriptor)
        os.close(opened._segment._descriptor)
        opened.append(held())
        opened.when_durable(opened.append(ended()), lambda: broken.append("called"))
        os.dup2(descriptor, opened._segment._descriptor)
        os.close(descriptor)
        with pytest.raises(ClearbarError):
            opened.append(held("c2"))

    in_a_loop(tmp_path, main, on_broken=lambda error: broken.append(error.message[:11]))
    assert broken == ["the journal"]
