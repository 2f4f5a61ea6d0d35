"""From what is declared to a trial that can run: cases drawn, tools priced, the race laid out.

It reads the files that the declaration names and asks nobody. All that is fixed here is fixed
before the first case is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.trial import declaration as declared
from clearbar.trial.candidates import candidates_of, refusal
from clearbar.trial.cases import read_cases, split
from clearbar.trial.drawing import drawn_cases, train_share
from clearbar.trial.grading.grader import gradable
from clearbar.trial.plan import may_be_given
from clearbar.trial.proof.judge import JUDGE_IS_THE_TRUTH
from clearbar.trial.race.race import Race, RacePlan
from clearbar.trial.running.judging import RecordedJudge
from clearbar.trial.running.runnable import Trial

if TYPE_CHECKING:
    from datetime import datetime

    from clearbar.tools.rates import Rates
    from clearbar.trial.cases import CasesRead
    from clearbar.trial.declaration import Choices, Declaration
    from clearbar.trial.trial import Case

_LATER: Final = ("judge", "person")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A trial that can run, and what it was made of."""

    trial: Trial
    plan: RacePlan
    train: tuple[Case, ...]
    """Cases that certify nothing."""


def prepare(declaration: Declaration, choices: Choices, rates: Rates, now: datetime) -> Prepared:
    """Return the trial that is declared. `rates` and `now` price what is not measured yet.

    Raises:
        ClearbarError: when it cannot be run as declared: no bar, no cases, a file that is not
            there, a tool that is not declared.
    """
    bar = declared.bar_of(declaration.workflow)
    tools = declared.chosen_tools(declaration, choices, bar)
    _check_judge(declaration)
    judge = RecordedJudge()
    read = read_cases(declared.place_of(declaration, declaration.plan.cases))
    grader = declared.grader_of(declaration, judge)
    good, ungradable = gradable(grader, read.cases)
    seed, share = declared.seed_of(declaration, choices), train_share(declaration.plan, tools)
    folds = split(good, seed, share)
    drawn = drawn_cases(declaration, tools, folds)
    identity = declared.identity(declaration, choices, tools, grader, read)
    used = declaration.in_use
    in_use = used.tool if used is not None and used.tool in tools else None
    labelled = declaration.plan.grade.label_share
    race = RacePlan(
        candidates_of(declaration, tools, folds, rates, now),
        bar,
        identity.error,
        len(drawn),
        grader.binary and labelled is None,
        incumbent=bar.of or in_use,
        judge_share=None if labelled is None else float(labelled),
    )
    asked, folder = declared.asked_tools(tools, declaration.tools), declaration.folder
    recorded = declaration.recorded_of(asked)
    trial = Trial(
        identity=identity,
        race=Race(race),
        cases=drawn,
        tools=asked,
        digests={name: declared.answering(tool, folder) for name, tool in asked.items()},
        grader=grader,
        prompt=declared.prompt_of(declaration),
        max_usd=declaration.plan.max_usd if choices.max_usd is None else choices.max_usd,
        concurrency=declaration.plan.concurrency,
        capture=declaration.plan.capture,
        recorded=recorded,
        graded_later=declaration.plan.grade.kind in _LATER,
        judge=judge if declaration.plan.grade.kind == "judge" else None,
        warnings=(
            *_warnings(declaration, read, len(ungradable)),
            *([f"{len(recorded):,} scores were recorded elsewhere"] if recorded else ()),
        ),
    )
    return Prepared(trial, race, folds.train)


def _check_judge(declaration: Declaration) -> None:
    """Keep data from a judge that may not be given it."""
    judge = declaration.tools.get(declaration.plan.grade.tool or "")
    data = declaration.workflow.data_class
    if judge is not None and not may_be_given(judge, data):
        raise ClearbarError(
            f"the judge {refusal(judge, data)}", "let another tool judge, or people"
        )


def _warnings(declaration: Declaration, read: CasesRead, ungradable: int) -> tuple[str, ...]:
    said = []
    if declaration.plan.grade.kind == "judge" and declaration.plan.grade.label_share is None:
        said.append(JUDGE_IS_THE_TRUTH)
    if read.problems:
        said.append(f"{len(read.problems)} rows of cases could not be read")
    if ungradable:
        said.append(f"{ungradable} cases have a reference that the grader cannot use")
    return tuple(said)
