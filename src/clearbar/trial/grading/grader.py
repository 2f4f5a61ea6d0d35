"""What scores the answers of a trial, whatever its kind.

`compared_graders.py` has those that compare with a reference, `outside_graders.py` commands,
callables, judges and people; `declared_grader.py` makes the one that is declared.

A grader has a canonical text of its kind and settings, which is part of a certificate's identity.
Its `canonical` form of answers is what decides whether two answers are the same: answers of one
canonical form have one score, whatever the reference, so that comparing them needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.core.errors import Problem
    from clearbar.tools.tool import Answer, Failure, Request, Tool
    from clearbar.trial.trial import Case


@dataclass(frozen=True, slots=True)
class Grade:
    """What one answer was worth."""

    score: float
    """In [0, 1]."""
    flagged: bool = False
    """A judge rejected it: people look at all of these."""
    call: Answer | None = None
    """The judge's own answer, which cost money: its usage, latency and upstream id."""
    judge: str = ""
    """The tool that judged; empty where none did."""


class UngradedError(Exception):
    """An answer that could not be graded: nothing is known of its score.

    `what` never quotes the answer.
    """

    def __init__(self, what: str, *, retry: bool = False, failure: Failure | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry = retry
        """Whether grading it again may help."""
        self.failure = failure
        """The judge's, which may have cost money."""
        self.call: Answer | None = None
        """The judge's answer, where it came and said no verdict."""


class LabelWantedError(UngradedError):
    """Only a person can grade this answer, and none has yet."""


class Asker(Protocol):
    """Whoever asks tools: `tools.call.Caller`, or what records its calls."""

    async def ask(self, tool: Tool, request: Request) -> Answer | Failure:
        """Ask once."""
        ...


class Grader(Protocol):
    """Scores answers."""

    @property
    def text(self) -> str:
        """The canonical text of its kind and settings."""
        ...

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1."""
        ...

    def canonical(self, answer: str) -> str:
        """Return the form of an answer by which answers are the same."""
        ...

    def check(self, case: Case) -> None:
        """Check that answers to a case can be graded.

        Raises:
            QuarantineError: when its reference cannot be used.
        """
        ...

    async def grade(self, answer: str, case: Case) -> Grade:
        """Return what an answer is worth.

        Raises:
            UngradedError: when that cannot be found out.
            QuarantineError: when the reference cannot be used.
        """
        ...


def gradable(grader: Grader, cases: Iterable[Case]) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """Return the cases whose reference the grader can use, and the problems of the others."""
    good: list[Case] = []
    problems: list[Problem] = []
    for case in cases:
        try:
            grader.check(case)
            good.append(case)
        except QuarantineError as error:
            problems.append(error.problem(case.line))
    return tuple(good), tuple(problems)
