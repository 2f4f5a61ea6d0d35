"""Running totals: what is used is what they rise by, however often they are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.cumulative_usage import CumulativeCounter, TokenUsage

CALLS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 50), st.integers(0, 9)).map(
        lambda call: TokenUsage(call[0] + call[1], call[1], call[2])
    ),
    min_size=1,
    max_size=12,
)


def plus(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    return TokenUsage(*(a + b for a, b in zip(one.key, other.key, strict=True)))


def events(calls: list[TokenUsage]) -> list[tuple[TokenUsage, TokenUsage]]:
    told, total = [], TokenUsage(0, 0, 0)
    for call in calls:
        total = plus(total, call)
        told.append((total, call))
    return told


def summed(told: list[tuple[TokenUsage, TokenUsage]], *, with_last: bool = True) -> TokenUsage:
    counter, whole = CumulativeCounter(), TokenUsage(0, 0, 0)
    for total, last in told:
        if added := counter.add(total, last if with_last else None):
            whole = plus(whole, added.used)
    return whole


@given(calls=CALLS, data=st.data())
def test_repetitions_of_the_latest_event_change_nothing(
    calls: list[TokenUsage], data: st.DataObject
) -> None:
    told = events(calls)
    again = [each for each in told for _ in range(data.draw(st.integers(1, 3)))]
    assert summed(again) == summed(again, with_last=False) == told[-1][0]


@given(calls=CALLS, data=st.data())
def test_an_earlier_event_told_again_changes_nothing(
    calls: list[TokenUsage], data: st.DataObject
) -> None:
    told = events(calls)
    if len(told) < 3:
        return
    place = data.draw(st.integers(2, len(told) - 1))
    old = told[data.draw(st.integers(1, place - 1))]
    assert summed([*told[:place], old, *told[place:]]) == told[-1][0]


@given(first=CALLS, second=CALLS)
def test_of_counts_that_begin_anew_the_parts_are_added(
    first: list[TokenUsage], second: list[TokenUsage]
) -> None:
    before, after = events(first), events(second)
    if after[0][0].key[0] >= before[-1][0].key[0]:
        return  # no fall, so that no event shows the new beginning
    assert summed([*before, *after]) == plus(before[-1][0], after[-1][0])


def test_a_part_that_falls_while_the_whole_rises_is_refused() -> None:
    counter = CumulativeCounter()
    counter.add(TokenUsage(100, 80, 5))
    with pytest.raises(QuarantineError, match="cached_input_tokens fell while the others rose"):
        counter.add(TokenUsage(200, 70, 6))
    added = counter.add(TokenUsage(210, 75, 7))
    assert added is not None
    assert added.used == TokenUsage(10, 5, 1)


def test_what_no_event_tells_stays_unknown() -> None:
    added = CumulativeCounter().add(TokenUsage(100))
    assert added is not None
    assert added.used == TokenUsage(100, None, None, None)


def test_totals_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.spend.shapes.cumulative_usage._REMEMBERED", 2)
    told = events([TokenUsage(10, 0, 1)] * 5)
    assert summed([*told, told[1]]) == plus(told[-1][0], told[1][0])


def test_more_reasoning_than_output_is_refused() -> None:
    with pytest.raises(QuarantineError, match="reasoning_output_tokens exceed output_tokens"):
        CumulativeCounter().add(TokenUsage(100, 0, 5, 6))


def test_of_a_thread_that_went_on_elsewhere_the_first_event_tells_its_last_call() -> None:
    added = CumulativeCounter().add(TokenUsage(900, 0, 90), TokenUsage(40, 0, 4), elsewhere=True)
    assert added is not None
    assert added.used == TokenUsage(40, 0, 4)
