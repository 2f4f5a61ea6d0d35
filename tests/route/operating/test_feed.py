from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.route.operating.lines import AT_US, ended, held

from clearbar.route.journal.entry import Noted, Refused
from clearbar.route.operating.feed import Feed, InFlight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.journal.entry import Ended, Entry, Held


class Watcher:
    def __init__(self) -> None:
        self.open: set[str] = set()
        self.ends: list[tuple[Held, Ended]] = []
        self.others: list[Refused | Noted] = []

    def began(self, held: Held) -> None:
        self.open.add(held.call_id)

    def ended(self, held: Held, ended: Ended) -> None:
        self.open.remove(held.call_id)
        self.ends.append((held, ended))

    def refused(self, refused: Refused) -> None:
        self.others.append(refused)

    def noted(self, noted: Noted) -> None:
        self.others.append(noted)

    def died(self, worker: str) -> None:
        self.open = {each for each in self.open if each != worker}


def test_an_end_comes_with_its_beginning() -> None:
    watcher = Watcher()
    Feed([watcher]).take([held(), ended()])
    assert watcher.ends == [(held(), ended())]


def test_an_end_whose_beginning_was_not_seen_is_only_counted() -> None:
    watcher = Watcher()
    feed = Feed([watcher])
    feed.take([ended()])
    assert (feed.unpaired, watcher.ends) == (1, [])


def test_a_refusal_and_a_note_are_passed_on() -> None:
    watcher = Watcher()
    refusal, note = Refused(AT_US, "req-2", "no_key", 401), Noted(AT_US, "reloaded", "7")
    Feed([watcher]).take([refusal, note])
    assert watcher.others == [refusal, note]


def test_what_a_dead_worker_had_in_flight_ends_as_lost_with_what_was_held() -> None:
    watcher = Watcher()
    feed = Feed([watcher])
    feed.take([held(), held(call_id="call-2", worker="w2")])
    assert feed.worker_died("w1", AT_US + 2_000_000) == 1
    _, end = watcher.ends[0]
    assert (end.outcome, end.cost_nusd, end.priced, end.latency_ms) == (
        "lost", 4_000_000, False, 2_000,
    )  # fmt: skip
    assert watcher.open == {"call-2"}


def test_a_line_that_is_read_twice_counts_once() -> None:
    watcher = Watcher()
    Feed([watcher]).take([held(), held(), ended(), ended()])
    assert len(watcher.ends) == 1


def test_no_more_than_the_most_open_calls_are_remembered() -> None:
    watcher = Watcher()
    Feed([watcher], most_open=2).take([held(call_id=f"call-{each}") for each in range(5)])
    assert watcher.open == {"call-3", "call-4"}


_lines = st.lists(
    st.one_of(
        st.integers(0, 6).map(lambda number: held(call_id=f"call-{number}")),
        st.integers(0, 6).map(lambda number: ended(call_id=f"call-{number}")),
    )
)


@given(_lines, st.integers(1, 4))
def test_whatever_comes_each_call_ends_at_most_once_for_each_beginning(
    lines: list[Entry], most: int
) -> None:
    watcher = Watcher()
    feed = Feed([watcher], most_open=most)
    feed.take(lines)
    feed.worker_died("w1", AT_US)
    assert not watcher.open


def test_calls_in_flight_are_counted_by_worker() -> None:
    counts = InFlight()
    feed = Feed([counts])
    feed.take([held(), held(call_id="b"), held(call_id="c", worker="w2"), ended()])
    assert (counts.of("w1"), counts.of("w2"), counts.of("w3")) == (1, 1, 0)
    feed.worker_died("w1", AT_US)
    assert counts.of("w1") == 0


def test_a_worker_with_another_life_in_the_store_is_the_same_worker() -> None:
    counts, watcher = InFlight(), Watcher()
    feed = Feed([counts, watcher])
    feed.take([held(), held(call_id="b", worker="w1~0a1b2c3d")])
    assert counts.of("w1") == 2
    assert feed.worker_died("w1", AT_US) == 2
    assert not watcher.open
    assert counts.of("w1") == 0


class Counter:
    """Counts, and hears of many calls at a time."""

    def __init__(self) -> None:
        self.begun: list[Held] = []
        self.ends: list[tuple[Held, Ended]] = []

    def calls(self, begun: Sequence[Held], ended: Sequence[tuple[Held, Ended]]) -> None:
        self.begun += begun
        self.ends += ended

    def refused(self, refused: Refused) -> None:
        pass

    def noted(self, noted: Noted) -> None:
        pass

    def died(self, worker: str) -> None:
        pass


@given(_lines, st.integers(1, 4), st.integers(1, 5))
def test_who_counts_hears_of_the_same_ends_in_the_same_order_as_who_watches(
    lines: list[Entry], most: int, size: int
) -> None:
    watcher, counter = Watcher(), Counter()
    feed = Feed([watcher, counter], most_open=most)
    for at in range(0, len(lines), size):
        feed.take(lines[at : at + size])
    feed.worker_died("w1", AT_US)
    assert counter.ends == watcher.ends
    assert len(counter.begun) == len(counter.ends)
