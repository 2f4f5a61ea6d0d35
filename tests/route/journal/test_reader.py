"""Journals as they are read: whole, damaged, still being written, left behind by the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from tests.route.journal.journals import ended, held, journal, write

from clearbar.route.journal.entry import Entry, Held, Noted, Refused
from clearbar.route.journal.framing import HEADER, framed
from clearbar.route.journal.reader import (
    Follower,
    Place,
    Tail,
    calls,
    entries,
    is_alive,
    workers,
)

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.core.errors import Problem

SMALL: Final = 4096


def all_of(folder: Path) -> list[Entry]:
    return [placed.entry for placed in entries(folder)]


def damage(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def write_and_die(folder: Path, worker: str = "w1", count: int = 3, then: str = "") -> None:
    """Have a process begin calls and be killed, as no journal can be left by closing it."""
    program = f"""
import asyncio, os, signal
from pathlib import Path
from tests.route.journal.journals import held
from clearbar.route.journal.writer import Journal
journal = Journal(Path({str(folder)!r}), {worker!r}, asyncio.new_event_loop())
journal._spare.result()
for n in range({count}):
    journal.append(held(f"{worker}-{{n}}"))
{then}
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL


def test_entries_of_every_kind_come_back_as_they_were(tmp_path: Path) -> None:
    written: list[Entry] = [
        held(user="Zoë\n|=", accounts=()),
        ended(),
        Refused(1, "req-1", "over_budget", 429),
        Noted(2, "reloaded", "table", "generation 3"),
    ]
    write(tmp_path, *written)
    assert all_of(tmp_path) == written


def test_each_entry_says_where_its_bytes_stand(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(30)), segment_bytes=SMALL)
    for placed in entries(tmp_path):
        data = (tmp_path / placed.segment).read_bytes()
        assert data[placed.offset : placed.offset + placed.length] == placed.payload


def test_journals_of_all_workers_are_read_or_of_one(tmp_path: Path) -> None:
    write(tmp_path, held("a"), worker="w2")
    write(tmp_path, held("b"), worker="w1")
    assert all_of(tmp_path) == [held("b"), held("a")]
    assert [placed.entry for placed in entries(tmp_path, "w2")] == [held("a")]
    assert workers(tmp_path) == ["w1", "w2"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list(entries(tmp_path / "none")) == []
    assert list(calls(tmp_path / "none", "w1")) == []
    assert not is_alive(tmp_path / "none", "w1")


def test_a_damaged_line_is_a_problem_and_the_next_goes_on(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(3)))
    second = list(entries(tmp_path))[1]
    damage(tmp_path / second.segment, second.offset + 20, b"#")
    problems: list[tuple[str, Problem]] = []
    found = [placed.entry for placed in entries(tmp_path, problems=problems)]
    assert found == [held("c0"), held("c2")]
    [(segment, problem)] = problems
    assert segment == "w1/00000001.log"
    assert "are no line of a journal" in problem.what
    assert "c1" not in problem.what + problem.hint


def test_a_page_that_was_never_written_costs_what_stood_on_it(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n:02d}") for n in range(60)))
    path = tmp_path / "w1" / "00000001.log"
    assert path.stat().st_size > 3 * 4096
    damage(path, 4096, bytes(4096))
    found = [entry.call_id for entry in all_of(tmp_path) if isinstance(entry, Held)]
    assert found[0] == "c00"
    assert found[-1] == "c59"
    assert 43 < len(found) < 49


def test_a_first_line_that_is_damaged_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, held("c0"), held("c1"))
    damage(tmp_path / "w1" / "00000001.log", 0, bytes(100))
    assert all_of(tmp_path) == [held("c1")]


def test_a_line_that_is_no_entry_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, held("c0"))
    path = tmp_path / "w1" / "00000001.log"
    path.write_bytes(path.read_bytes() + framed(b'["X",1]') + framed(b"{"))
    problems: list[tuple[str, Problem]] = []
    assert len(list(entries(tmp_path, problems=problems))) == 1
    assert len(problems) == 2


def test_a_segment_of_another_format_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, held("c0"))
    path = tmp_path / "w1" / "00000001.log"
    path.write_bytes(path.read_bytes().replace(HEADER, b"clearbar-journal 2\n"))
    problems: list[tuple[str, Problem]] = []
    assert list(entries(tmp_path, problems=problems)) == []
    assert [problem.what for _, problem in problems] == ["a segment of another format"]


def test_fields_that_a_newer_writer_appends_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, held("c0"))
    [placed] = entries(tmp_path)
    path = tmp_path / placed.segment
    path.write_bytes(HEADER + framed(placed.payload[:-1] + b',"newer"]'))
    assert all_of(tmp_path) == [held("c0")]


def test_a_worker_that_was_killed_leaves_its_lines_and_no_problem(tmp_path: Path) -> None:
    write_and_die(tmp_path)
    problems: list[tuple[str, Problem]] = []
    assert len(list(entries(tmp_path, problems=problems))) == 3
    assert problems == []
    assert not is_alive(tmp_path, "w1")


def test_the_line_that_a_worker_died_writing_is_no_problem(tmp_path: Path) -> None:
    torn = 'journal._map[journal._at : journal._at + 9] = b"0000018d "'
    write_and_die(tmp_path, then=torn)
    problems: list[tuple[str, Problem]] = []
    assert len(list(entries(tmp_path, problems=problems))) == 3
    assert problems == []


