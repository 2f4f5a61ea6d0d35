from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.core.period import ALL, Period, last_days, month_of, parse_days, parse_period

TODAY = date(2026, 11, 1)
DAYS = st.dates(date(1970, 1, 1), date(9000, 1, 1))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    start = draw(DAYS)
    return Period(start, start + timedelta(days=draw(st.integers(1, 5_000))))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-Q3", "2026-07-01", "2026-10-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-09-14", "2026-09-14", "2026-09-15"),
        ("30d", "2026-10-02", "2026-11-01"),
        ("2026-09-01..2026-10-01", "2026-09-01", "2026-10-01"),
        (" all ", "1970-01-01", "9999-01-01"),
    ],
)
def test_a_period_is_named_as_people_name_it(text: str, start: str, end: str) -> None:
    assert parse_period(text, TODAY) == Period(date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13",
        "2026-Q5",
        "0d",
        "99999999d",
        "0000",
        "9999",
        "2026-10-01..2026-09-01",
        "2026-09-01..2026-09-01",
        "2026-09-01..",
        "2026-09-14T08",
        "20260914",
    ],
)
def test_what_names_no_period_is_refused_with_the_forms_that_do(text: str) -> None:
    with pytest.raises(ClearbarError) as caught:
        parse_period(text, TODAY)
    assert "2026-Q3" in caught.value.hint


@pytest.mark.parametrize("text", ["2026-W37", "2026-W37-2", "2026-W37..2026-W38"])
def test_a_week_is_refused_and_not_taken_for_its_monday(text: str) -> None:
    with pytest.raises(ClearbarError):
        parse_period(text, TODAY)


@given(periods())
def test_a_period_is_read_back_as_it_is_written(period: Period) -> None:
    assert parse_period(str(period), TODAY) == period


@given(DAYS)
def test_a_month_is_read_back_as_it_is_written(day: date) -> None:
    assert parse_period(f"{day:%Y-%m}", TODAY) == month_of(day)


@given(DAYS)
def test_a_day_is_in_its_month(day: date) -> None:
    assert day in month_of(day)


@given(periods())
def test_the_previous_period_abuts_and_is_as_long(period: Period) -> None:
    before = period.previous()
    assert (before.end, before.days) == (period.start, period.days)


def test_the_previous_period_ends_where_the_calendar_does() -> None:
    before = Period(date(1970, 1, 1), date(9000, 1, 1)).previous()
    assert before == Period(date.min, date(1970, 1, 1))


@given(periods(), DAYS)
def test_a_day_is_in_a_period_or_before_or_after_it(period: Period, day: date) -> None:
    assert (day in period) == (not day < period.start and not day >= period.end)


def test_the_last_days_do_not_hold_the_day_itself() -> None:
    assert TODAY not in last_days(30, TODAY)


def test_all_of_time_is_named_and_not_counted() -> None:
    assert str(ALL) == "all time"
    assert ALL.is_all


@pytest.mark.parametrize(("text", "days"), [("28d", 28), ("6w", 42), (" 1d ", 1)])
def test_a_duration_is_days_or_weeks(text: str, days: int) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "28", "0d", "0w", "-3d", "1m", "1.5d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ClearbarError):
        parse_days(text)


@pytest.mark.parametrize("text", ["3661d", "524w", "99999w"])
def test_no_duration_is_longer_than_ten_years(text: str) -> None:
    with pytest.raises(ClearbarError, match="longer than ten years"):
        parse_days(text)
