"""Outcomes in files: CSV with a header, or JSON objects; either may be gzipped.

| column                | holds                                                                |
|-----------------------|----------------------------------------------------------------------|
| `workflow`            | the workflow's name                                                  |
| `task_id`             | what was scored; of one task's scores the latest counts              |
| `score`               | a number in [0, 1], `true` or `false`                                |
| `scored_at` or `at`   | ISO 8601 or seconds since 1970; without a zone, or a bare day, UTC   |
| `said_by` or `source` | who gave the score; without it, the file's name                      |
| `worth_usd`           | worth of a full success; without it, the workflow's                  |

Other columns are not read. Never here: guessing; a row that cannot be read is a Problem.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, Problem
from clearbar.own.outcome import Outcome
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Entry, text
from clearbar.spend.files.json_records import entries
from clearbar.spend.files.quarantine import QuarantineError, usd
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from clearbar.spend.files.source_file import SourceFile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REQUIRED: Final = (("workflow",), ("task_id",), ("score",), ("scored_at", "at"))
_WORDS: Final = {"true": 1.0, "false": 0.0}
_COLUMNS_HINT: Final = "name the columns workflow, task_id, score, scored_at, said_by, worth_usd"


def read_outcomes(path: Path) -> Iterator[Outcome | Problem]:
    """Yield what a file says, in its order; what cannot be read is a Problem with its line."""
    try:
        file = open_source_file(path)
        for entry in _entries(file):
            yield _outcome(entry, path) if isinstance(entry, Entry) else entry
    except UnreadableFile as error:
        yield Problem(error.message, error.hint or "restore the file, then read it again")


def _entries(file: SourceFile) -> Iterator[Entry | Problem]:
    if file.head.lstrip()[:1] in {b"{", b"["}:
        yield from entries(file)
    elif missing := _missing_columns(csv_header(file.head)):
        yield Problem(f"no column {', '.join(missing)}", _COLUMNS_HINT, 1)
    else:
        yield from csv_rows(file)


def _missing_columns(columns: list[str]) -> list[str]:
    return [" or ".join(names) for names in _REQUIRED if not set(names) & set(columns)]


def _outcome(entry: Entry, path: Path) -> Outcome | Problem:
    row = entry.value
    if not isinstance(row, dict):
        return Problem("not a JSON object", "write one object for each outcome", entry.number)
    try:
        return Outcome(
            workflow=_text(row, "workflow"),
            task_id=_text(row, "task_id"),
            score=_score(row.get("score")),
            scored_at=_EPOCH + timedelta(microseconds=_moment_us(row)),
            said_by=_text(row, "said_by", "source") or path.name,
            worth_usd=usd(row.get("worth_usd"), "worth_usd"),
            uri=str(path),
            line=entry.number,
        )
    except QuarantineError as error:
        return error.problem(entry.number)
    except ClearbarError as error:
        return Problem(error.message, error.hint, entry.number)


def _text(row: Mapping[str, object], *columns: str) -> str:
    found = next((said for column in columns if (said := text(row.get(column)))), "")
    if "\N{REPLACEMENT CHARACTER}" in found:
        raise ClearbarError(f"{columns[0]} is not UTF-8 text", "save the file as UTF-8")
    return found


def _moment_us(row: Mapping[str, object]) -> int:
    return moment_us(row.get("scored_at") or row.get("at"), "scored_at")


def _score(value: object) -> float:
    said = str(value).strip().lower()
    try:
        return _WORDS[said] if said in _WORDS else float(said)
    except ValueError:
        raise ClearbarError(
            "the score is no number", "write a number in [0, 1], true or false"
        ) from None
