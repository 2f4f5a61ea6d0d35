from datetime import date, timedelta
from decimal import Decimal

from clearbar.own.card import DayFacts
from clearbar.web.gathered_days import gather

MONDAY = date(2026, 8, 3)


def days(count: int, start: date = MONDAY) -> list[DayFacts]:
    return [
        DayFacts(start + timedelta(days=index), 10, 100, Decimal("2.50"), outcomes=4, good=3.5)
        for index in range(count)
    ]


def test_a_month_is_drawn_day_by_day() -> None:
    assert len(gather(days(30)).bars) == 30


def test_more_than_two_months_are_drawn_week_by_week() -> None:
    gathered = gather(days(90))
    assert gathered.weekly
    assert len(gathered.bars) == 13


def test_a_broken_week_is_no_dip() -> None:
    assert set(gather(days(90)).heights) == {2.5}


def test_a_bar_tells_its_day() -> None:
    assert gather(days(1)).bars[0].tooltip == "Mon 3 Aug: $2.50, 10 calls, 3.5 of 4 good"


def test_a_week_tells_the_sum_of_its_days() -> None:
    tooltip = gather(days(90)).bars[0].tooltip
    assert tooltip == "Mon 3 Aug to Sun 9 Aug: $17.50, 70 calls, 24.5 of 28 good"


def test_a_day_without_outcomes_says_nothing_of_them() -> None:
    assert gather([DayFacts(MONDAY)]).bars[0].tooltip == "Mon 3 Aug: $0.00, 0 calls"


def test_weekends_are_quiet() -> None:
    assert [bar.quiet for bar in gather(days(7)).bars] == [False] * 5 + [True] * 2


def test_a_week_that_ends_on_a_weekend_is_not_quiet() -> None:
    assert not any(bar.quiet for bar in gather(days(90)).bars)


def test_mondays_are_labelled() -> None:
    assert gather(days(14, date(2026, 8, 5))).ticks == ((5, "10 Aug"), (12, "17 Aug"))


def test_the_tops_are_those_of_a_day() -> None:
    gathered = gather(days(90))
    assert (gathered.top_cost_usd, gathered.top_good) == (2.5, 3.5)


def test_no_days_make_no_bars() -> None:
    gathered = gather([])
    assert (gathered.bars, gathered.top_cost_usd, gathered.top_good) == ((), 0.0, 0.0)
