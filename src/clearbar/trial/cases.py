"""The cases of a workflow: read from a file, then split and put into an order that stays.

| column                     | holds                                                            |
|----------------------------|------------------------------------------------------------------|
| `input`                    | what is asked; a JSON value is written out as JSON               |
| `id`                       | the case's own name; without it, a digest of input and reference |
| `reference`                | the right answer, or what the grader needs to know of it         |
| `cluster`                  | what it shares with others: a document, a user, a thread         |
| `at`                       | when it was asked in real life: ISO 8601 or seconds since 1970   |
| `answers`, `answer.TOOL`   | answers already logged: a table of tool -> answer, or one column |

JSON Lines, JSON, CSV or Parquet, by content, gzipped or not. In CSV an empty cell is no value.
A row that cannot be read is a Problem and the rest goes on. Rows that agree are one case, and rows
that differ only in which tools answered are one case with all these answers. Rows of one id that
contradict each other are Problems, all of them: nothing says which is right. So the order and the
repetition of rows change nothing.

A case is one draw from the workflow's traffic. Where the same text came in twice and both are to
count, give ids.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import open_source_file
from clearbar.trial.case_rows import case_of, digest
from clearbar.trial.table_rows import column_names, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from clearbar.spend.files.entry import Entry
    from clearbar.trial.trial import Case

MAX_CASES: Final = 1_000_000
MAX_TOTAL_CHARACTERS: Final = 1 << 29

_COLUMNS_HINT: Final = "name the columns input, id, reference, cluster, at, answers"
_TWO_64: Final = 1 << 64


class CasesRead(NamedTuple):
    """What a file of cases holds."""

    cases: tuple[Case, ...]
    """In the order of the file."""
    problems: tuple[Problem, ...]
    """Rows that were left out, and why."""
    digest: str


@dataclass(frozen=True, slots=True)
class Split:
    """Cases to learn from and cases to certify with; they share no cluster."""

    train: tuple[Case, ...]
    """Whole clusters, every case of them."""
    certify: tuple[Case, ...]
    """One case of each cluster, in the order in which they are asked."""


def read_cases(path: Path) -> CasesRead:
    """Return the cases of a file.

    Raises:
        ClearbarError: when it is damaged, has no column `input`, or is too large.
    """
    file = open_source_file(path)
    columns = column_names(file)
    if columns is not None and "input" not in columns:
        raise ClearbarError(f"{path.name} has no column input", _COLUMNS_HINT)
    gathered = _Gathered(path.name)
    for row in table_rows(file):
        if isinstance(row, Problem):
            gathered.problems.append(row)
        else:
            gathered.add(row, path.name, csv=columns is not None)
    return gathered.read()


def split(cases: Iterable[Case], seed: int, train_share: float = 0.0) -> Split:
    """Return the folds, each in an order that depends on the seed and the ids alone.

    A cluster (a case without one is its own) goes to a fold by the hash of its name: neither the
    seed nor other cases move it, and a larger share takes in the smaller one's. So a classifier
    trained with a share is never certified on its own cases by a trial with that share or a larger
    one. Cases that are added later do not change the order of the others.
    """
    clusters: dict[str, list[Case]] = {}
    for case in cases:
        clusters.setdefault(cluster_of(case), []).append(case)
    train: list[Case] = []
    certify: list[Case] = []
    for name, members in sorted(clusters.items(), key=lambda item: _rank(seed, "order", item[0])):
        members.sort(key=lambda case: _rank(seed, "member", case.id))
        if _rank(0, "fold", name) < train_share * _TWO_64:
            train += members
        else:
            certify.append(members[0])
    return Split(tuple(train), tuple(certify))


def cluster_of(case: Case) -> str:
    """Return the name of what the case shares with others; of one that shares nothing, its own."""
    return f"case\x1f{case.id}" if case.cluster is None else f"cluster\x1f{case.cluster}"


def case_digest(case: Case) -> str:
    """Return the digest of what a case says: id, input, reference, cluster and logged answers."""
    answers = sorted(case.answers.items())
    return digest([case.id, case.input, case.reference, case.cluster, answers])


def cases_digest(cases: Iterable[Case]) -> str:
    """Return the digest of all cases; their order and their place in a file do not matter."""
    return digest(sorted(case_digest(case) for case in cases))


def _rank(seed: int, use: str, name: str) -> int:
    """Return a number below 2**64 that is as good as random, and always the same."""
    key = f"{use}\x1f{seed}\x1f{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big")


class _Gathered:
    """Cases by id while a file is read."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._cases: dict[str, Case] = {}
        self._contradicted: set[str] = set()
        self._characters = 0
        self.problems: list[Problem] = []

    def add(self, row: Entry, file: str, *, csv: bool) -> None:
        try:
            case = case_of(row, file, csv=csv)
        except QuarantineError as error:
            self.problems.append(error.problem(row.number))
            return
        self._check_size(case)
        before = self._cases.get(case.id)
        if before is None:
            self._cases[case.id] = case
        elif (both := _joined(before, case)) is not None:
            self._cases[case.id] = both
        else:
            self._contradicted.add(case.id)
            self._contradiction(case)

    def _check_size(self, case: Case) -> None:
        self._characters += len(case.input) + len(case.reference or "")
        self._characters += sum(map(len, case.answers.values()))
        if len(self._cases) >= MAX_CASES or self._characters > MAX_TOTAL_CHARACTERS:
            raise ClearbarError(
                f"{self._file} holds more cases than a trial can take",
                f"draw a random sample of it; {MAX_CASES:,} cases are the most",
            )

    def _contradiction(self, case: Case) -> None:
        self.problems.append(
            Problem(
                "its id also stands for another input, reference, cluster or answer",
                "give each case its own id; none of these rows was taken",
                case.line,
            )
        )

    def read(self) -> CasesRead:
        for case_id in sorted(self._contradicted):
            self._contradiction(self._cases.pop(case_id))
        cases = tuple(self._cases.values())
        problems = sorted(self.problems, key=lambda problem: problem.line or 0)
        return CasesRead(cases, tuple(problems), cases_digest(cases))


def _joined(one: Case, other: Case) -> Case | None:
    """Return the one case that two rows tell of; None where they contradict each other."""
    if (one.input, one.reference, one.cluster) != (other.input, other.reference, other.cluster):
        return None
    if any(other.answers.get(tool, answer) != answer for tool, answer in one.answers.items()):
        return None
    at = min((moment for moment in (one.at, other.at) if moment), default=None)
    return replace(one, answers={**one.answers, **other.answers}, at=at)


def days_of(cases: Sequence[Case]) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment of the cases; None where none tells its own."""
    moments = [case.at for case in cases if case.at is not None]
    return (min(moments), max(moments)) if moments else None
