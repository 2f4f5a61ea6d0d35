"""What workflows produced: append, and sum by day.

An outcome is never edited: another score of the same task is another line. A task counts once, by
its latest score, on the UTC day of that score; of two scores of the same instant the one with the
greater outcome_id counts, so that the order of reading decides nothing. A failure is an outcome
with a score of 0: it stays in the denominator.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from clearbar.core.errors import ClearbarError, LedgerError, Problem
from clearbar.core.money import plain
from clearbar.core.period import ALL, Period
from clearbar.own.outcome import DailyOutcomes, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.core.store import Store

_BATCH: Final = 50_000
_Row = tuple[str, str, float, str | None, int]
_DIGITS: Final = 60
"""Enough that no sum of money is rounded."""

_APPEND: Final = """
INSERT INTO outcome (outcome_id, workflow, task_id, scored_at, score, worth_usd, said_by,
                     uri, line, recorded_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (outcome_id) DO NOTHING
"""

_DAILY: Final = """
SELECT workflow, substr(scored_at, 1, 10) AS day, score, worth_usd, count(*)
FROM outcome AS this
WHERE scored_at >= ? AND scored_at < ? AND NOT EXISTS (
  SELECT 1 FROM outcome AS later
  WHERE later.workflow = this.workflow AND later.task_id = this.task_id
    AND later.scored_at >= this.scored_at AND later.scored_at < ?
    AND (later.scored_at > this.scored_at OR later.outcome_id > this.outcome_id))
GROUP BY workflow, day, score, worth_usd
"""


class Appended(NamedTuple):
    """How many outcomes were new, and how many the store already knew."""

    new: int
    known: int


@dataclass(slots=True)
class _Sums:
    """What one workflow's day adds up to so far; exact, as each score is a short decimal."""

    outcomes: int = 0
    good: Decimal = Decimal(0)
    worth_usd: Decimal | None = None
    good_without_worth: Decimal = Decimal(0)

    def add(self, score: float, worth_usd: str | None, count: int) -> None:
        good = Decimal(repr(score)) * count
        self.outcomes += count
        self.good += good
        if worth_usd is None:
            self.good_without_worth += good
        else:
            self.worth_usd = (self.worth_usd or Decimal(0)) + good * Decimal(worth_usd)


def append(store: Store, outcomes: Iterable[Outcome], now: datetime) -> Appended:
    """Store the outcomes that are not there yet; each batch is durable when the next one begins."""
    new = known = 0
    remaining = iter(outcomes)
    while batch := list(islice(remaining, _BATCH)):
        added = _append_batch(store, batch, now.astimezone(UTC).isoformat())
        new, known = new + added, known + len(batch) - added
    return Appended(new, known)


def daily(store: Store, period: Period, as_of: date | None = None) -> list[DailyOutcomes]:
    """Return the sums of each workflow's days with outcomes, ordered by workflow and day.

    A task counts once, on the day of its latest score. Scores given on `as_of` or later do not
    replace earlier ones, so that the past stays what it was; None lets all of them.
    """
    known_by = ALL.end if as_of is None else max(as_of, period.end)
    found = sorted(_sums(store, period, known_by).items(), key=itemgetter(0))
    return [
        DailyOutcomes(
            workflow,
            date.fromisoformat(day),
            sums.outcomes,
            float(sums.good),
            sums.worth_usd,
            sums.good_without_worth,
        )
        for (workflow, day), sums in found
    ]


def verify(store: Store) -> list[Problem]:
    """Return the outcomes that no longer say what their id was made of: they were edited."""
    said = (
        "SELECT outcome_id, workflow, task_id, score, scored_at, said_by, worth_usd"
        " FROM outcome ORDER BY workflow, task_id, scored_at, outcome_id"
    )
    try:
        rows = store.rows(said)
    except LedgerError as error:
        return [Problem(error.message, error.hint)]
    return [
        Problem(
            f"an outcome of {workflow} does not have its id: it was edited",
            "restore the workspace from a backup, and ask who writes to its files",
        )
        for outcome_id, workflow, *more in rows
        if not _is_as_said(outcome_id, workflow, *more)
    ]


def _is_as_said(outcome_id: object, *said: Any) -> bool:
    workflow, task_id, score, scored_at, said_by, worth_usd = said
    try:
        worth = None if worth_usd is None else Decimal(worth_usd)
        when = datetime.fromisoformat(scored_at)
        return Outcome(workflow, task_id, score, when, said_by, worth).outcome_id == outcome_id
    except (ClearbarError, ValueError, ArithmeticError):
        return False


def _sums(store: Store, period: Period, known_by: date) -> dict[tuple[str, str], _Sums]:
    sums: defaultdict[tuple[str, str], _Sums] = defaultdict(_Sums)
    days = (day.isoformat() for day in (period.start, period.end, known_by))
    with localcontext(prec=_DIGITS):
        for row in store.rows(_DAILY, *days):
            workflow, day, score, worth_usd, count = cast("_Row", row)
            sums[workflow, day].add(score, worth_usd, count)
    return sums


def _append_batch(store: Store, batch: list[Outcome], recorded_at: str) -> int:
    rows = [
        (
            outcome.outcome_id,
            outcome.workflow,
            outcome.task_id,
            outcome.scored_at_text,
            float(outcome.score),
            None if outcome.worth_usd is None else plain(outcome.worth_usd),
            outcome.said_by,
            outcome.uri,
            outcome.line,
            recorded_at,
        )
        for outcome in batch
    ]
    with store.transaction() as connection:
        before = connection.total_changes
        connection.executemany(_APPEND, rows)
        return connection.total_changes - before
