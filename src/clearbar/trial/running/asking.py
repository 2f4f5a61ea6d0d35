"""From one question of the race to a graded answer: known, logged, computed or bought.

In this order: an answer in the store, whoever bought it; an answer that the workflow logged; for
rules and classifiers, which cost nothing, a computed one; last, a call. Where people have a say,
what they said of an answer enters its grade (`labelling.py`).

Where people correct a judge, a stored answer whose text was not kept is asked for anew, whatever
the judge said of it: to do so only where a person has to look would give the flagged a second try.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.tools.tool import Answer, Failure, Request
from clearbar.trial.attempts import HeldGrade
from clearbar.trial.grading.grader import LabelWantedError, UngradedError
from clearbar.trial.grading.labelling import Counted
from clearbar.trial.identity import (
    answer_digest,
    digest_of,
    graded_digest,
    prompt_digest,
    question_digest,
)
from clearbar.trial.race.race_plan import Graded
from clearbar.trial.running.pace import Circuit
from clearbar.trial.running.purchase import Bought, NoAnswer, Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from clearbar.tools.tool import Tool
    from clearbar.trial.attempts import Held, HeldAnswer
    from clearbar.trial.grading.grader import Asker, Grader
    from clearbar.trial.grading.labelling import Labelling
    from clearbar.trial.race.race_plan import Ask
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.running.buying import Buyer
    from clearbar.trial.running.evidence import Evidence
    from clearbar.trial.running.purchase import Time
    from clearbar.trial.trial import Case

COMPUTED: Final = frozenset({"rules", "classifier"})
"""Kinds of tools that are computed here: asking them again costs nothing and says the same."""
UNGRADED: Final = "not graded: "
"""Begins what is noted of a case whose answer could not be graded, and counts as wrong."""
_GRADING_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What one run of a trial knows before it begins."""

    workflow: str
    trial: str
    prompt: str
    cases: Sequence[Case]
    """In the fixed order: `Ask.index` is a place in it."""
    tools: Mapping[str, Tool]
    digests: Mapping[str, str]
    """Tool -> `identity.answering_digest`."""
    grader: Grader
    graded_later: bool
    """Whether grading asks a model or a person, so that an answer is recorded before its grade."""
    only_where_wanted: bool
    """Whether it then asks only for answers that differ, as those of a relative bar."""
    held: Held
    labelling: Labelling
    capture: bool
    recorded: Mapping[tuple[str, str], RecordedScore] = field(default_factory=dict)
    """(tool, case) -> a score that somebody else gave to its answer."""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as the race takes it."""

    graded: Graded
    text: str | None = None
    """Kept in memory while it may have to be graded."""
    ungraded: str = ""
    """Why no grade could be found out; it then counts as the worst."""
    passed_over: bool = False
    """The case itself cannot be graded."""
    waits: bool = False
    """The judge has spoken, and a person has to before it counts."""


class Asking:
    """Answers the questions of one run of a trial."""

    def __init__(
        self, facts: Facts, asker: Asker, evidence: Evidence, buyer: Buyer, time: Time
    ) -> None:
        self.facts = facts
        self._asker = asker
        self._evidence = evidence
        self._buyer = buyer
        self._time = time
        self._prompt_digest = prompt_digest(facts.prompt)
        self.judge = Circuit()
        """How the judge fares, where there is one."""

    def question(self, ask: Ask) -> Question:
        """Return what is asked of whom."""
        facts, case = self.facts, self.facts.cases[ask.index]
        return Question(
            facts.tools[ask.tool],
            Request(case.input, facts.prompt),
            "case",
            facts.workflow,
            facts.trial,
            facts.digests[ask.tool],
            self._prompt_digest,
            question_digest(case),
        )

    def known(self, ask: Ask) -> Got | NoAnswer | None:
        """Return what the store knows, graded as far as it has to be; None where it does not."""
        facts, case, asked = self.facts, self.facts.cases[ask.index], self.question(ask).asked
        for answer in facts.held.answers.get(asked, ()):
            if (found := self._held(case, answer)) is not None:
                return found
        what = facts.held.given_up.get(asked)
        return None if what is None else NoAnswer(what, final=True)

    def _held(self, case: Case, answer: HeldAnswer) -> Got | None:
        """Return a stored answer, where as much is known of it as is needed first."""
        facts = self.facts
        if facts.labelling.rule is not None and answer.text is None:
            return None
        key = graded_digest(case, answer.answer_digest, facts.grader.text)
        held = facts.held.grades.get(key)
        counted = facts.labelling.counted(case, answer.answer_digest, held or HeldGrade(key, ""))
        known = counted.grade.score is not None or counted.waits
        if not known and (held is None or not facts.only_where_wanted):
            return None
        cost, sure, bought = answer.cost_usd, answer.confidence, answer.trial == facts.trial
        graded = self._worth(counted, cost, sure, bought=bought)
        return Got(graded, answer.text, waits=counted.waits)

    async def answer(self, ask: Ask) -> Got | NoAnswer:
        """Return the graded answer; without its score where that is asked for later."""
        row = self.facts.recorded.get((ask.tool, self.facts.cases[ask.index].id))
        if row is not None:
            return Got(Graded(row.score, row.cost_usd, bought=False))
        found = await self._found(ask)
        if isinstance(found, NoAnswer) or self.facts.only_where_wanted:
            return found
        return await self.graded(ask, found)

    async def graded(self, ask: Ask, got: Got) -> Got | NoAnswer:
        """Return an answer with its score; still without where only a person can tell it."""
        if got.graded.score is not None or got.ungraded or got.waits:
            return got
        case = self.facts.cases[ask.index]
        if got.text is None:
            anew = await self._bought(case, self.question(ask))
            if isinstance(anew, NoAnswer):
                return anew
            got = anew
        found = await self._grade(case, got.text or "")
        if not isinstance(found, HeldGrade):
            return found or got
        await self._evidence.grade(self.facts.grader.text, found, self._time.now())
        counted = self.facts.labelling.counted(case, answer_digest(got.text or ""), found)
        graded = replace(got.graded, score=counted.grade.score, labels=counted.labels)
        return replace(got, graded=graded, waits=counted.waits)

    async def _found(self, ask: Ask) -> Got | NoAnswer:
        case, question = self.facts.cases[ask.index], self.question(ask)
        for answer in self.facts.held.answers.get(question.asked, ()):
            if answer.text is not None:
                bought = answer.trial == self.facts.trial
                cost, sure = answer.cost_usd, answer.confidence
                return await self._graded(case, answer.text, cost, sure, bought=bought)
        logged = case.answers.get(ask.tool)
        if logged is not None:
            return await self._graded(case, logged, None, None, bought=False)
        if question.tool.kind in COMPUTED:
            return await self._computed(case, question)
        return await self._bought(case, question)

    async def _computed(self, case: Case, question: Question) -> Got | NoAnswer:
        try:
            said = await self._asker.ask(question.tool, question.request)
        except ClearbarError as error:
            return NoAnswer(f"{error.message} ({error.hint})", refused=True)
        if isinstance(said, Failure):
            return NoAnswer(said.what)
        cost = self._buyer.cost_usd(question.tool, said)
        return await self._graded(case, said.text, cost, said.confidence, bought=False)

    async def _bought(self, case: Case, question: Question) -> Got | NoAnswer:
        facts = self.facts
        taken: list[Got] = []

        async def take(bought: Bought) -> None:
            answer, end = bought.answer, bought.end
            got, grade = await self._first_look(case, answer, end.cost_usd)
            said_of = None if grade is None else (facts.grader.text, grade)
            await self._evidence.end(end, said_of, answer.text if facts.capture else None)
            taken.append(got)

        said = await self._buyer.buy(question, take)
        return said if isinstance(said, NoAnswer) else taken[0]

    async def _first_look(
        self, case: Case, answer: Answer, cost: Decimal | None
    ) -> tuple[Got, HeldGrade | None]:
        """Return what can be said of an answer at once, and what of it is to be recorded."""
        if self.facts.graded_later:
            form = self._form(case, answer.text)
            counted = self._counted(case, answer.text, form)
            graded = self._worth(counted, cost, answer.confidence)
            return Got(graded, answer.text, waits=counted.waits), form
        grade = await self._grade(case, answer.text)
        if isinstance(grade, HeldGrade):
            return Got(self._worth(Counted(grade), cost, answer.confidence)), grade
        got = grade if isinstance(grade, Got) else Got(Graded(None, None))
        return replace(got, graded=replace(got.graded, cost_usd=cost)), None

    async def _graded(
        self,
        case: Case,
        text: str,
        cost: Decimal | None,
        confidence: float | None,
        *,
        bought: bool,
    ) -> Got | NoAnswer:
        """Return an answer that was not bought now, graded unless that is done later."""
        counted = self._counted(case, text, self._form(case, text))
        if counted.grade.score is None and not self.facts.graded_later:
            found = await self._grade(case, text)
            if isinstance(found, Got | NoAnswer):
                return found
            if found is not None:
                counted = Counted(found)
                await self._evidence.grade(self.facts.grader.text, found, self._time.now())
        graded = self._worth(counted, cost, confidence, bought=bought)
        return Got(graded, text, waits=counted.waits)

    def _counted(self, case: Case, text: str, form: HeldGrade) -> Counted:
        """Return what an answer counts by what was known of it before; the first grade stands."""
        known = self.facts.held.grades.get(form.graded, form)
        return self.facts.labelling.counted(case, answer_digest(text), known)

    async def _grade(self, case: Case, text: str) -> HeldGrade | Got | NoAnswer | None:
        """Return a grade; None where only a person can tell, `NoAnswer` where the judge fails."""
        form = self._form(case, text)
        what = ""
        for _ in range(_GRADING_TRIES):
            try:
                grade = await self.facts.grader.grade(text, case)
            except LabelWantedError:
                return None
            except QuarantineError as error:
                return Got(Graded(None, None), ungraded=error.what, passed_over=True)
            except UngradedError as error:
                what = error.what
                if not error.retry:
                    break
            else:
                self.judge.answered()
                return HeldGrade(form.graded, form.canonical_digest, grade.score, grade.flagged)
        if not self.facts.graded_later:
            return Got(Graded(None, None, failed=True), ungraded=UNGRADED + what)
        self.judge.failed(what)
        return NoAnswer(UNGRADED + what, by_judge=True, answers_before=self.judge.answers)

    def _form(self, case: Case, text: str) -> HeldGrade:
        grader = self.facts.grader
        canonical = digest_of("canonical", grader.canonical(text))
        return HeldGrade(graded_digest(case, answer_digest(text), grader.text), canonical)

    def _worth(
        self,
        counted: Counted,
        cost: Decimal | None,
        confidence: float | None,
        *,
        bought: bool = True,
    ) -> Graded:
        grade = counted.grade
        return Graded(
            grade.score,
            cost,
            confidence,
            grade.canonical_digest,
            bought=bought,
            labels=counted.labels,
        )
