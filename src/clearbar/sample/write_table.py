"""A vendor's billing export as CSV, one file a month; clearbar.toml says what its columns mean.

Each month's export begins with the last day of the month before, so that neighbours overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.sample.exports import MONTHS, exported
from clearbar.sample.text_files import csv_line, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearbar.sample.calls import Call

_COLUMNS: Final[tuple[str, ...]] = (
    "Request ID",
    "Timestamp",
    "Workspace",
    "Model",
    "Prompt Tokens",
    "Completion Tokens",
    "Amount (USD)",
)


def write_table(folder: Path, calls: Iterable[Call]) -> int:
    """Write the monthly exports below `folder`; return how many rows in them are broken."""
    in_order = sorted(calls, key=lambda call: call.started_at)
    broken = ("pending", "not yet known", *_cells(in_order[-1])[2:])
    for month in MONTHS:
        rows = [_cells(call) for call in exported(in_order, month)]
        rows += [broken] if month == MONTHS[-1] else []
        write_lines(folder / f"mistral-{month:%Y-%m}.csv", map(csv_line, [_COLUMNS, *rows]))
    return 1


def _cells(call: Call) -> tuple[str, ...]:
    return (
        call.call_id,
        f"{call.started_at:%Y-%m-%dT%H:%M:%S}Z",
        call.story.origin["project"],
        call.step.model.name,
        str(call.tokens.fresh),
        str(call.tokens.output),
        f"{call.cost_usd:f}",
    )
