"""What a workflow did over the last days as a whole: the facts that a kill rule names. Pure."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from clearbar.core.period import last_days
from clearbar.own.card_days import worth_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clearbar.own.card import DayFacts


def known_window(
    days: Sequence[DayFacts], window_days: int, first_day: date | None, as_of: date
) -> tuple[DayFacts, ...] | None:
    """Return the last `window_days` whole days before `as_of`.

    None where they are not all known: the workflow is younger, or `days` leaves some out.
    """
    window = last_days(window_days, as_of)
    if first_day is None or first_day > window.start:
        return None
    found = tuple(day for day in days if day.day in window)
    return found if len(found) == window_days else None


def window_facts(
    days: Sequence[DayFacts], first_day: date | None, as_of: date
) -> dict[str, float | None]:
    """Return the facts of `kill_rule.FACTS` over some days taken as a whole."""
    cost = sum((day.cost_usd for day in days), Decimal(0))
    calls, outcomes = sum(day.calls for day in days), sum(day.outcomes for day in days)
    good = sum(day.good for day in days)
    tokens, worth = sum(day.tokens for day in days), worth_of(days)
    return {
        "known_days": None if first_day is None else float((as_of - first_day).days),
        "calls": float(calls),
        "tokens": float(tokens),
        "tokens_per_call": _share(tokens, calls),
        "cost_usd": float(cost),
        "share_unpriced": _share(_unpriced(days), calls),
        "usd_per_call": _share(float(cost), calls),
        "outcomes": float(outcomes),
        "good": good,
        "mean_score": _share(good, outcomes),
        "usd_per_outcome": _share(float(cost), outcomes),
        "usd_per_good": _usd_per_good(float(cost), outcomes, good),
        "worth_usd": None if worth is None else float(worth),
        "return_usd": None if worth is None else float(worth - cost),
    }


def _share(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole else None


def _usd_per_good(cost_usd: float, outcomes: int, good: float) -> float | None:
    """Have no end where all outcomes failed: a rule on it must not miss the worst workflow."""
    if outcomes and not good and cost_usd:
        return math.inf
    return _share(cost_usd, good)


def _unpriced(days: Sequence[DayFacts]) -> int | None:
    """Unknown where a day with calls did not count them."""
    if any(day.calls and day.calls_unpriced is None for day in days):
        return None
    return sum(day.calls_unpriced or 0 for day in days)
