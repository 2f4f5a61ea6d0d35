from datetime import date, timedelta

from clearbar.own.card import DayFacts, Estimate
from clearbar.own.card_saving import days_passed, measured

EACH = Estimate(0.5, 0.4, 0.6, 0.95, 90)


def test_a_month_is_what_the_routed_requests_save_in_thirty_days() -> None:
    found = measured(EACH, 0.5, requests=(10, 100), conversations=(9, 81), days=15)
    assert found.usd_month == Estimate(100.0, 80.0, 120.0, 0.95, 90)


def test_a_saving_without_bounds_has_none_in_a_month_either() -> None:
    few = Estimate(0.5, None, None, 0.95, 3)
    found = measured(few, None, requests=(1, 2), conversations=(1, 2), days=30)
    assert (found.usd_month.low, found.usd_month.high) == (None, None)


def test_both_arms_are_counted_by_requests_and_by_conversations() -> None:
    found = measured(EACH, 0.5, requests=(10, 100), conversations=(9, 81), days=15)
    assert (found.held_out_requests, found.routed_requests) == (10, 100)
    assert (found.held_out_conversations, found.routed_conversations) == (9, 81)


def test_days_to_come_are_no_part_of_the_volume_but_a_day_with_calls_is() -> None:
    first = date(2026, 11, 1)
    days = [DayFacts(first + timedelta(days=n), calls=int(n == 3)) for n in range(30)]
    assert days_passed(days, first + timedelta(days=3)) == 4