def test_a_line_that_is_not_whole_yet_is_waited_for(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        tail = Tail(tmp_path, "w1")
        opened.append(held("c0"))
        line, at = framed(b'["N",1,"reloaded","table",""]'), opened._at
        opened._map[at : at + 10] = line[:10]
        assert [placed.entry for placed in tail.new_entries()] == [held("c0")]
        assert list(tail.new_entries()) == []
        opened._map[at : at + len(line)] = line
        opened._at += len(line)
        assert [placed.entry for placed in tail.new_entries()] == [Noted(1, "reloaded", "table")]
        assert tail.problems == []


def test_a_follower_sees_each_entry_once_over_segments_and_workers(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    seen: list[str] = []

    def look() -> None:
        for placed in follower.new_entries():
            assert isinstance(placed.entry, Held)
            seen.append(placed.entry.call_id)

    look()
    with (
        journal(tmp_path, "w1", segment_bytes=SMALL) as one,
        journal(tmp_path, "w2", segment_bytes=SMALL) as two,
    ):
        for number in range(60):
            one.append(held(f"one-{number}"))
            two.append(held(f"two-{number}"))
            if number % 7 == 0:
                look()
    look()
    look()
    assert len(seen) == len(set(seen)) == 120
    assert [name for name in seen if name.startswith("one")] == [f"one-{n}" for n in range(60)]
    assert follower.problems() == []


def test_a_follower_can_begin_at_the_end(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(held("before"))
        follower = Follower(tmp_path)
        follower.skip_to_end()
        opened.append(held("after"))
        assert [placed.entry for placed in follower.new_entries()] == [held("after")]


def test_a_follower_that_begins_at_the_end_does_not_read_what_the_dead_have_left(
    tmp_path: Path,
) -> None:
    write(tmp_path, held("a"), held("b"))
    damage(tmp_path / "w1" / "00000001.log", 40, b"####")
    follower = Follower(tmp_path)
    follower.skip_to_end()
    assert (list(follower.new_entries()), follower.problems()) == ([], [])


def test_a_tail_knows_how_many_segments_were_begun_since(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    with journal(tmp_path, segment_bytes=SMALL) as opened:
        opened.append(held())
        behind = [follower.segments_behind()]
        for number in range(30):
            opened.append(held(f"c{number}"))
        behind.append(follower.segments_behind())
        follower.skip_to_end()
        behind.append(follower.segments_behind())
    assert behind[0] <= 1 < behind[1]
    assert behind[2] <= 1


def test_a_follower_that_stops_in_the_middle_goes_on_there(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(5)))
    follower = Follower(tmp_path)
    reading = follower.new_entries()
    first = [next(reading).entry, next(reading).entry]
    del reading
    rest = [placed.entry for placed in follower.new_entries()]
    assert first + rest == [held(f"c{n}") for n in range(5)]


def test_a_tail_goes_on_from_a_place_that_was_kept(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(40)), segment_bytes=SMALL)
    tail = Tail(tmp_path, "w1")
    reading = tail.new_entries()
    for _ in range(25):
        next(reading)
    del reading
    again = Tail(tmp_path, "w1", Place(*tail.place))
    found = [placed.entry for placed in again.new_entries()]
    assert found == [held(f"c{n}") for n in range(25, 40)]


def test_damage_is_told_once_by_a_follower(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(30)), segment_bytes=SMALL)
    damage(tmp_path / "w1" / "00000001.log", 40, b"####")
    follower = Follower(tmp_path)
    for _ in range(2):
        list(follower.new_entries())
    assert len(follower.problems()) == 1
    assert follower.problems() == []


def test_a_tail_is_finished_when_its_worker_is_dead_and_all_is_read(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(held())
        tail = Tail(tmp_path, "w1")
        assert len(list(tail.new_entries())) == 1
        states = [tail.finished]
    for _ in range(2):
        assert list(tail.new_entries()) == []
        states.append(tail.finished)
    assert states == [False, True, True]


def test_a_worker_that_has_only_begun_is_not_finished(tmp_path: Path) -> None:
    (tmp_path / "w1").mkdir()
    tail = Tail(tmp_path, "w1")
    assert list(tail.new_entries()) == []
    assert not tail.finished


def test_calls_are_paired_with_their_ends_and_open_ones_come_last(tmp_path: Path) -> None:
    write(tmp_path, held("a"), held("b"), ended("b"), held("c"), ended("a"))
    found = [(each.call_id, end is not None) for each, end in calls(tmp_path)]
    assert found == [("b", True), ("a", True), ("c", False)]


def test_an_end_counts_once_and_only_with_its_beginning(tmp_path: Path) -> None:
    write(tmp_path, ended("other"), held("a"), ended("a"), ended("a", status=500))
    assert [end.status for _, end in calls(tmp_path) if end] == [200]


def test_a_lock_that_cannot_be_looked_at_counts_as_held(tmp_path: Path) -> None:
    (tmp_path / "w1").mkdir()
    (tmp_path / "w1" / "lock").symlink_to("lock")
    assert is_alive(tmp_path, "w1")


@pytest.mark.parametrize("count", [200, 3000])
def test_entries_longer_than_a_piece_that_is_read_come_back(tmp_path: Path, count: int) -> None:
    large = held("large", labels="x" * count * 100)
    write(tmp_path, held("c0"), large, held("c2"))
    assert all_of(tmp_path) == [held("c0"), large, held("c2")]


def test_a_segment_that_is_removed_while_reading_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, *(held(f"c{n}") for n in range(40)), segment_bytes=SMALL)
    reading = entries(tmp_path)
    next(reading)
    for path in sorted((tmp_path / "w1").glob("*.log"))[1:]:
        os.unlink(path)  # noqa: PTH108 - as the process that removes it does
    assert 0 < len(list(reading)) < 15
