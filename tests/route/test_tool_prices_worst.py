"""The rows kept for the worst case give what all rows give."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from clearbar.route.tool_prices import Worst, _dearest

PRICES = st.sampled_from([0, 1, 3, 10, 250])
ROWS = st.lists(
    st.builds(
        Worst,
        over=st.sampled_from([-1, 0, 100, 200_000]),
        input=PRICES,
        output=PRICES,
        fee=PRICES,
        per_nusd=st.sampled_from([1, 10, 1000]),
        has_input=st.booleans(),
        has_output=st.booleans(),
    ),
    max_size=6,
)
TOKENS = st.sampled_from([0, 1, 100, 101, 199_999, 200_001])


def worst(rows: list[Worst], read: int, written: int) -> int | None:
    costs = [
        -(-(each.fee + each.input * read + each.output * written) // each.per_nusd)
        for each in rows
        if each.takes(read, written)
    ]
    return max(costs, default=None)


def fitting(rows: list[Worst], read: int, amount: int) -> int:
    counts = [
        each.output_for(amount * each.per_nusd - each.input * read - each.fee)
        for each in rows
        if each.takes(read, 1)
    ]
    return min(counts, default=0)


@given(ROWS, TOKENS, TOKENS)
@example([Worst(-1, 3, 3, 0, 1, True, True), Worst(-1, 1, 1, 9, 1, True, True)], 1, 1)
@example([Worst(-1, 3, 1, 0, 1, True, True), Worst(-1, 1, 3, 0, 1, True, True)], 1, 100)
@example([Worst(-1, 3, 3, 0, 10, True, True), Worst(-1, 1, 1, 0, 1, True, True)], 9, 9)
@example([Worst(100, 3, 3, 0, 1, True, True), Worst(-1, 1, 1, 0, 1, True, True)], 9, 9)
def test_the_dearest_rows_cost_what_all_rows_cost_at_most(
    rows: list[Worst], read: int, written: int
) -> None:
    assert worst(_dearest(rows), read, written) == worst(rows, read, written)


@given(ROWS, TOKENS, st.integers(0, 10**6))
def test_the_dearest_rows_leave_as_long_an_answer_as_all_rows(
    rows: list[Worst], read: int, amount: int
) -> None:
    assert fitting(_dearest(rows), read, amount) == fitting(rows, read, amount)
