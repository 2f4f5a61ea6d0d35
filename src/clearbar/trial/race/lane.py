"""One candidate's way through the cases of a race: what it still has to be asked, and its test.

Values enter the test strictly in case order, so that the decision is a pure function of the graded
answers, in whatever order they arrive.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.trial.proof.bet import absolute_test
from clearbar.trial.proof.judge import Correction, JudgedTest
from clearbar.trial.proof.paired import paired_test
from clearbar.trial.race.cascade import accepts, confidence, thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clearbar.own.workflow import Bar
    from clearbar.trial.proof.sequential import Decision, SequentialTest
    from clearbar.trial.race.race_plan import Candidate, Graded, RacePlan
    from clearbar.trial.trial import Error, Step

    Answers = Mapping[tuple[str, int], Graded]

PATH_POINTS: Final = 200


class Look(NamedTuple):
    """What is known of one case for one candidate."""

    ask: tuple[str, ...] = ()
    """Tools that have to be asked first."""
    grade: tuple[str, ...] = ()
    """Tools whose answers have to be graded first."""
    value: float | None = None
    """The score, or the difference to the tool in use; None where it is not known yet."""
    passed_over: bool = False
    """Somebody's answer is absent: the case says nothing of this candidate."""


class Lane:
    """A candidate's test, from its first case to its decision."""

    def __init__(self, plan: RacePlan, candidate: Candidate, answers: Answers) -> None:
        self.candidate = candidate
        self.at = 0
        """The next case."""
        self.reached = 0
        """The cases that decisions could rest on so far: a cascade goes through them again."""
        self.decided: Decision | None = None
        self.values: list[float] = []
        self.threshold: float | None = None
        """Of a cascade: the one that its test is about."""
        self._plan, self._answers = plan, answers
        self._worst = _worst(plan.judge_share)
        self._grid: list[float] = []
        if candidate.parts is not None:
            self._grid = list(thresholds(candidate.parts.confidences))
        self._passed: tuple[SequentialTest, float, list[float]] | None = None
        self.test = self._new_test()
        self._start()

    def _start(self) -> None:
        parts = self.candidate.parts
        if parts is not None:
            if not self._grid:
                self.decided = "undecided", "broken"
                return
            self.threshold = self._grid.pop(0)
        if not self._can_clear():
            self.decided = "undecided", "cases"

    @property
    def max_cases(self) -> int:
        """The most cases it can be tried on."""
        given = self.candidate.cases
        return self._plan.cases if given is None else min(given, self._plan.cases)

    def feed(self) -> None:
        """Take what is known, case by case, until something is missing or the test decides."""
        while self.decided is None:
            if self.at >= self._plan.cases:
                self._end(("undecided", "cases"))
                continue
            look = self.look(self.at)
            if look.value is None and not look.passed_over:
                return
            self.at += 1
            self.reached = max(self.reached, self.at)
            if look.value is not None:
                self.values.append(look.value)
                self.test.add(look.value)
                if decision := self.test.decision():
                    self._end(decision)

    def stop(self, decision: Decision) -> None:
        """End it without a decision of its own; a threshold that has passed stands."""
        if self.decided is None:
            self._grid.clear()
            self._end(decision)

    def look(self, index: int) -> Look:
        """Return what is known of a case."""
        speaker, ask = self._speaker(index)
        if ask:
            return Look(ask=ask)
        if speaker is None:
            return Look(passed_over=True)
        return self._score(speaker, index)

    def accepted(self) -> float | None:
        """Return the share of the cases so far that the cascade's threshold accepts."""
        parts, bar = self.candidate.parts, self.threshold
        if parts is None or bar is None:
            return None
        sure = [accepts(value, bar) for value in self._confidences(parts.confidence_tools)]
        return sum(sure) / len(sure) if sure else None

    def path(self) -> tuple[Step, ...]:
        """Return at most `PATH_POINTS` points of the evidence path, the last one too."""
        count = len(self.values)
        points = min(count, PATH_POINTS)
        keep = {round((place + 1) * count / points) for place in range(points)}
        test, steps = self._new_test(), []
        for n, value in enumerate(self.values, 1):
            test.add(value)
            if n in keep:
                steps.append(test.step())
        return tuple(steps)

    def _end(self, decision: Decision) -> None:
        if decision[0] == "clears" and self.threshold is not None:
            self._passed = self.test, self.threshold, self.values
            if self._grid:
                self.threshold, self.test = self._grid.pop(0), self._new_test()
                self.at, self.values = 0, []
                return
        if self._passed is not None:
            self.test, self.threshold, self.values = self._passed
            decision = "clears", "evidence"
        self.decided = decision

    def _speaker(self, index: int) -> tuple[str | None, tuple[str, ...]]:
        """Return whose answer counts, and who has to be asked to know it; nobody: passed over."""
        parts = self.candidate.parts
        if parts is None or self.threshold is None:
            return self.candidate.name, ()
        answers = {tool: self._answers.get((tool, index)) for tool in parts.confidence_tools}
        given = {tool: answer for tool, answer in answers.items() if answer is not None}
        if len(given) < len(answers):
            return None, tuple(tool for tool, answer in answers.items() if answer is None)
        if any(answer.absent for answer in given.values()):
            return None, ()
        sure = accepts(confidence(parts, given), self.threshold)
        return (parts.first if sure else parts.then), ()

    def _score(self, speaker: str, index: int) -> Look:
        against = self._plan.against
        if speaker == against:
            return Look(value=0.0)
        answer = self._answers.get((speaker, index))
        if against is None:
            return _alone(speaker, answer, self._worst)
        other = self._answers.get((against, index))
        if (answer and answer.absent) or (other and other.absent):
            return Look(passed_over=True)
        if answer is None or other is None:
            both = (speaker, answer), (against, other)
            return Look(ask=tuple(name for name, given in both if given is None))
        return _compared(speaker, answer, against, other, self._worst)

    def _confidences(self, tools: tuple[str, ...]) -> Iterable[float | None]:
        parts = self.candidate.parts
        for index in range(self.reached):
            given = {tool: self._answers.get((tool, index)) for tool in tools}
            known = {tool: answer for tool, answer in given.items() if answer is not None}
            if parts and len(known) == len(given) and not any(a.absent for a in known.values()):
                yield confidence(parts, known)

    def _new_test(self) -> SequentialTest:
        plan = self._plan
        return new_test(
            plan.bar,
            plan.alpha,
            plan.error,
            max(self.max_cases, 1),
            binary=plan.binary,
            judge_share=plan.judge_share,
            prior_disagreement=plan.prior_disagreement,
        )

    def _can_clear(self) -> bool:
        plan = self._plan
        return can_clear(
            plan.bar,
            plan.alpha,
            plan.error,
            self.max_cases,
            binary=plan.binary,
            judge_share=plan.judge_share,
        )


