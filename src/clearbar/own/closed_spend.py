"""Closing months under declared workflows: what is frozen, and what has changed since."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend import closing
from clearbar.spend.closed import NOBODY, Fixed, differences, month_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from clearbar.core.period import Period
    from clearbar.core.store import Store
    from clearbar.spend.closed import Closed
    from clearbar.spend.ledger import Ledger
    from clearbar.spend.reading import LedgerReading


def rows_of(
    reading: LedgerReading, workflow_of: Mapping[int, str], period: Period
) -> list[Fixed]:
    """Return the finest sums of a period, each with the workflow that it goes to now."""
    return [
        Fixed(reading.origins[key], _fixed(workflow_of[key]), day, usage)
        for (key, day), usage in reading.by_origin_and_day(period).items()
    ]


def close_month(
    ledger: Ledger,
    store: Store,
    live: LedgerReading,
    workflow_of: Mapping[int, str],
    month: Period,
    at: datetime,
) -> closing.ClosedEntry:
    """Freeze what is reported of a month.

    `live` is a reading without closed months.

    Raises:
        ClearbarError: when the month is not over, or is closed already.
    """
    if month.end > at.date():
        raise ClearbarError(
            f"{month_name(month)} is not over", f"close it on {month.end} or later, in UTC"
        )
    overlaps = {day: usage for day, usage in live.overlaps().items() if day in month}
    return closing.close(
        store,
        month,
        rows_of(live, workflow_of, month),
        overlaps,
        at,
        lambda: is_current(ledger, live),
    )


def corrections(
    closed: Closed, live: LedgerReading, workflow_of: Mapping[int, str], today: date
) -> list[Fixed]:
    """Return what the ledger holds of closed months now and no report has shown, dated today.

    At the earliest on the day after the last closed month.
    """
    now = (row for span in closed.spans for row in rows_of(live, workflow_of, span))
    day = max(today, *(month.end for month in closed.months))
    return [
        Fixed(origin, workflow, day, usage, month)
        for origin, workflow, month, usage in differences(now, closed, closed.months)
    ]


def with_corrections(closed: Closed, found: Iterable[Fixed]) -> Closed:
    """Return what closed months fix, with corrections that nobody has recorded yet."""
    return replace(closed, corrections=(*closed.corrections, *found))


def is_current(ledger: Ledger, reading: LedgerReading) -> bool:
    """Return whether a reading has all files of the ledger."""
    return reading.record_files == ledger.folder.record_files().keys()


def stamp(record_files: Iterable[str], declared: bytes, version: str) -> str:
    """Return what tells whether anything that sums are made of has changed."""
    names = "\n".join(sorted(record_files))
    return hashlib.sha256(b"\0".join((names.encode(), declared, version.encode()))).hexdigest()


def _fixed(workflow: str) -> str:
    return NOBODY if workflow == UNATTRIBUTED else workflow
