"""Moments as sources write them -> microseconds since 1970 in UTC. Never guesses a missing one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final

from clearbar.spend.files.quarantine import QuarantineError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBER: Final = re.compile(r"\d{1,20}(\.\d{1,12})?")
_DAY: Final = re.compile(r"(19|20)\d{6}")
_UNITS: Final = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
"""Below the first figure, a moment since 1970 is in units of the second, in microseconds."""
_FIRST_SECOND: Final = 10**8
"""In 1973. A smaller number is a year, or a day as a spreadsheet counts it, and no moment."""
_LATEST_US: Final = 253_402_300_800_000_000
"""The end of the year 9999."""


def microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_us(value: object, name: str, zone: tzinfo = UTC) -> int:
    """Return microseconds since 1970 in UTC: of ISO 8601 text, or of seconds, ms, us or ns.

    A text without an offset is local to `zone`; where clocks went back, the earlier is meant.

    Raises:
        QuarantineError: when `value` says no moment between 1970 and 9999.
    """
    moment = _parse(value, zone)
    if moment is None or not 0 <= moment < _LATEST_US:
        missing = value is None or value == ""
        raise QuarantineError(
            f"{name} is missing" if missing else f"{name} is no time that can be read",
            "write ISO 8601, such as 2026-09-14T08:30:00Z, or seconds since 1970",
        )
    return moment


def _parse(value: object, zone: tzinfo) -> int | None:
    if isinstance(value, datetime):
        return microseconds(value if value.tzinfo else value.replace(tzinfo=zone))
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _since_1970(str(value))
    if isinstance(value, date):
        return _iso(value.isoformat(), zone)
    if not isinstance(value, str):
        return None
    text = value.strip()
    number = _NUMBER.fullmatch(text) and not _DAY.fullmatch(text)
    return _since_1970(text) if number else _iso(text, zone)


def _since_1970(text: str) -> int | None:
    try:
        number = Decimal(text)
        if number < _FIRST_SECOND:
            return None
        for limit, factor in _UNITS:
            if number < limit:
                return int(number * factor)
        return int(number // 1000)
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _iso(text: str, zone: tzinfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None
