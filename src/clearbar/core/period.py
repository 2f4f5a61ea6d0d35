"""Half-open ranges of UTC days, as people name them: a month, a quarter, the last 30 days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from clearbar.core.errors import ClearbarError

FORMS = "2026, 2026-Q3, 2026-09, 2026-09-14, 30d, 2026-09-01..2026-10-01 (end not included) or all"
MAX_DAYS = 3660
"""No duration is longer: ten years."""
_FIRST, _LAST = date(1970, 1, 1), date(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` up to, not including, `end`; all in UTC."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.end - self.start).days

    @property
    def is_all(self) -> bool:
        """Whether this is all of time."""
        return self == ALL

    def previous(self) -> Period:
        """Return the period of the same length that ends where this one starts.

        It is shorter where the calendar does not reach back so far.
        """
        first = max(self.start.toordinal() - self.days, 1)
        return Period(date.fromordinal(first), self.start)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return "all time" if self.is_all else f"{self.start}..{self.end}"


ALL = Period(_FIRST, _LAST)


def last_days(days: int, as_of: date) -> Period:
    """Return the `days` whole days before `as_of` (`as_of` itself is not included)."""
    return Period(as_of - timedelta(days=days), as_of)


def parse_days(text: str) -> int:
    """Return the days in a duration such as `28d`, `6w`.

    Raises:
        ClearbarError: when it is no such duration.
    """
    match = re.fullmatch(r"(\d{1,5})([dw])", text.strip())
    if not match or int(match[1]) == 0:
        raise ClearbarError(f'"{text}" is no duration', "write days or weeks: 28d, 6w")
    days = int(match[1]) * (7 if match[2] == "w" else 1)
    if days > MAX_DAYS:
        raise ClearbarError(f'"{text}" is longer than ten years', f"at most {MAX_DAYS}d")
    return days


def parse_period(text: str, as_of: date) -> Period:
    """Return the period that `text` names; `30d` counts back from `as_of`.

    Raises:
        ClearbarError: when it names none.
    """
    try:
        return _parse(text.strip(), as_of)
    except (ValueError, OverflowError) as error:
        raise ClearbarError(f'"{text}" is no period', f"write one of: {FORMS}") from error


def _parse(text: str, as_of: date) -> Period:
    if text == "all":
        return ALL
    if ".." in text:
        start, _, end = text.partition("..")
        return _forward(Period(_day(start), _day(end)))
    if match := re.fullmatch(r"(\d{1,5})d", text):
        return _forward(last_days(int(match[1]), as_of))
    return _calendar(text)


def _calendar(text: str) -> Period:
    if match := re.fullmatch(r"(\d{4})-Q([1-4])", text):
        return _months(int(match[1]), 3 * int(match[2]) - 2, 3)
    if match := re.fullmatch(r"(\d{4})-(\d{2})", text):
        return _months(int(match[1]), int(match[2]), 1)
    if re.fullmatch(r"\d{4}", text):
        return _months(int(text), 1, 12)
    day = _day(text)
    return Period(day, day + timedelta(days=1))


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(text)  # Python takes 2026-W37 for the Monday of that week
    return date.fromisoformat(text)


def _forward(period: Period) -> Period:
    if period.days <= 0:
        raise ValueError(period)
    return period


def month_of(day: date) -> Period:
    """Return the calendar month that holds `day`."""
    return _months(day.year, day.month, 1)


def _months(year: int, month: int, count: int) -> Period:
    after = year * 12 + month - 1 + count
    return Period(date(year, month, 1), date(after // 12, after % 12 + 1, 1))
