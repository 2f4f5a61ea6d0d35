"""The nouns of reconciling: what is told of some days, what is told twice, what no call tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import Origin, label_text
from clearbar.spend.prices.planned_lines import AGREED_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.spend.usage import Usage

_DATED: Final = re.compile(r"[-@](20\d{2}-\d{2}-\d{2}|20\d{6})$")

RESIDUAL: Final = "bill-residual"
"""The source of the line that says what a bill has beyond, or short of, all that was logged."""
LINE_NAMES: Final = {
    **AGREED_NAMES,
    RESIDUAL: "(billed, not logged)",
    "bill-tax": "(tax)",
    "bill-credit": "(credits)",
    "bill-purchase": "(purchases)",
    "bill-adjustment": "(adjustments)",
}
"""Source of a line that no call tells of -> its name in reports. Such lines are nobody's."""


@dataclass(frozen=True, slots=True)
class Told:
    """What records of one kind say of a day: calls, a provider's aggregates, lines of a bill."""

    key: int
    """The id of the origin; of calls, which are gathered by what matters here, any number."""
    origin: Origin
    grain: str
    day: date
    usage: Usage
    days: int = 1
    """How many days it is of, from `day` on."""
    width_minutes: int = 0
    """Of an aggregate: how long each bucket is."""
    span: tuple[int, int] | None = None
    """Of an aggregate of less than a day: from which minute of it, in UTC, to which its bucket is;
    None where no other grouping tells of such."""
    context: str = ""
    """Of an aggregate: by which other dimensions it is grouped, such as tier and place."""
    uri: str = ""
    """Of an aggregate: the file that says it."""
    category: str = "usage"
    """Of a line of a bill, as in FOCUS."""
    unpriced_lines: int = 0
    """Of lines of a bill: how many have no known amount; `usage` holds nothing of these."""

    @property
    def until(self) -> date:
        """The first day after it."""
        return day_after(self.day, self.days)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """By what accounts of one call can be told apart; empty is not known."""
        told = self.origin
        return told.account, told.project, told.credential, told.principal, model_scope(told.model)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What to take off an origin's aggregate on a day, because something else tells of it too."""

    origin_id: int
    day: date
    usage: Usage
    """Negative."""


@dataclass(frozen=True, slots=True)
class Line:
    """Money, and what it bought, that no call tells of: part of every sum, and nobody's."""

    origin: Origin
    """Its `source` is one of `LINE_NAMES`."""
    day: date
    """Of a line of several days the first."""
    usage: Usage


@lru_cache(maxsize=10_000)
def model_scope(model: str) -> str:
    """Return a model without a release date: what an aggregate and a log agree on."""
    return _DATED.sub("", model)


def day_after(day: date, days: int) -> date:
    """Return the first day after some days; the calendar's last day where it ends before."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def line_origin(source: str, provider: str, account: str, day: date, days: int) -> Origin:
    """Return the origin of a line; one of several days says of which."""
    until = day_after(day, days)
    labels = {"days": f"{day}..{until}"} if days > 1 else {}
    return Origin(source=source, provider=provider, account=account, labels=label_text(labels))


def spans(days: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Return half-open spans of days, joined where they overlap, in order."""
    joined: list[tuple[date, date]] = []
    for start, end in sorted(days):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
