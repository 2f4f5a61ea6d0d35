"""The nouns of closed months: what was reported stays; later changes correct a later month."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from clearbar.core.period import Period, month_of
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from clearbar.spend.charge import Origin

NOBODY: Final = ""
"""The workflow of what no rule took."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Usage whose workflow is settled: of a closed month, or what corrects one."""

    origin: Origin
    workflow: str
    """`NOBODY` for what no rule took."""
    day: date
    """The UTC day that it is reported on: of a correction, the day on which it was seen."""
    usage: Usage
    month: str = ""
    """Of a correction: the closed month, such as 2026-10, whose sums were other; else empty."""

    @property
    def key(self) -> tuple[Origin, str]:
        """Whose it is."""
        return self.origin, self.workflow


@dataclass(frozen=True)
class Closed:
    """All that closed months fix."""

    months: tuple[Period, ...] = ()
    """In order."""
    rows: tuple[Fixed, ...] = ()
    corrections: tuple[Fixed, ...] = ()
    overlaps: tuple[tuple[date, Usage], ...] = ()
    """What was told of twice and counted once."""
    entries: int = 0
    """How many closings and corrections were recorded."""

    def __contains__(self, day: date) -> bool:
        return any(day in span for span in self.spans)

    @cached_property
    def spans(self) -> tuple[Period, ...]:
        """The closed months, joined where one follows the other."""
        joined: list[Period] = []
        for month in sorted(self.months, key=lambda each: each.start):
            if joined and joined[-1].end == month.start:
                joined[-1] = Period(joined[-1].start, month.end)
            else:
                joined.append(month)
        return tuple(joined)


def month_name(month: Period) -> str:
    """Return a calendar month as people write it: 2026-10."""
    return f"{month.start:%Y-%m}"


def differences(now: Iterable[Fixed], closed: Closed) -> list[tuple[Origin, str, str, Usage]]:
    """Return origin, workflow, month and usage that the ledger holds now and no report has shown.

    `now` are the rows of the closed months as they would be reported today. In a stable order.
    """
    found: dict[tuple[Origin, str, str], Usage] = defaultdict(Usage)
    for row in now:
        found[*row.key, month_name(month_of(row.day))] += row.usage
    for row in closed.rows:
        found[*row.key, month_name(month_of(row.day))] += -row.usage
    for row in closed.corrections:
        found[*row.key, row.month] += -row.usage
    changed = {key: usage for key, usage in found.items() if usage != Usage()}
    return [(*key, changed[key]) for key in sorted(changed, key=_order)]


def fixed_ids(rows: Iterable[Fixed]) -> Mapping[tuple[Origin, str], int]:
    """Return an id for each origin with its workflow: another than the origin's own."""
    return {key: _fixed_id(*key) for key in dict.fromkeys(row.key for row in rows)}


def _fixed_id(origin: Origin, workflow: str) -> int:
    digest = hashlib.sha256(f"{origin.origin_id}\n{workflow}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _order(key: tuple[Origin, str, str]) -> tuple[str, str, int]:
    origin, workflow, month = key
    return month, workflow, origin.origin_id
