"""A few calls are drawn in each pass over the journals: once each, evenly, and not for ever."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.journal.journals import NOON_US, ended, held

from clearbar.core.store import Store
from clearbar.route.journal import seen_calls as seen
from clearbar.route.journal.call_rows import Calls, columns_of, row_of
from clearbar.route.journal.seen_calls import MOST_A_PASS, MOST_KEPT, Drawing, keep_within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearbar.route.journal.entry import Ended, Held


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "facts.db")) as opened:
        yield opened


def read(*calls: tuple[Held, Ended]) -> Calls:
    """Return calls as a pass reads them."""
    return columns_of([(row_of(begun), 0, row_of(end), 0, b"") for begun, end in calls])


def drawn(*calls: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What one pass draws of calls; what is told of each belongs to its end."""
    drawing = Drawing()
    drawing.take(read(*((held(), ended(**each)) for each in calls)))
    return drawing.drawn()


def kept(store: Store, rows: list[tuple[Any, ...]]) -> None:
    with store.transaction() as connection:
        keep_within(connection, rows)


def test_of_many_calls_a_few_are_drawn_at_equal_distances() -> None:
    rows = drawn(*({"latency_ms": number} for number in range(1000)))
    assert [row[3] for row in rows] == [0, 200, 400, 600, 800]


def test_of_calls_in_many_blocks_a_few_are_drawn_over_all() -> None:
    drawing = Drawing()
    for block in range(10):
        drawing.take(read(*[(held(), ended(latency_ms=block))] * 100))
    assert [row[3] for row in drawing.drawn()] == [0, 2, 4, 6, 8]
    assert drawing.drawn() == []


def test_each_workflow_and_tool_has_its_own() -> None:
    drawing = Drawing()
    drawing.take(read(*((held(tool=f"tool-{number % 2}"), ended()) for number in range(100))))
    tools = [row[1] for row in drawing.drawn()]
    assert tools == ["tool-0"] * MOST_A_PASS + ["tool-1"] * MOST_A_PASS


def test_only_whole_answers_are_drawn() -> None:
    assert drawn({"outcome": "error"}, {"outcome": "cut"}, {"outcome": "unsent"}) == []


def test_a_call_without_tokens_has_none() -> None:
    assert drawn({"usage": {}}) == [("letters", "small", NOON_US + 500_000, 500, None)]


@pytest.mark.parametrize("damaged", [{"latency_ms": -1}, {"usage": {"output_tokens": 2**70}}])
def test_numbers_that_no_call_has_are_left_out(damaged: dict[str, Any]) -> None:
    assert drawn(damaged) == []


def test_the_oldest_of_a_tool_are_removed(store: Store) -> None:
    kept(store, [("letters", "other", 1, 1, None)])
    kept(store, [("letters", "small", 1, latency, None) for latency in range(MOST_KEPT + 3)])
    found = list(seen.seen_calls(store, "letters", "small", 0))
    assert [found[0].latency_ms, len(found)] == [3, MOST_KEPT]
    assert len(list(seen.seen_calls(store, "letters", "other", 0))) == 1


def test_a_reader_goes_on_behind_the_last(store: Store) -> None:
    kept(store, [("letters", "small", 10, 1, 7), ("letters", "small", 20, 2, 8)])
    first = list(seen.seen_calls(store, "letters", "small", 0))
    assert [each[1:] for each in first] == [(1, 7), (2, 8)]
    assert list(seen.seen_calls(store, "letters", "small", 0, first[-1].seen_id)) == []
    assert [each[1:] for each in seen.seen_calls(store, "letters", "small", 11)] == [(2, 8)]


def test_the_last_use_of_a_key_is_noted_and_never_goes_back(store: Store) -> None:
    drawing = Drawing()
    drawing.take(read(*((held(key="k1", at_us=at_us), ended()) for at_us in (5, 7))))
    drawing.take(read((held(key="", at_us=9), ended())))
    assert drawing.used() == [("k1", 7)]
    assert drawing.used() == []
    with store.transaction() as connection:
        for at_us in (7, 3):
            seen.note_used_within(connection, [("k1", at_us)])
    assert store.rows("SELECT * FROM gateway_key_used") == [("k1", 7)]
