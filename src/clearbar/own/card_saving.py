"""What a route saves, as the card shows it: a request's saving carried to a month. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.own.card import Estimate, MeasuredSaving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clearbar.own.card import DayFacts

_DAYS_A_MONTH: Final = 30


def measured(
    usd_per_request: Estimate,
    share: float | None,
    *,
    requests: tuple[int, int],
    conversations: tuple[int, int],
    days: int,
) -> MeasuredSaving:
    """Return a saving with what it comes to in a month.

    `requests` and `conversations` are those held out and those routed, over `days` days. Only what
    was routed saves anything.
    """
    return MeasuredSaving(
        usd_per_request,
        _times(usd_per_request, requests[1] * _DAYS_A_MONTH / max(days, 1)),
        share,
        *requests,
        *conversations,
    )


def days_passed(days: Sequence[DayFacts], as_of: date) -> int:
    """Return how many of a card's days are over, or have a call already."""
    return sum(1 for each in days if each.day < as_of or each.calls)


def _times(estimate: Estimate, factor: float) -> Estimate:
    low, high = estimate.low, estimate.high
    return Estimate(
        estimate.value * factor,
        None if low is None else low * factor,
        None if high is None else high * factor,
        estimate.level,
        estimate.n,
    )
