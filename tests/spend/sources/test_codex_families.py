"""Families of threads, made at random: each call counts once, whichever of their files are left."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.agent_logs import count, meta, text_of, together, turn, usage

HOUR_MS = 3_600_000
BEGIN_MS = 1_789_372_800_000


def uuid7(ms: int, number: int) -> str:
    digits = f"{ms:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-{number:012d}"


def moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


@dataclass
class Thread:
    """A thread with all lines of its file, and the calls that these tell of."""

    id: str
    lines: list[Any]
    total: int = 0
    calls: set[int] = field(default_factory=set)
    """The hours in which they were made."""


class Family:
    """Threads that go on and fork, an hour apart each; every call uses the same tokens."""

    def __init__(self) -> None:
        self._hours = 0
        root = uuid7(self._now_ms(), 0)
        self.threads = [Thread(root, [meta(moment(BEGIN_MS), root)])]

    def _now_ms(self) -> int:
        return BEGIN_MS + self._hours * HOUR_MS

    def go_on(self, place: int, *, repeat: bool) -> None:
        thread = self.threads[place % len(self.threads)]
        self._hours += 1
        thread.total += 1000
        thread.calls.add(self._hours)
        at = moment(self._now_ms())
        told = count(at, usage(thread.total), usage(1000))
        turn_id = uuid7(self._now_ms(), self._hours)
        thread.lines += [turn(at, turn_id=turn_id), *([told] * (2 if repeat else 1))]

    def fork(self, place: int, *, whole: bool) -> None:
        """Fork a thread: its lines are copied then, with their `session_meta` or not."""
        parent = self.threads[place % len(self.threads)]
        self._hours += 1
        at, number = moment(self._now_ms()), len(self.threads)
        child = uuid7(self._now_ms(), number)
        root = self.threads[0].id
        begun = meta(at, child, forked_from_id=parent.id, session_id=root)
        copied = [
            {**line, "timestamp": at}
            for line in parent.lines
            if whole or line["type"] != "session_meta"
        ]
        self.threads.append(Thread(child, [begun, *copied], parent.total, set(parent.calls)))


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), min_size=1, max_size=14
)


def made(steps: list[tuple[bool, int, bool]], *, deep: bool) -> Family:
    family = Family()
    for forks, place, choice in steps:
        if not forks:
            family.go_on(place, repeat=choice)
        elif deep:
            family.fork(place, whole=True)
        else:
            family.fork(0, whole=choice)
    return family


def check(kept: list[Thread]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {f"{thread.id}.jsonl": text_of(thread.lines) for thread in kept}
        found = [each.input_tokens for each in together(Path(folder), files)]
    assert found == [1000] * len(set().union(*(thread.calls for thread in kept)))


@settings(max_examples=60)
@given(steps=STEPS, data=st.data())
def test_forks_of_forks_that_copy_all_lines_count_each_call_once(
    steps: list[tuple[bool, int, bool]], data: st.DataObject
) -> None:
    family = made(steps, deep=True)
    check(data.draw(st.lists(st.sampled_from(family.threads), unique_by=lambda t: t.id)))


@settings(max_examples=60)
@given(steps=STEPS, data=st.data())
def test_forks_of_one_thread_count_each_call_once_whatever_they_copy(
    steps: list[tuple[bool, int, bool]], data: st.DataObject
) -> None:
    family = made(steps, deep=False)
    check(data.draw(st.lists(st.sampled_from(family.threads), unique_by=lambda t: t.id)))


@settings(max_examples=60)
@given(steps=STEPS, data=st.data())
def test_without_turn_ids_forks_of_one_thread_are_told_apart_by_time(
    steps: list[tuple[bool, int, bool]], data: st.DataObject
) -> None:
    family = made(steps, deep=False)
    for thread in family.threads:
        for line in thread.lines:
            line["payload"].pop("turn_id", None)
    check(data.draw(st.lists(st.sampled_from(family.threads), unique_by=lambda t: t.id)))
