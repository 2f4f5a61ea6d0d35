"""Circuit breakers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.serving.breakers import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Breakers,
)


def opened(now: float = 0.0) -> Breakers:
    breakers = Breakers()
    for _ in range(FAILURES_TO_OPEN):
        breakers.failed("small", now)
    return breakers


def test_a_tool_that_nothing_is_known_of_may_be_asked() -> None:
    assert Breakers().lets("small", 0.0)


def test_too_many_failures_in_a_row_open_it() -> None:
    breakers = Breakers()
    turns = [breakers.failed("small", 0.0) for _ in range(FAILURES_TO_OPEN)]
    assert turns == [None] * (FAILURES_TO_OPEN - 1) + ["opened"]
    assert not breakers.lets("small", 1.0)


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breakers = Breakers()
    for _ in range(FAILURES_TO_OPEN - 1):
        breakers.failed("small", 0.0)
    breakers.worked("small")
    assert breakers.failed("small", 0.0) is None
    assert breakers.lets("small", 0.0)


def test_failures_of_one_tool_do_not_open_another() -> None:
    assert opened().lets("large", 1.0)


def test_an_open_one_says_how_long_it_stays_so() -> None:
    assert opened().wait_s("small", 1.0) == FIRST_PAUSE_S - 1.0


def test_a_closed_one_has_no_wait() -> None:
    assert Breakers().wait_s("small", 1.0) == 0.0


def test_after_the_pause_one_probe_goes_out_and_no_second() -> None:
    breakers = opened()
    assert breakers.lets("small", FIRST_PAUSE_S)
    assert not breakers.lets("small", FIRST_PAUSE_S)


def test_a_probe_that_works_closes_it() -> None:
    breakers = opened()
    breakers.lets("small", FIRST_PAUSE_S)
    assert breakers.worked("small") == "closed"
    assert breakers.lets("small", FIRST_PAUSE_S)
    assert breakers.lets("small", FIRST_PAUSE_S)


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    breakers = opened()
    breakers.lets("small", FIRST_PAUSE_S)
    assert breakers.failed("small", FIRST_PAUSE_S) == "opened"
    assert breakers.wait_s("small", FIRST_PAUSE_S) == 2 * FIRST_PAUSE_S


def test_a_probe_that_never_reports_does_not_keep_it_open_for_ever() -> None:
    breakers = opened()
    breakers.lets("small", FIRST_PAUSE_S)
    assert breakers.lets("small", 2 * FIRST_PAUSE_S)


def test_calls_that_were_in_flight_when_it_opened_do_not_lengthen_the_pause() -> None:
    breakers = opened()
    for _ in range(20):
        assert breakers.failed("small", 1.0) is None
    assert breakers.wait_s("small", 1.0) == FIRST_PAUSE_S - 1.0


def test_the_pause_does_not_grow_without_end() -> None:
    breakers, now = opened(), 0.0
    for _ in range(20):
        now += breakers.wait_s("small", now)
        breakers.lets("small", now)
        breakers.failed("small", now)
    assert breakers.wait_s("small", now) == LONGEST_PAUSE_S


def test_open_ones_are_listed_with_their_wait() -> None:
    assert opened().open(1.0) == {"small": FIRST_PAUSE_S - 1.0}


@given(st.lists(st.tuples(st.sampled_from(["works", "fails", "asks"]), st.floats(0, 100))))
def test_whatever_happens_a_tool_may_be_asked_again_after_the_longest_pause(
    events: list[tuple[str, float]],
) -> None:
    breakers, now = Breakers(), 0.0
    for what, later in events:
        now += later
        if what == "works":
            breakers.worked("small")
        elif what == "fails":
            breakers.failed("small", now)
        else:
            breakers.lets("small", now)
    assert breakers.lets("small", now + 2 * LONGEST_PAUSE_S)
