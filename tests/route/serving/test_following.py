"""Counts are right when somebody looks, and nothing is read before that needs not be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.route.journal.journals import append, ended, held, journal

from clearbar.route.journal.reader import Follower
from clearbar.route.operating.feed import Feed, InFlight
from clearbar.route.serving.following import Following

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.route.journal.entry import Ended, Held, Noted, Refused

SMALL = 4096


class Ends:
    """Counts calls that ended."""

    def __init__(self) -> None:
        self.count = 0

    def calls(
        self,
        begun: Sequence[Held],  # noqa: ARG002 - as the protocol has it
        ended: Sequence[tuple[Held, Ended]],
    ) -> None:
        self.count += len(ended)

    def refused(self, refused: Refused) -> None:
        pass

    def noted(self, noted: Noted) -> None:
        pass

    def died(self, worker: str) -> None:
        pass


class Watch:
    """A following with a clock that stands where it is put."""

    def __init__(self, folder: Path, *, at_once: bool = False) -> None:
        self.now_s = 1000.0
        self.wanted = False
        self.ends, self.in_flight = Ends(), InFlight()
        self.following = Following(
            Feed([self.ends, self.in_flight]),
            Follower(folder),
            lambda: self.now_s,
            at_once=at_once,
            wanted=lambda: self.wanted,
        )

    def turn(self, after_s: float = 3600.0) -> int:
        self.now_s += after_s
        asyncio.run(self.following.turn())
        return self.ends.count


def test_what_nobody_looks_at_is_read_when_somebody_does(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path) as opened:
        append(opened, [held(), ended()])
        assert watch.turn() == 0
        asyncio.run(watch.following.asked())
        assert watch.ends.count == 1


def test_nobody_looks_at_a_gateway_that_has_just_begun(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path) as opened:
        append(opened, [held(), ended()])
        assert watch.turn(0.5) == 0


def test_who_has_just_looked_is_kept_up_for_a_minute(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path) as opened:
        asyncio.run(watch.following.asked())
        append(opened, [held("a"), ended("a")])
        assert watch.turn(59) == 1
        append(opened, [held("b"), ended("b")])
        assert watch.turn(2) == 1


@pytest.mark.parametrize("why", ["logs", "a worker that has to say that it serves"])
def test_what_is_waited_for_is_read_at_once(tmp_path: Path, why: str) -> None:
    watch = Watch(tmp_path, at_once=why == "logs")
    watch.wanted = why != "logs"
    with journal(tmp_path) as opened:
        append(opened, [held(), ended()])
        assert watch.turn() == 1


def test_a_journal_is_never_left_far_behind(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        for number in range(40):
            append(opened, [held(f"c{number}"), ended(f"c{number}")])
        assert watch.turn() == 40
        append(opened, [held("new"), ended("new")])
        assert watch.turn() == 40


def test_a_dead_worker_has_nothing_in_flight_after_its_last_lines_were_read(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path) as opened:
        append(opened, [held("a"), ended("a"), held("b")])
        asyncio.run(watch.following.asked())
        assert watch.in_flight.of("w1") == 1
    watch.following.bury("w1", 0, ending=False)
    assert (watch.ends.count, watch.in_flight.of("w1")) == (2, 0)


@pytest.mark.parametrize(("who", "read"), [("logs", 2), ("counters", 0)])
def test_at_the_end_only_who_passes_lines_on_hears_the_last(
    tmp_path: Path, who: str, read: int
) -> None:
    watch = Watch(tmp_path, at_once=who == "logs")
    with journal(tmp_path) as opened:
        append(opened, [held("a"), ended("a"), held("b")])
    watch.following.bury("w1", 0, ending=True)
    watch.following.end()
    assert watch.ends.count == read


def test_who_comes_while_another_reads_reads_nothing_twice(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        for number in range(100):
            append(opened, [held(f"c{number}"), ended(f"c{number}")])

        async def both() -> None:
            first = asyncio.create_task(watch.following.asked())
            await asyncio.sleep(0)
            append(opened, [held("late"), ended("late")])
            watch.following.bury("w1", 0, ending=False)
            assert watch.ends.count == 101
            await first

        asyncio.run(both())
    assert watch.ends.count == 101
