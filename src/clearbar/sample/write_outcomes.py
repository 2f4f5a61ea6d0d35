"""What the workflows produced: one file of scored tasks each, as CSV or as JSON lines.

A file may say the same twice, and a task may be scored again: the later score is the one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.sample.text_files import csv_line, json_line, write_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.sample.calls import Outcome

_COLUMNS: Final = ("workflow", "task_id", "score", "scored_at", "said_by")
_AS_JSON: Final = ("coding-assistant", "regulated-letters")
_SAID_TWICE: Final = 5
_BROKEN_IN: Final = "sales-outreach"


def write_outcomes(folder: Path, workflow: str, outcomes: Sequence[Outcome]) -> int:
    """Write a workflow's outcomes; return how many lines in the file are broken."""
    if not outcomes:
        return 0
    rows = [_row(outcome) for outcome in outcomes]
    rows += rows[-_SAID_TWICE:]
    broken = [rows[-1] | {"task_id": f"{workflow}-broken", "score": "1.7"}]
    rows += broken if workflow == _BROKEN_IN else []
    if workflow in _AS_JSON:
        numbers = (row | {"score": float(row["score"])} for row in rows)
        write_lines(folder / f"{workflow}.jsonl", map(json_line, numbers))
    else:
        table = [_COLUMNS, *(tuple(row.values()) for row in rows)]
        write_lines(folder / f"{workflow}.csv", map(csv_line, table))
    return int(workflow == _BROKEN_IN)


def _row(outcome: Outcome) -> dict[str, str]:
    results = outcome.story.results
    values = (
        outcome.story.name,
        outcome.task_id,
        str(outcome.score),
        f"{outcome.scored_at:%Y-%m-%dT%H:%M:%S}Z",
        results.said_by if results else "",
    )
    return dict(zip(_COLUMNS, values, strict=True))
