"""Closing months under declared workflows: what is frozen, and what has changed since."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.own.workflow import UNATTRIBUTED
from clearbar.spend.reconciling import closing
from clearbar.spend.reconciling.closed import NOBODY, Fixed, differences, month_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date, datetime

    from clearbar.core.period import Period
    from clearbar.core.store import Store
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.reconciling.closed import Closed
    from clearbar.spend.storage.ledger import Ledger


def rows_of(reading: LedgerReading, workflow_of: Mapping[int, str], period: Period) -> list[Fixed]:
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
    rows = rows_of(live, workflow_of, month)
    return closing.close(store, month, rows, overlaps, at, lambda: _is_current(ledger, live))


class Looking:
    """Looks whether the ledger holds of closed months what was reported of them."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        live: Callable[[], tuple[LedgerReading, Mapping[int, str]]],
        declared: bytes,
    ) -> None:
        """`live` reads the ledger without closed months, and says whose each origin is now.

        `declared` is all else that sums depend on. While it and the ledger's files are as they
        were, nothing is read.
        """
        self._ledger = ledger
        self._store = store
        self._live = live
        self._declared = declared

    def corrected(self, closed: Closed, now: datetime, *, recording: bool) -> Closed:
        """Return closed months with all that corrects them.

        What was not seen before is dated today and, if `recording`, recorded; another process may
        do it first.
        """
        if closing.last_look(self._store) == self._stamp(self._files(), closed):
            return closed
        reading, workflow_of = self._live()
        found = corrections(closed, reading, workflow_of, now.date())
        seen = replace(closed, corrections=(*closed.corrections, *found))
        if not recording:
            return seen
        if found:
            after = closed.entries
            current = lambda: _is_current(self._ledger, reading)  # noqa: E731
            if not closing.correct(self._store, found, after, now, current):
                return seen
            seen = replace(seen, entries=after + 1)
        closing.looked(self._store, self._stamp(reading.record_files, seen))
        return seen

    def _files(self) -> Collection[str]:
        return self._ledger.folder.record_files().keys()

    def _stamp(self, files: Collection[str], closed: Closed) -> str:
        names = "\n".join((*sorted(files), str(closed.entries)))
        return hashlib.sha256(names.encode() + b"\0" + self._declared).hexdigest()


def corrections(
    closed: Closed, live: LedgerReading, workflow_of: Mapping[int, str], today: date
) -> list[Fixed]:
    """Return what the ledger holds of closed months now and no report has shown, dated today.

    At the earliest on the day after the last closed month.
    """
    now = [row for span in closed.spans for row in rows_of(live, workflow_of, span)]
    day = max(today, *(month.end for month in closed.months))
    return [
        Fixed(origin, workflow, day, usage, month)
        for origin, workflow, month, usage in differences(now, closed)
    ]


def _is_current(ledger: Ledger, reading: LedgerReading) -> bool:
    """Return whether a reading has all files of the ledger."""
    return reading.record_files == ledger.folder.record_files().keys()


def _fixed(workflow: str) -> str:
    return NOBODY if workflow == UNATTRIBUTED else workflow
