"""Runs a trial: asks, grades, records, until it is decided or out of money. Resumes when run again.

The race gets its answers in the order in which it asked for them, and never has more than a fixed
number of questions open. So which answers it gets is a function of the answers alone: a run that
was killed and resumed any number of times ends in the same findings as one that was not, and so
does one whose tools are slower. (Where a judge grades only the answers that differ, this holds of
decisions, not of how many answers beyond them were bought.)

Where a grader that asks no model fails on so many answers in a row, the trial stops: no tool is to
blame.

A case to which a tool gave no answer, after all tries, scores zero; but only once the tool is known
to work, because it answers another case later, or has none left. `pace.BROKEN_AFTER` such cases in
a row, and the tool is broken: nothing is held against it, and the race goes on without it.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.trial.certifying.certificate import LABELS_WANTED, STOPPED, certificate_of
from clearbar.trial.grading.labelling import Labelling
from clearbar.trial.identity import prompt_digest, trial_key
from clearbar.trial.race.race_plan import Graded
from clearbar.trial.running.asking import UNGRADED, Asking, Facts, Got
from clearbar.trial.running.budget import Budget
from clearbar.trial.running.buying import Buyer
from clearbar.trial.running.evidence import STOPPED as STOPPED_CALL
from clearbar.trial.running.evidence import claim
from clearbar.trial.running.later_grades import LaterGrades
from clearbar.trial.running.pace import BROKEN_AFTER
from clearbar.trial.running.questions import Questions
from clearbar.trial.running.run_warnings import open_ended, over_budget, ungraded
from clearbar.trial.running.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.trial.attempts import Spent
    from clearbar.trial.race.race_plan import Ask
    from clearbar.trial.running.purchase import NoAnswer
    from clearbar.trial.running.questions import Turn
    from clearbar.trial.running.runnable import Means, Trial
    from clearbar.trial.trial import Case, Certificate

GRACE_S: Final = 15.0
"""How long requests under way are waited for when a trial ends, since they are paid for."""
STOP_GRACE_S: Final = 2.0
"""The same when somebody stops it by hand."""
_SHOW_EVERY_S: Final = 0.2


async def run(trial: Trial, means: Means) -> Certificate:
    """Run a trial to its end, or go on with it; return the certificate, which is not yet saved.

    Cancelled (Ctrl-C), it still returns what is known, as a certificate that is not complete
    (`certificate.is_complete`). What it bought is in the store; `charges.charge_calls` makes
    charges of it.

    Raises:
        ClearbarError: when another process runs a trial of the workflow, or the store fails.
    """
    with claim(means.claims, trial.identity.workflow):
        means.evidence.lose_open(trial.identity.workflow, means.time.now())
        return await _Run(trial, means).run()


class _Run:
    def __init__(self, trial: Trial, means: Means) -> None:
        self._trial, self._means, self._race = trial, means, trial.race
        self._key = trial_key(trial.identity)
        self._workflow = trial.identity.workflow
        evidence = means.evidence
        spent = evidence.spent(self._key)
        self._buyer = Buyer(
            means.asker,
            evidence,
            means.pricing,
            _budget(trial, spent),
            trial.concurrency,
            means.time,
            {tool: each.dearest_usd for tool, each in spent.items()},
        )
        self._asking = Asking(self._facts(), means.asker, evidence, self._buyer, means.time)
        self._questions = Questions(self._race, self._asking, self._buyer, trial.concurrency)
        self._later = LaterGrades(self._race, self._asking)
        self._warnings = [*trial.warnings, *open_ended(trial)]
        self._ungraded = 0
        self._graded_before: dict[Ask, int] = {}
        """Of answers that could not be graded when they were due, what had been by then."""
        self._shown_at = float("-inf")
        if trial.judge is not None:
            trial.judge.use(self._buyer, evidence, self._workflow, self._key)

    async def run(self) -> Certificate:
        grace_s = 0.0
        try:
            await self._go_on()
            grace_s = GRACE_S
        except asyncio.CancelledError:
            self._warnings.append(STOPPED)
            grace_s = STOP_GRACE_S
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        finally:
            await self._questions.close(grace_s)
            await self._later.close()
            evidence, now = self._means.evidence, self._means.time.now()
            evidence.lose_open(self._workflow, now, STOPPED_CALL)
        self._warnings += ungraded(self._ungraded)
        if (advice := self._asking.facts.labelling.advice(self._decided_on())) is not None:
            self._warnings.append(str(advice))
        self._warnings += over_budget(self._buyer.budget)
        spent = evidence.spent(self._key)
        identity = self._trial.identity
        return certificate_of(self._race, identity, spent, now, self._warnings)

    async def _go_on(self) -> None:
        """Ask and give until the race is finished, or waits for people."""
        while True:
            self._give_later_grades()
            self._stop_where_broken()
            if self._race.finished:
                return
            if self._later.may_ask_on:
                self._questions.fill()
            turn = self._questions.head
            if turn is not None and (said := await self._settled(turn)) is not None:
                self._questions.pop()
                self._give(turn.ask, said)
                continue
            self._questions.start()
            waiting = {*self._questions.waiting(), *self._later.waiting()}
            if not waiting and self._later.wants_people:
                self._warnings.append(LABELS_WANTED)
                return
            if not waiting:
                raise RuntimeError("the race waits for what nobody asks")
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    async def _settled(self, turn: Turn) -> Got | NoAnswer | None:
        """Return what a question's answer is, once it can be given."""
        if turn.task is None or not turn.task.done():
            return None
        said = turn.task.result()
        if isinstance(said, Got):
            if said.ungraded and not said.passed_over:
                if self._may_be_the_grader(turn.ask):
                    return None
                await self._give_up(turn.ask, said.ungraded)
            return said
        if said.final or said.unaffordable or said.refused:
            return said
        circuit = self._buyer.circuit(self._trial.tools[turn.ask.tool])
        at_fault = self._asking.judge if said.by_judge else circuit
        known_to_work = at_fault.answers > said.answers_before
        if not known_to_work and self._questions.may_still_answer(turn.ask.tool):
            return None
        await self._give_up(turn.ask, said.what)
        return said

    def _may_be_the_grader(self, ask: Ask) -> bool:
        """Return whether nothing was graded since the answer that is due could not be."""
        before = self._graded_before.setdefault(ask, self._asking.judge.answers)
        silent = self._asking.judge.answers == before
        return silent and self._questions.may_still_answer(ask.tool)

    async def _give_up(self, ask: Ask, what: str) -> None:
        """Note, before it counts, that a case is given up, so that no later run tries it again."""
        failure = (self._asking.question(ask).asked, what)
        await self._means.evidence.give_up(self._key, [failure], self._means.time.now())

    def _give(self, ask: Ask, said: Got | NoAnswer) -> None:
        before = self._race.current
        if isinstance(said, Got):
            self._ungraded += bool(said.ungraded)
            if said.passed_over:
                self._race.pass_over(ask)
            else:
                self._race.give(ask, said.graded)
                self._later.take(ask, said)
        elif said.unaffordable:
            self._race.stop("budget", ask.tool if said.unpriced else None, said.what)
        elif said.refused:
            self._broken(ask.tool, said.what)
        else:
            self._ungraded += said.what.startswith(UNGRADED)
            self._race.give(ask, Graded(None, None, failed=True))
        self._moved_on(before)

    def _moved_on(self, before: str | None) -> None:
        changed = self._race.current != before
        if changed:
            self._questions.park()
        now_s = self._means.time.monotonic_s()
        if before is not None and (changed or now_s - self._shown_at >= _SHOW_EVERY_S):
            self._shown_at = now_s
            spent_usd = self._buyer.budget.spent_usd
            self._means.progress(standing_of(self._race, before, spent_usd))

    def _give_later_grades(self) -> None:
        before = self._race.current
        left, stopped = self._later.give()
        self._ungraded += left
        if stopped is not None:
            self._race.stop("budget" if stopped.unaffordable else "broken", None, stopped.what)
        self._moved_on(before)

    def _stop_where_broken(self) -> None:
        for tool in self._trial.tools.values():
            circuit = self._buyer.circuit(tool)
            if circuit.broken and tool.name not in self._race.notes:
                before = self._race.current
                note = f"{circuit.in_a_row} cases in a row without an answer: {circuit.what}"
                self._broken(tool.name, note)
                self._moved_on(before)
        self._stop_without_judge()

    def _stop_without_judge(self) -> None:
        judge, circuit, before = self._trial.judge, self._asking.judge, self._race.current
        if judge is not None and judge.unaffordable:
            self._race.stop("budget", None, judge.unaffordable)
        elif judge is not None and judge.refused:
            self._race.stop("broken", None, judge.refused)
        elif circuit.broken:
            note = f"{circuit.in_a_row} answers in a row without a verdict: {circuit.what}"
            self._race.stop("broken", None, note)
        elif (what := self._grader_is_broken()) is not None:
            self._race.stop("broken", None, what)
        if self._race.current != before:
            self._moved_on(before)

    def _grader_is_broken(self) -> str | None:
        head, graded = self._questions.head, self._asking.judge.answers
        if head is None or self._graded_before.get(head.ask) != graded:
            return None
        whats = self._questions.ungraded
        many = len(whats) >= BROKEN_AFTER
        return f"{len(whats)} answers in a row were {whats[-1]}" if many else None

    def _broken(self, tool: str, note: str) -> None:
        self._race.stop("broken", tool, note)
        self._questions.drop(tool)

    def _decided_on(self) -> Sequence[Case]:
        """Return the cases that decisions rest on, of which every resumed run knows the same."""
        reached = max((lane.reached for lane in self._race.lanes.values()), default=0)
        return self._trial.cases[:reached]

    def _facts(self) -> Facts:
        trial, evidence = self._trial, self._means.evidence
        prompt, digests = prompt_digest(trial.prompt), trial.digests
        grader = trial.grader
        return Facts(
            workflow=self._workflow,
            trial=self._key,
            prompt=trial.prompt,
            cases=trial.cases,
            tools=trial.tools,
            digests=digests,
            grader=grader,
            graded_later=trial.graded_later,
            only_where_wanted=self._race.plan.against is not None,
            held=evidence.held(self._key, grader.text, prompt, set(digests.values())),
            labelling=Labelling(
                evidence.labels(self._workflow) if trial.asks_people else {}, trial.label_rule
            ),
            capture=trial.capture,
            recorded=trial.recorded,
        )


def _budget(trial: Trial, spent: Mapping[str, Spent]) -> Budget:
    """Return what may still be spent, after what all runs of the trial spent, tool by tool."""
    each_usd = (each.usd + each.unpriced_ceiling_usd for each in spent.values())
    return Budget(trial.max_usd, sum(each_usd, Decimal(0)))
