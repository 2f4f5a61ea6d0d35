"""Figures, days and bounds as people read them: pure functions from values to text."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.core.money import plain, usd
from clearbar.core.period import month_of

if TYPE_CHECKING:
    from datetime import date

    from clearbar.core.period import Period
    from clearbar.own.card import Estimate
    from clearbar.own.workflow import Bar

_LETTERS: Final = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_ROUNDS_UP: Final = 0.9995
_LEAST_SHARE: Final = 0.001
_WHOLE_FROM: Final = 10


def day_and_month(day: date) -> str:
    """Return a day without its year: `7 Sep`."""
    return f"{day.day} {day:%b}"


def period_text(period: Period) -> str:
    """Return a period for people, its last day included."""
    if period.is_all:
        return "all time"
    if period.days == 1:
        return f"{long_day(period.start)} (UTC)"
    last = period.end - timedelta(days=1)
    return f"{long_day(period.start)} to {long_day(last)} ({period.days:,} days, UTC)"


def period_argument(period: Period) -> str:
    """Return a period as the command line takes it."""
    if period.is_all:
        return "all"
    return f"{period.start:%Y-%m}" if period == month_of(period.start) else str(period)


def month_text(so_far: Period) -> str:
    """Return the elapsed days of a month: `October 2026 (12 of 31 days)`."""
    return f"{so_far.start:%B %Y} ({so_far.days} of {month_of(so_far.start).days} days)"


def long_day(day: date) -> str:
    """Return a day with its year: `7 Sep 2026`."""
    return f"{day_and_month(day)} {day.year}"


def share(part: Decimal, whole: Decimal) -> float | None:
    """Return the part of a whole; None of a whole that is not above zero."""
    return float(part / whole) if whole > 0 else None


def share_text(part: float | None) -> str:
    """Return a share in percent. Only a true nothing is 0%, only a true whole is 100%."""
    if part is None:
        return "-"
    if 0 < part < _LEAST_SHARE:
        return "<0.1%"
    if 1 - _LEAST_SHARE < part < 1:
        return ">99.9%"
    return f"{part * 100:.1f}".removesuffix(".0") + "%"


def growth_text(growth: float | None) -> str:
    """Return a growth for people: `up 12%`; `new` where there was nothing before."""
    if growth is None:
        return "new"
    percent = round(abs(growth) * 100)
    if percent == 0:
        return "level"
    return f"{'up' if growth > 0 else 'down'} {percent:,}%"


def count_text(count: int) -> str:
    """Return a count in three digits and a letter: `1.23M`; below a thousand as it is."""
    for size, letter in _LETTERS:
        if count >= size * _ROUNDS_UP:
            return f"{count / size:#.3g}".rstrip(".") + letter
    return str(count)


def mean_text(mean: float) -> str:
    """Return a mean count: whole from ten on, two digits below."""
    return count_text(round(mean)) if mean >= _WHOLE_FROM else f"{mean:.2g}"


def exact(amount: Decimal | float) -> str:
    """Return the unrounded amount, for a title."""
    return f"{plain(amount) if isinstance(amount, Decimal) else repr(amount)} USD"


def interval_text(estimate: Estimate) -> str:
    """Return the interval of an amount of money; an open end is said, not drawn as zero."""
    low, high = estimate.low, estimate.high
    if low is None and high is None:
        return "no bounds yet"
    if low is None:
        return f"at most {usd(high)}"
    if high is None:
        return f"at least {usd(low)}"
    return f"{usd(low)} to {usd(high)}"


def outlook_text(gain: Estimate) -> str:
    """Return what the interval of a return warns of; empty above zero and without bounds."""
    if gain.high is not None and gain.high < 0:
        return "loses"
    if gain.low is None and gain.high is None:
        return ""
    return "may lose" if gain.low is None or gain.low < 0 else ""


def score_text(estimate: Estimate) -> str:
    """Return a mean score and its interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3g}, no bounds yet"
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def bar_text(bar: Bar) -> str:
    """Return a bar as it was declared."""
    if bar.text:
        return bar.text
    if bar.at_least is not None:
        return f"at least {bar.at_least:g}"
    return f"within {bar.within:g} of {bar.of}"