def can_clear(
    bar: Bar,
    alpha: float,
    error: Error,
    cases: int,
    *,
    binary: bool,
    judge_share: float | None = None,
) -> bool:
    """Say whether so many cases can clear the bar at all.

    The threshold for scores of 0 and 1 is lower, and dear to work out: only where it matters.
    """
    passes = straight_passes(bar, alpha, error, cases, binary=False, judge_share=judge_share)
    return passes is not None or (
        binary and straight_passes(bar, alpha, error, cases, binary=True) is not None
    )


@lru_cache(maxsize=256)
def straight_passes(
    bar: Bar,
    alpha: float,
    error: Error,
    cases: int,
    *,
    binary: bool,
    judge_share: float | None = None,
) -> int | None:
    """Return how many cases clear the bar if each scores 1, or is 1 better than the other's.

    None where `cases` are not enough even so.
    """
    if cases < 1:
        return None
    test = new_test(bar, alpha, error, cases, binary=binary, judge_share=judge_share)
    for n in range(1, cases + 1):
        test.add(1.0)
        if decision := test.decision():
            return n if decision[0] == "clears" else None
    return None


def new_test(
    bar: Bar,
    alpha: float,
    error: Error,
    cases: int,
    *,
    binary: bool,
    judge_share: float | None = None,
    prior_disagreement: float | None = None,
) -> SequentialTest:
    """Return the test that belongs to a bar. With `judge_share` it takes scores Z' (`judge.py`)."""
    if judge_share is not None:
        return JudgedTest(bar, alpha, error, cases, judge_share, prior_disagreement)
    if bar.within is not None:
        prior = prior_disagreement
        return paired_test(bar.within, alpha, error, cases, prior_disagreement=prior)
    return absolute_test(bar.at_least or 0.0, alpha, error, cases, binary=binary)


def _worst(judge_share: float | None) -> float:
    """Return what a missing answer counts: as one that the judge flags and people find wrong."""
    return 0.0 if judge_share is None else Correction(judge_share).score(0.0, passed=False)


def _alone(name: str, answer: Graded | None, worst: float) -> Look:
    if answer is None:
        return Look(ask=(name,))
    if answer.absent:
        return Look(passed_over=True)
    if _ungraded(answer):
        return Look(grade=(name,))
    return Look(value=_worth(answer, worst))


def _compared(name: str, answer: Graded, against: str, other: Graded, worst: float) -> Look:
    if answer.same_as and answer.same_as == other.same_as and not (answer.failed or other.failed):
        return Look(value=0.0)
    ungraded: tuple[str, ...] = (name,) if _ungraded(answer) else ()
    if _ungraded(other):
        ungraded += (against,)
    if ungraded:
        return Look(grade=ungraded)
    return Look(value=_worth(answer, worst) - _worth(other, 1.0))


def _ungraded(answer: Graded) -> bool:
    return answer.score is None and not answer.failed


def _worth(answer: Graded, failed: float) -> float:
    return failed if answer.failed or answer.score is None else answer.score
