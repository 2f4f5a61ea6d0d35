"""The results of other evaluators, one file a format. None prices, stores or decides.

Each reader knows its format by its content, yields a score for each sample, and says in its
docstring what is easily misread. What is no evaluator's file is a plain table of scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from clearbar.spend.files.source_file import open_source_file
from clearbar.trial.recorded.evaluation import Choice, merge_repeats
from clearbar.trial.recorded.evaluators import (
    deepeval,
    inspect_ai,
    lm_evaluation_harness,
    openai_evals,
    promptfoo,
)
from clearbar.trial.recorded.recorded_scores import gather, read_recorded_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.recorded.recorded_scores import Columns, RecordedScores


class Evaluator(Protocol):
    """A module that knows one format; its docstring describes the format and its traps."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """How the evaluator is called everywhere."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802 - a module's constant
        """What it reads, for people."""
        ...

    @property
    def WHERE(self) -> str:  # noqa: N802 - a module's constant
        """Where its files are found."""
        ...

    def recognises(self, file: SourceFile) -> bool:
        """Return whether the file is of this format, judging by its content."""
        ...

    def read(self, file: SourceFile, choice: Choice) -> Iterator[RecordedScore | Problem]:
        """Yield what the file tells, and what of it cannot be used."""
        ...


EVALUATORS: Final[tuple[Evaluator, ...]] = (
    inspect_ai,
    lm_evaluation_harness,
    openai_evals,
    promptfoo,
    deepeval,
)
"""The first that recognises a file reads it."""


def evaluator_of(file: SourceFile) -> Evaluator | None:
    """Return who reads the file; None where it is nobody's, perhaps a plain table."""
    return next((each for each in EVALUATORS if each.recognises(file)), None)


def read_evaluations(
    paths: Sequence[Path], choice: Choice | None = None, columns: Columns | None = None
) -> RecordedScores:
    """Return the scores of some files of evaluators together, or those of one plain table.

    Most evaluators write a file for each tool: give those that are to be compared at once. Where a
    tool was asked a case several times, the mean is its score.

    Raises:
        ClearbarError: when a file is damaged, or leaves open what `choice` does not say.
    """
    files = [open_source_file(path) for path in paths]
    if len(files) == 1 and evaluator_of(files[0]) is None:
        return read_recorded_scores(paths[0], columns)
    name = ", ".join(path.name for path in paths)
    return gather(merge_repeats(_all(files, choice or Choice())), name)


def _all(files: list[SourceFile], choice: Choice) -> Iterator[RecordedScore | Problem]:
    for file in files:
        evaluator = evaluator_of(file)
        if evaluator is None:
            table = read_recorded_scores(file.path)
            yield from table.problems
            yield from table.rows
            yield from table.unscored
        else:
            yield from evaluator.read(file, choice)
