"""Which answers a person has to judge before a trial can go on, found without asking any tool.

The race is run through with all that is known: stored answers, logged ones, computed ones. Where
the next thing that it needs is the grade of an answer whose text is there, that answer is wanted.
Of a relative bar only answers that differ are. Where people correct a judge, only those are that
`LabelRule` picks, once the judge has spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Answer, Request
from clearbar.trial.attempts import HeldGrade
from clearbar.trial.grading.labelling import Labelling
from clearbar.trial.identity import (
    answer_digest,
    asked_digest,
    digest_of,
    graded_digest,
    prompt_digest,
    question_digest,
    trial_key,
)
from clearbar.trial.race.race_plan import Graded
from clearbar.trial.running.asking import COMPUTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.trial.grading.grader import Asker
    from clearbar.trial.grading.labelling import Counted
    from clearbar.trial.race.race_plan import Ask
    from clearbar.trial.running.evidence import Evidence
    from clearbar.trial.running.runnable import Trial
    from clearbar.trial.trial import Case

MOST: Final = 200
"""Cases that are wanted at once; when these are judged, the trial may be over."""
_AHEAD: Final = 64


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A case with answers that have to be judged."""

    case: str
    """`identity.question_digest` of it."""
    input: str
    reference: str | None
    answers: Mapping[str, str]
    """`identity.answer_digest` of an answer -> its text; equal answers stand here once."""


async def labels_wanted(trial: Trial, asker: Asker, evidence: Evidence) -> list[Unlabelled]:
    """Return at most `MOST` cases with the answers to them that a person has to judge.

    Raises:
        ClearbarError: when answers have to be judged whose texts were not kept.
    """
    if not trial.asks_people:
        return []
    return await _Search(trial, asker, evidence).found()


class _Search:
    def __init__(self, trial: Trial, asker: Asker, evidence: Evidence) -> None:
        self._trial, self._asker = trial, asker
        prompt, digests = prompt_digest(trial.prompt), set(trial.digests.values())
        key = trial_key(trial.identity)
        self._prompt = prompt
        self._held = evidence.held(key, trial.grader.text, prompt, digests)
        labels = evidence.labels(trial.identity.workflow)
        self._labelling = Labelling(labels, trial.label_rule)
        self._texts: dict[Ask, str] = {}
        self._wanted: set[Ask] = set()
        """Answers whose grades wait for a person, should they matter."""
        self._unkept = 0

    async def found(self) -> list[Unlabelled]:
        race = self._trial.race
        while not race.finished and (asks := race.wanted(_AHEAD)):
            known = [await self._give(ask) for ask in asks]
            if not any(known) or len(self._open()) >= MOST:
                break
        wanted = self._open()
        if not wanted and self._unkept:
            raise ClearbarError(
                f"{self._unkept} answers have to be judged, and their texts were not kept",
                "set `capture = true` in the [[trial]] and run it again",
            )
        return wanted[:MOST]

    async def _give(self, ask: Ask) -> bool:
        """Give the race what is known of an answer; return whether anything is."""
        case = self._trial.cases[ask.index]
        if self._asked(ask, case) in self._held.given_up:
            self._trial.race.give(ask, Graded(None, None, failed=True, bought=False))
            return True
        text = await self._text(ask, case)
        if text is None:
            return False
        self._texts[ask] = text
        counted = self._counted(case, text)
        score, by_judge = counted.grade.score, self._labelling.rule is not None
        if counted.waits or (score is None and not by_judge):
            self._wanted.add(ask)
        form = counted.grade.canonical_digest
        self._trial.race.give(ask, Graded(score, None, same_as=form, bought=False))
        return True

    def _counted(self, case: Case, text: str) -> Counted:
        grader, answer = self._trial.grader, answer_digest(text)
        key = graded_digest(case, answer, grader.text)
        form = HeldGrade(key, digest_of("canonical", grader.canonical(text)))
        return self._labelling.counted(case, answer, self._held.grades.get(key, form))

    def _asked(self, ask: Ask, case: Case) -> str:
        return asked_digest(self._trial.digests[ask.tool], self._prompt, question_digest(case))

    async def _text(self, ask: Ask, case: Case) -> str | None:
        tool = self._trial.tools[ask.tool]
        held = next(iter(self._held.answers.get(self._asked(ask, case), ())), None)
        if held is not None:
            self._unkept += held.text is None
            return held.text
        if ask.tool in case.answers:
            return case.answers[ask.tool]
        if tool.kind in COMPUTED:
            said = await self._asker.ask(tool, Request(case.input, self._trial.prompt))
            return said.text if isinstance(said, Answer) else None
        return None

    def _open(self) -> list[Unlabelled]:
        by_case: dict[int, dict[str, str]] = {}
        for ask in self._wanted:
            if self._differs(ask):
                text = self._texts[ask]
                by_case.setdefault(ask.index, {})[answer_digest(text)] = text
        cases = self._trial.cases
        return [
            Unlabelled(
                question_digest(cases[at]), cases[at].input, cases[at].reference, by_case[at]
            )
            for at in sorted(by_case)
        ]

    def _differs(self, ask: Ask) -> bool:
        """Return whether its grade can matter: of a relative bar, only where answers differ."""
        against = self._trial.race.plan.against
        if against is None:
            return True
        canonical = self._trial.grader.canonical
        others = [
            text
            for other, text in self._texts.items()
            if other.index == ask.index and (other.tool == against) != (ask.tool == against)
        ]
        return any(canonical(text) != canonical(self._texts[ask]) for text in others)
