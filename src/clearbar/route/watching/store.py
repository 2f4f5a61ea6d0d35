"""Samples and alarms in the store of small facts: appended, never edited, and never a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from clearbar.route.journal.seen_calls import seen_calls
from clearbar.route.route import Alarm
from clearbar.route.watching.sample import Sample
from clearbar.trial.stored_time import time, time_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from clearbar.core.store import Store
    from clearbar.route.journal.seen_calls import SeenCall
    from clearbar.route.watching.sample import Watched

_KEPT = (
    "workflow, tool, old_tool, at, probability, score, by_old, difference, same, ill_formed, "
    "characters"
)


class StoredAlarm(NamedTuple):
    """An alarm with the numbers on which it rests."""

    alarm: Alarm
    certificate_id: str
    graded: int
    statistic: float
    threshold: float
    sample_id: int


def keep(store: Store, samples: Iterable[Sample]) -> None:
    """Append samples, durably, in one commit."""
    rows = [
        (
            each.workflow,
            each.tool,
            each.old_tool,
            time_text(each.at),
            each.probability,
            each.score,
            each.by_old,
            each.difference,
            each.same,
            each.ill_formed,
            each.characters,
        )
        for each in samples
    ]
    with store.transaction() as connection:
        connection.executemany(
            f"INSERT INTO shadow_sample ({_KEPT})"  # noqa: S608 - a constant
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


def samples(
    store: Store, workflow: str, tool: str, since: datetime, after: int = 0
) -> list[Sample]:
    """Return the samples of a routed tool in the order in which they were stored.

    `since`: none that was drawn before; `after`: none with that id or a lower one.
    """
    rows = store.rows(
        f"SELECT sample_id, {_KEPT} FROM shadow_sample"  # noqa: S608 - a constant
        " WHERE workflow = ? AND tool = ? AND sample_id > ? AND at >= ? ORDER BY sample_id",
        workflow,
        tool,
        after,
        time_text(since),
    )
    return [_sample(row) for row in rows]


def calls(store: Store, watched: Watched, after: int = 0) -> Iterable[SeenCall]:
    """Return the calls that were drawn of a watched tool since its certificate, in their order."""
    since_us = int(watched.decided_at.timestamp() * 1e6)
    return seen_calls(store, watched.workflow, watched.called, since_us, after)


def raise_within(connection: sqlite3.Connection, found: StoredAlarm) -> bool:
    """Keep an alarm inside a transaction; False where it is known already."""
    alarm = found.alarm
    done = connection.execute(
        "INSERT OR IGNORE INTO drift_alarm (workflow, tool, certificate_id, at, what, graded,"
        " statistic, threshold, sample_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            alarm.workflow,
            alarm.tool,
            found.certificate_id,
            time_text(alarm.at),
            alarm.what,
            found.graded,
            found.statistic,
            found.threshold,
            found.sample_id,
        ),
    )
    return done.rowcount == 1


def all_alarms(store: Store) -> list[StoredAlarm]:
    """Return every alarm that ever was, oldest first."""
    rows = store.rows(
        "SELECT workflow, tool, at, what, certificate_id, graded, statistic, threshold, sample_id"
        " FROM drift_alarm ORDER BY alarm_id"
    )
    return [_alarm(row) for row in rows]


def alarms(store: Store) -> dict[str, Alarm]:
    """Return the alarms that stand, by workflow: a newer certificate of the workflow ends them."""
    rows = store.rows(
        "SELECT workflow, tool, at, what, certificate_id, graded, statistic, threshold, sample_id"
        " FROM drift_alarm WHERE NOT EXISTS (SELECT 1 FROM certificate"
        " WHERE certificate.workflow = drift_alarm.workflow AND decided_at > drift_alarm.at)"
        " ORDER BY alarm_id"
    )
    return {found.alarm.workflow: found.alarm for found in map(_alarm, rows)}


def _sample(row: tuple[object, ...]) -> Sample:
    values = cast(
        "tuple[int, str, str, str, str, float, float | None, int, float | None, int | None, int,"
        " int]",
        row,
    )
    number, workflow, tool, old_tool, at, probability, score, by_old, difference, *rest = values
    same, ill_formed, characters = rest
    return Sample(
        workflow,
        tool,
        old_tool,
        time(at),
        probability,
        score,
        bool(by_old),
        difference,
        None if same is None else bool(same),
        bool(ill_formed),
        cast("int", characters),
        number,
    )


def _alarm(row: tuple[object, ...]) -> StoredAlarm:
    workflow, tool, at, what, certificate, graded, statistic, threshold, sample = cast(
        "tuple[str, str, str, str, str, int, float, float, int]", row
    )
    alarm = Alarm(workflow, tool, time(at), what)
    return StoredAlarm(alarm, certificate, graded, statistic, threshold, sample)
