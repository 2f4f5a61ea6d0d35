from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.period import ALL, Period
from clearbar.own.card import Estimate
from clearbar.own.workflow import Bar
from clearbar.web import figures

OCTOBER = Period(date(2026, 10, 1), date(2026, 11, 1))


def estimate(low: float | None, high: float | None) -> Estimate:
    return Estimate(0.5, low, high, 0.95, 30)


def test_a_period_is_told_with_its_last_day_included() -> None:
    assert figures.period_text(OCTOBER) == "1 Oct 2026 to 31 Oct 2026 (31 days, UTC)"


def test_a_single_day_is_told_once() -> None:
    assert figures.period_text(Period(date(2026, 9, 1), date(2026, 9, 2))) == "1 Sep 2026 (UTC)"


def test_all_of_time_has_a_name() -> None:
    assert figures.period_text(ALL) == "all time"


def test_a_month_under_way_tells_how_far_it_is() -> None:
    so_far = Period(date(2026, 10, 1), date(2026, 10, 13))
    assert figures.month_text(so_far) == "October 2026 (12 of 31 days)"


@pytest.mark.parametrize(
    ("period", "argument"),
    [
        (OCTOBER, "2026-10"),
        (Period(date(2026, 9, 3), date(2026, 10, 3)), "2026-09-03..2026-10-03"),
        (Period(date(2026, 9, 1), date(2026, 11, 1)), "2026-09-01..2026-11-01"),
        (ALL, "all"),
    ],
)
def test_a_period_is_written_as_the_command_line_takes_it(period: Period, argument: str) -> None:
    assert figures.period_argument(period) == argument


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, "-"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0004, "<0.1%"),
        (0.99996, ">99.9%"),
        (0.934, "93.4%"),
        (1.415, "141.5%"),
        (-0.02, "-2%"),
    ],
)
def test_a_share_is_told_in_percent(part: float | None, text: str) -> None:
    assert figures.share_text(part) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_no_part_is_told_as_nothing_or_as_the_whole(part: float) -> None:
    assert figures.share_text(part) not in ("0%", "100%")


def test_the_share_of_nothing_is_unknown() -> None:
    assert figures.share(Decimal(0), Decimal(0)) is None


def test_a_share_is_the_part_of_the_whole() -> None:
    assert figures.share(Decimal(1), Decimal(4)) == 0.25


@pytest.mark.parametrize(
    ("growth", "text"),
    [(None, "new"), (0.12, "up 12%"), (-0.5, "down 50%"), (0.001, "level"), (12.0, "up 1,200%")],
)
def test_a_growth_is_told_in_words(growth: float | None, text: str) -> None:
    assert figures.growth_text(growth) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9_999, "10.0k"),
        (1_000, "1.00k"),
        (12_345, "12.3k"),
        (999_999, "1.00M"),
        (123_456_789, "123M"),
        (4_000_000_000, "4.00B"),
        (7_000_000_000_000, "7.00T"),
    ],
)
def test_a_large_count_is_told_in_three_digits(count: int, text: str) -> None:
    assert figures.count_text(count) == text


@pytest.mark.parametrize(("mean", "text"), [(0.034, "0.034"), (9.96, "10"), (43.4, "43")])
def test_a_small_mean_keeps_two_digits(mean: float, text: str) -> None:
    assert figures.mean_text(mean) == text


def test_an_amount_is_told_to_its_last_digit() -> None:
    assert figures.exact(Decimal("0.00210")) == "0.0021 USD"
    assert figures.exact(0.1) == "0.1 USD"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.25, 1.5, "$0.25 to $1.50"),
        (None, 1.5, "at most $1.50"),
        (0.25, None, "at least $0.25"),
        (None, None, "no bounds yet"),
    ],
)
def test_an_open_end_of_an_interval_is_said(
    low: float | None, high: float | None, text: str
) -> None:
    assert figures.interval_text(estimate(low, high)) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1, 5, ""),
        (0, 5, ""),
        (-1, 5, "may lose"),
        (None, 5, "may lose"),
        (-5, -1, "loses"),
        (None, -1, "loses"),
        (None, None, ""),
    ],
)
def test_a_return_whose_interval_reaches_below_zero_is_warned_of(
    low: float | None, high: float | None, text: str
) -> None:
    assert figures.outlook_text(estimate(low, high)) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.4, 0.6, "0.5 (0.4 to 0.6)"),
        (None, 0.6, "0.5, no bounds yet"),
        (0.4, None, "0.5, no bounds yet"),
    ],
)
def test_a_score_is_told_with_its_interval(
    low: float | None, high: float | None, text: str
) -> None:
    assert figures.score_text(estimate(low, high)) == text


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        (Bar(at_least=0.9, text="resolved >= 0.9"), "resolved >= 0.9"),
        (Bar(at_least=0.9), "at least 0.9"),
        (Bar(within=0.02, of="claude-opus-4-6"), "within 0.02 of claude-opus-4-6"),
    ],
)
def test_a_bar_is_told_as_it_was_declared(bar: Bar, text: str) -> None:
    assert figures.bar_text(bar) == text
