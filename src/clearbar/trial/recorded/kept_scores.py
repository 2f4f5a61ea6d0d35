"""Imported scores in the store: cases that a tool was asked already, of which a trial buys none.

Only rows with a score are kept: what failed elsewhere is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.trial.recorded.recorded_score import RecordedScore
from clearbar.trial.recorded.recorded_scores import worth
from clearbar.trial.stored_money import money, money_text
from clearbar.trial.stored_time import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from clearbar.core.store import Store

    Recorded = Mapping[tuple[str, str], RecordedScore]
    """(tool, case) -> what was recorded."""


def keep(store: Store, workflow: str, rows: Iterable[RecordedScore], at: datetime) -> None:
    """Write down what the rows say; durable on return."""
    values = [
        (workflow, row.tool, row.case, score, money_text(row.cost_usd), time_text(at))
        for row in rows
        if row.status == "ok" and (score := worth(row)) is not None
    ]
    with store.transaction() as connection:
        connection.executemany(
            "INSERT INTO recorded_score (workflow, tool, case_id, score, cost_usd, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )


def kept(store: Store, workflow: str) -> dict[tuple[str, str], RecordedScore]:
    """Return the newest score of each tool and case of a workflow."""
    rows = store.rows(
        "SELECT tool, case_id, score, cost_usd FROM recorded_score WHERE workflow = ?"
        " ORDER BY entry",
        workflow,
    )
    return {
        (str(tool), str(case)): RecordedScore(
            str(case),
            str(tool),
            float(str(score)),
            cost_usd=money(None if cost is None else str(cost)),
        )
        for tool, case, score, cost in rows
    }
