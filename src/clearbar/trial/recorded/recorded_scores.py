"""Recorded scores: which tool scored what on which case, read from a table or another evaluator.

| column                          | holds                                                          |
|---------------------------------|----------------------------------------------------------------|
| `case`                          | the case's name                                                |
| `tool`                          | the tool's name                                                |
| `score`                         | a number in [0, 1], `true` or `false`                          |
| `cost_usd`                      | what asking cost; empty where it was not recorded              |
| `cluster`                       | what the case shares with others: one case of each is used     |
| `label`                         | the score by a person, which stands above `score`              |
| `category`                      | what kind of case it is: looked through for broken evidence    |
| `success`                       | `false` where asking failed                                    |
| `input_tokens`, `output_tokens` | what asking took                                               |

Other names of columns are told, never guessed. Rows that agree count once. Rows of one tool and
case that contradict each other are Problems, all of them: nothing says which is right. So the order
and the repetition of rows change nothing.

A row without a score that can be used still says that the tool was asked. To leave it out would
judge the tool by the cases that went well, so it is kept, apart from the others, as `unscored`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError, Problem, nearest
from clearbar.spend.files.entry import text
from clearbar.spend.files.quarantine import QuarantineError, quantity, usd
from clearbar.spend.files.source_file import open_source_file
from clearbar.trial.identity import digest_of
from clearbar.trial.recorded.recorded_score import RecordedScore
from clearbar.trial.table_rows import column_names, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from clearbar.spend.files.entry import Entry

MAX_ROWS: Final = 5_000_000
ROUNDING: Final = 1e-9
"""A score this near to 0 or 1 is one: sums and means of floats end beside it."""
_WORDS: Final = {"true": 1.0, "false": 0.0}
_WHOLE: Final = 2.0**53
_NO: Final = frozenset({"false", "0", "no"})
_YES: Final = frozenset({"", "true", "1", "yes"})
_TWICE_HINT: Final = "where it was asked several times, give each time a case of one cluster"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called in the file; one that is called nothing is not read."""

    case: str = "case"
    tool: str = "tool"
    score: str = "score"
    cost_usd: str = "cost_usd"
    cluster: str = "cluster"
    label: str = "label"
    category: str = "category"
    success: str = "success"
    input_tokens: str = "input_tokens"
    output_tokens: str = "output_tokens"

    @property
    def told(self) -> dict[str, str]:
        """What each is called, for those that have another name."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {ours: theirs for ours, theirs in named.items() if theirs and ours != theirs}


@dataclass(frozen=True, slots=True)
class RecordedScores:
    """What is recorded, one row for each tool and case."""

    rows: tuple[RecordedScore, ...]
    """Each has a score or a label, or its asking failed."""
    problems: tuple[Problem, ...]
    """Rows that were left out, and why."""
    unscored: tuple[RecordedScore, ...] = ()
    """One for each tool and case that was asked and whose score is not known: none stands there,
    none that can be, or several that contradict each other."""
    name: str = ""
    """Of the file."""

    @property
    def missing(self) -> dict[str, int]:
        """Tool -> how many cases of it are `unscored`."""
        return dict(Counter(row.tool for row in self.unscored))

    @property
    def digest(self) -> str:
        """The digest of what is recorded, in whatever order and however often."""
        return rows_digest((*self.rows, *self.unscored))


def read_recorded_scores(path: Path, columns: Columns | None = None) -> RecordedScores:
    """Return what a table holds: JSON Lines, JSON, CSV or Parquet by content, gzipped or not.

    Raises:
        ClearbarError: when the file is damaged or too large, or has not the columns.
    """
    names = columns or Columns()
    file = open_source_file(path)
    header = column_names(file)
    if header is not None:
        _check_columns(header, names, path.name)
    return gather(_read(table_rows(file), names, path.name), path.name)


def gather(rows: Iterable[RecordedScore | Problem], name: str) -> RecordedScores:
    """Return what the rows say together; those that cannot be used become Problems.

    Raises:
        ClearbarError: when there are too many.
    """
    found: dict[tuple[str, str], list[RecordedScore]] = {}
    lost: dict[tuple[str, str], list[RecordedScore]] = {}
    problems: list[Problem] = []
    for count, row in enumerate(rows):
        if count >= MAX_ROWS:
            raise ClearbarError(f"{name} has more than {MAX_ROWS:,} rows", "split it by workflow")
        if isinstance(row, Problem):
            problems.append(row)
            continue
        fault = _fault(row)
        if fault:
            problems.append(Problem(fault, line=row.line))
        into = lost if fault or row.status == "unscored" else found
        into.setdefault((row.case, row.tool), []).append(row)
    places = _places((*found.values(), *lost.values()))
    kept: list[RecordedScore] = []
    for key, same in found.items():
        if torn := _torn(same[0].case, places):
            problems += [Problem(torn, line=row.line) for row in same]
        elif len(same) > 1 and len({_said(row) for row in same}) > 1:
            what = "another row says something else of this tool and case"
            problems += [Problem(what, _TWICE_HINT, row.line) for row in same]
            lost[key] = same
        else:
            kept.append(same[0])
            lost.pop(key, None)
    problems.sort(key=lambda problem: problem.line or 0)
    unscored = (_unscored(same, places) for same in lost.values())
    whole = tuple(row for row in unscored if not _torn(row.case, places))
    return RecordedScores(tuple(kept), tuple(problems), whole, name)


def worth(row: RecordedScore) -> float | None:
    """Return what counts: the label where there is one, else the score."""
    return row.score if row.label is None else row.label


def rows_digest(rows: Iterable[RecordedScore]) -> str:
    """Return the digest of what the rows say; their order does not matter."""
    return digest_of("recorded scores", sorted(repr(_said(row)) for row in rows))


def _check_columns(header: list[str], columns: Columns, name: str) -> None:
    told = columns.told
    if not any(header):
        raise ClearbarError(f"{name} holds no table", "its first line names the columns")
    for ours in ("case", "tool", "score"):
        if (wanted := getattr(columns, ours)) not in header:
            raise ClearbarError(
                f'{name} has no column "{wanted}"',
                f"it has {', '.join(header)}: say which holds the {ours}",
            )
    for ours, theirs in told.items():
        if theirs not in header:
            close = nearest(theirs, header)
            raise ClearbarError(f'{name} has no column "{theirs}" for the {ours}.{close}')


def _read(
    rows: Iterable[Entry | Problem], columns: Columns, name: str
) -> Iterator[RecordedScore | Problem]:
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        for column, value in row.value.items():
            if isinstance(value, float) and math.isnan(value):
                row.value[column] = None  # how data frames write an empty cell
        try:
            yield _row(row.value, columns, name, row.number)
        except QuarantineError as error:
            yield error.problem(row.number)
            case, tool = (_text(row.value.get(name)) for name in (columns.case, columns.tool))
            if case and tool:
                yield RecordedScore(case, tool, None, line=row.number, status="unscored")


def _row(row: Mapping[str, Any], columns: Columns, name: str, number: int | None) -> RecordedScore:
    failed = _failed(row.get(columns.success), columns.success)
    return RecordedScore(
        case=_name(row, columns.case),
        tool=_name(row, columns.tool),
        score=_number(row.get(columns.score), columns.score),
        cost_usd=usd(row.get(columns.cost_usd), columns.cost_usd),
        cluster=_text(row.get(columns.cluster)) or None,
        label=_number(row.get(columns.label), columns.label),
        category=_text(row.get(columns.category)) or None,
        file=name,
        line=number,
        input_tokens=quantity(row.get(columns.input_tokens), columns.input_tokens),
        output_tokens=quantity(row.get(columns.output_tokens), columns.output_tokens),
        status="error" if failed else "ok",
    )


def _name(row: Mapping[str, Any], column: str) -> str:
    if name := _text(row.get(column)):
        return name
    raise QuarantineError(f"no {column}")


def _text(value: object) -> str:
    """Return a name as text; a whole number is the same however it is written: 1, 1.0."""
    if isinstance(value, float | Decimal) and abs(float(value)) < _WHOLE and value == int(value):
        return str(int(value))
    return text(repr(value) if isinstance(value, float) else value)


def _number(value: object, column: str) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        number = float(Decimal(str(value).strip()))
    except (InvalidOperation, ValueError):
        raise QuarantineError(f"{column} is not a number") from None
    nearest_end = 0.0 if number < 1 / 2 else 1.0
    return nearest_end if abs(number - nearest_end) <= ROUNDING else number


def _failed(value: object, column: str) -> bool:
    said = "" if value is None else str(value).strip().lower()
    if said in _NO:
        return True
    if said in _YES:
        return False
    raise QuarantineError(f"{column} is neither true nor false")


def _fault(row: RecordedScore) -> str:
    for name, value in (("score", row.score), ("label", row.label)):
        if value is not None and not 0 <= value <= 1:
            return f"{name} is not from 0 to 1"
    return "no score" if worth(row) is None and row.status == "ok" else ""


def _places(groups: Iterable[list[RecordedScore]]) -> dict[tuple[str, str], set[str]]:
    """Return the clusters and the categories into which rows put each case."""
    places: dict[tuple[str, str], set[str]] = {}
    for rows in groups:
        for row in rows:
            for kind, place in (("cluster", row.cluster), ("category", row.category)):
                if place is not None:
                    places.setdefault((row.case, kind), set()).add(place)
    return places


def _torn(case: str, places: Mapping[tuple[str, str], set[str]]) -> str:
    """Return what is wrong with a case that rows put into several places; empty where nothing."""
    for kind in ("cluster", "category"):
        if len(places.get((case, kind), ())) > 1:
            return f"another row puts this case into another {kind}"
    return ""


def _unscored(
    same: list[RecordedScore], places: Mapping[tuple[str, str], set[str]]
) -> RecordedScore:
    """Return what is left of rows without a usable score; the same in whatever order they come."""
    case, tool = same[0].case, same[0].tool
    return RecordedScore(
        case,
        tool,
        None,
        cluster=min(places.get((case, "cluster"), ()), default=None),
        category=min(places.get((case, "category"), ()), default=None),
        file=same[0].file,
        line=min((row.line for row in same if row.line is not None), default=None),
        status="unscored",
    )


def _said(row: RecordedScore) -> tuple[object, ...]:
    return (
        row.case,
        row.tool,
        row.score,
        row.cost_usd,
        row.cluster,
        row.label,
        row.category,
        row.input_tokens,
        row.output_tokens,
        row.status,
    )
