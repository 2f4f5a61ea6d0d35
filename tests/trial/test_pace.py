"""When calls may go, and what a trial may still spend."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from clearbar.trial.running.budget import Budget
from clearbar.trial.running.pace import (
    BROKEN_AFTER,
    LONGEST_ASKED_WAIT_S,
    LONGEST_WAIT_S,
    TRIES,
    Circuit,
    Pace,
    retry_wait_s,
)

CENTS = st.integers(0, 200).map(lambda cents: Decimal(cents) / 100)


@given(st.integers(1, 600), st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_minute_holds_more_calls_than_allowed(limit: int, gaps: list[float]) -> None:
    pace, now_s = Pace(limit), 0.0
    sent: list[float] = []
    for gap in gaps:
        now_s += gap
        sent.append(now_s + pace.wait_s(now_s))
    for first, later in zip(sent, sent[limit:], strict=False):
        assert later - first >= 60 - 1e-6


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(None)
    assert [pace.wait_s(5.0) for _ in range(100)] == [0.0] * 100


def test_nobody_goes_before_the_end_of_a_pause() -> None:
    pace = Pace(None)
    pace.hold_s(12.0)
    pace.hold_s(8.0)
    assert pace.wait_s(10.0) == 2.0
    assert pace.wait_s(13.0) == 0.0


@given(st.integers(1, TRIES - 1), st.integers())
def test_waits_double_and_are_bounded(failed: int, seed: int) -> None:
    wait_s = retry_wait_s(failed, None, Random(seed))
    assert wait_s is not None
    assert 0 <= wait_s <= min(0.5 * 2 ** (failed - 1), LONGEST_WAIT_S)


@given(st.integers(1, TRIES - 1), st.floats(0, LONGEST_ASKED_WAIT_S), st.integers())
def test_what_the_endpoint_asks_for_is_a_lower_bound(
    failed: int, asked_s: float, seed: int
) -> None:
    wait_s = retry_wait_s(failed, asked_s, Random(seed))
    assert wait_s is not None
    assert wait_s >= asked_s


def test_nobody_waits_for_an_endpoint_that_wants_an_hour() -> None:
    assert retry_wait_s(1, 3600.0, Random(1)) is None


def test_tries_are_limited() -> None:
    assert retry_wait_s(TRIES, None, Random(1)) is None


def test_a_tool_is_broken_after_cases_in_a_row_and_an_answer_begins_anew() -> None:
    circuit = Circuit()
    for _ in range(BROKEN_AFTER - 1):
        circuit.failed("HTTP 500")
    circuit.answered()
    assert circuit.in_a_row == 0
    for _ in range(BROKEN_AFTER):
        circuit.failed("HTTP 503")
    assert circuit.broken
    assert (circuit.what, circuit.answers) == ("HTTP 503", 1)


@given(CENTS, st.lists(st.tuples(CENTS, st.one_of(st.none(), CENTS))))
def test_what_is_promised_never_exceeds_the_limit(
    limit: Decimal, calls: list[tuple[Decimal, Decimal | None]]
) -> None:
    budget = Budget(limit)
    open_calls: list[tuple[Decimal, Decimal | None]] = []
    for ceiling, cost in calls:
        if budget.reserve(ceiling):
            open_calls.append((ceiling, None if cost is None else min(cost, ceiling)))
        assert budget.spent_usd + budget.reserved_usd <= limit
        if len(open_calls) > 2:
            budget.settle(*open_calls.pop(0))
    for ceiling, cost in open_calls:
        budget.settle(ceiling, cost)
    assert budget.reserved_usd == 0
    assert budget.spent_usd <= limit


def test_a_call_of_unknown_cost_counts_at_the_most_it_can_have_cost() -> None:
    budget = Budget(Decimal(1))
    assert budget.reserve(Decimal("0.6"))
    budget.settle(Decimal("0.6"), None)
    assert budget.spent_usd == Decimal("0.6")
    assert not budget.reserve(Decimal("0.5"))


def test_an_unknown_ceiling_fits_only_where_there_is_no_limit() -> None:
    assert not Budget(Decimal(1)).reserve(None)
    assert not Budget(Decimal(1)).could_ever(None)
    unlimited = Budget(None)
    assert unlimited.reserve(None)
    unlimited.settle(None, None)
    assert unlimited.could_ever(None)
    assert unlimited.spent_usd == 0


def test_what_does_not_fit_now_may_fit_when_calls_in_flight_cost_less() -> None:
    budget = Budget(Decimal(1))
    assert budget.reserve(Decimal("0.8"))
    assert not budget.reserve(Decimal("0.5"))
    assert budget.could_ever(Decimal("0.5"))
    budget.settle(Decimal("0.8"), Decimal("0.1"))
    assert budget.reserve(Decimal("0.5"))
