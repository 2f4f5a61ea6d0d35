"""Prices that hold at some hours of some days, where the price library says all days."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spend.staged import at, charge, price_all, price_one

from clearbar.spend.prices.price_hours import HourRule, at_hours, hour_rules
from clearbar.spend.prices.price_rate import ALL_WEEKDAYS, DAY_SECONDS, Kind, Rate

if TYPE_CHECKING:
    from clearbar.spend.prices.book import PriceBook

PRO = "deepseek/deepseek-v4-pro"
FLASH = "deepseek/deepseek-v4-flash"


@pytest.mark.parametrize(
    ("model", "moment", "usd"),
    [
        (PRO, "2026-07-21T02:00:00", "0.435"),
        (PRO, "2026-08-17T02:00:00", "1.32"),
        (PRO, "2026-08-22T02:00:00", "1.32"),
        (PRO, "2026-08-23T02:00:00", "0.66"),
        (PRO, "2026-08-24T00:59:59.999999", "0.66"),
        (PRO, "2026-08-24T01:00:00", "1.32"),
        (PRO, "2026-10-24T02:00:00", "0.66"),
        (PRO, "2026-10-26T02:00:00", "1.32"),
        (PRO, "2026-09-24T07:00:00", "1.32"),
        (PRO, "2026-09-25T07:00:00", "0.66"),
        (PRO, "2026-10-07T07:00:00", "0.66"),
        (PRO, "2026-10-08T07:00:00", "1.32"),
        (FLASH, "2026-08-16T07:00:00", "0.14"),
        (FLASH, "2026-08-18T07:00:00", "0.44"),
        (FLASH, "2026-08-18T12:00:00", "0.22"),
        (FLASH, "2026-08-22T07:00:00", "0.44"),
        (FLASH, "2026-08-29T07:00:00", "0.22"),
        (FLASH, "2026-09-10T07:00:00", "0.3"),
        (FLASH, "2026-09-12T07:00:00", "0.15"),
        ("deepseek/deepseek-flash", "2026-10-24T02:00:00", "0.15"),
        ("azure/deepseek/deepseek-v4-pro", "2026-10-24T02:00:00", "0.66"),
    ],
)
def test_peak_prices_have_a_first_day_and_days_of_the_week(
    book: PriceBook, model: str, moment: str, usd: str
) -> None:
    found = price_one(book, model, started_at=at(moment), input_tokens=1_000_000)
    assert (found.cost_usd, found.basis) == (Decimal(usd), "priced")


def test_a_bucket_of_a_day_without_a_peak_is_exact(book: PriceBook) -> None:
    days = ("2026-07-21", "2026-10-24", "2026-10-26")
    told = [
        charge(PRO, started_at=at(day), grain="bucket", calls=5, input_tokens=1_000_000)
        for day in days
    ]
    assert [found.basis for found in price_all(book, told)] == ["priced", "priced", "estimated"]


def test_a_price_by_a_rule_of_hours_says_which_one(book: PriceBook) -> None:
    found = price_one(book, PRO, started_at=at("2026-10-24T02:00:00"), input_tokens=1)
    assert found.price_id == f"{PRO}#1+deepseek-weekend"
    said = book.explain(found.price_id, date(2026, 10, 24))
    assert (said["weekdays_utc"], said["from"]) == ("Sat-Sun", "2026-08-23")
    assert "hours_utc" not in said
    assert "notice: off-peak at all hours of Saturday and Sunday" in said["source"]


@pytest.mark.parametrize(
    ("day", "weekdays", "until"),
    [
        (date(2026, 8, 18), None, "2026-08-23"),
        (date(2026, 9, 7), "Mon-Fri", "2026-09-25"),
        (date(2026, 11, 2), "Mon-Fri", None),
    ],
)
def test_a_price_is_explained_as_of_its_day(
    book: PriceBook, day: date, weekdays: str | None, until: str | None
) -> None:
    said = book.explain(f"{PRO}#2", day)
    assert (said.get("weekdays_utc"), said.get("until")) == (weekdays, until)
    assert said["hours_utc"] == "01:00-04:00"
    assert said["usd_per_million.input_tokens"] == "1.32"


def test_an_old_edition_without_rules_of_hours_has_none() -> None:
    assert hour_rules('[[gap]]\nname = "a"') == ()


@pytest.mark.parametrize("model", [PRO, FLASH, "deepseek/deepseek-flash"])
def test_at_each_moment_exactly_one_price_holds(book: PriceBook, model: str) -> None:
    kind = Kind("deepseek", model.partition("/")[2], model, "", "", "")
    [(_, rates)] = book.rates_in_force([kind])
    assert not [pair for pair in combinations(rates, 2) if _meet(*pair)]
    assert {sum(_holds(rate, day, second) for rate in rates) for day, second in _moments()} == {1}


def test_weekdays_are_told_as_runs() -> None:
    said = {mask: Rate("", "", {}, weekdays=mask).weekdays_text for mask in (ALL_WEEKDAYS, 1, 97)}
    assert said == {ALL_WEEKDAYS: "", 1: "Mon", 97: "Mon, Sat-Sun"}


_DAYS = st.integers(1, 60).map(lambda day: date.fromordinal(739_000 + day))
_SECONDS = st.integers(0, DAY_SECONDS)


@st.composite
def _rules(draw: st.DrawFn) -> HourRule:
    start, end = sorted(draw(st.tuples(_DAYS, _DAYS)))
    span = tuple(sorted(draw(st.tuples(_SECONDS, _SECONDS))))
    return HourRule(
        "rule",
        frozenset({"a/b"}),
        draw(st.integers(0, DAY_SECONDS - 1)),
        "a page",
        start,
        end,
        draw(st.integers(0, ALL_WEEKDAYS)),
        ((span[0], span[1]),),
    )


@given(rules=st.lists(_rules(), max_size=3), cut=st.integers(1, DAY_SECONDS - 1))
def test_rules_of_hours_leave_no_hole_and_no_overlap(rules: list[HourRule], cut: int) -> None:
    halves = [Rate("n", "", {}, to_second=cut), Rate("d", "", {}, from_second=cut)]
    rates = at_hours("a/b", halves, rules)
    days = {date.fromordinal(739_000 + day) for day in range(63)}
    seconds = {0, DAY_SECONDS - 1, cut - 1, cut}
    seconds |= {second for rule in rules for span in rule.hours for second in span}
    for day in days:
        for second in seconds - {DAY_SECONDS}:
            assert sum(_holds(rate, day, second) for rate in rates) == 1


def _holds(rate: Rate, day: date, second: int) -> bool:
    return rate.on(day) and rate.from_second <= second < rate.to_second


def _meet(one: Rate, other: Rate) -> bool:
    days = max(one.start, other.start) < min(one.end, other.end)
    hours = max(one.from_second, other.from_second) < min(one.to_second, other.to_second)
    return days and hours and bool(one.weekdays & other.weekdays)


def _moments() -> list[tuple[date, int]]:
    days = [date(2026, 7, 1).toordinal() + number for number in range(150)]
    return [(date.fromordinal(day), hour * 3600) for day in days for hour in range(24)]
