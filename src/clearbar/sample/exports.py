"""The monthly exports in which most logs leave their programs; neighbours overlap by a day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.sample.calls import Call

MONTHS: Final = (date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1))
COMPRESSED_MONTHS: Final = MONTHS[:2]


def exported(calls: Iterable[Call], month: date) -> list[Call]:
    """Return the calls of a month, and those of the last day before it."""
    first = month - timedelta(days=1)
    following = (month + timedelta(days=31)).replace(day=1)
    return [call for call in calls if first <= call.day < following]
