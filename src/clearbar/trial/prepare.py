"""From what is declared to a trial that can run: cases drawn, tools priced, the race laid out.

It reads the files that the declaration names and asks nobody. All that is fixed here is fixed
before the first case is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, UnknownName, nearest
from clearbar.tools.address import provider_of
from clearbar.tools.contents import contents_digest
from clearbar.tools.cost import expected_usd_per_case
from clearbar.tools.digest import tool_digest
from clearbar.tools.tool import TokenPrice
from clearbar.trial.cases import days_of, read_cases, split
from clearbar.trial.grading.grader import gradable, make_grader
from clearbar.trial.grading.labelling import certified
from clearbar.trial.identity import answering_digest, identity_of
from clearbar.trial.plan import may_be_given
from clearbar.trial.proof.judge import JUDGE_IS_THE_TRUTH
from clearbar.trial.race.confidences import confidences_of
from clearbar.trial.race.race import Candidate, Parts, Race, RacePlan
from clearbar.trial.running.asking import COMPUTED
from clearbar.trial.running.judging import RecordedJudge
from clearbar.trial.running.run import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from clearbar.own.workflow import Bar, Workflow
    from clearbar.tools.rates import Rates
    from clearbar.tools.tool import Tool
    from clearbar.trial.cases import CasesRead, Split
    from clearbar.trial.grading.grader import Grader
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.trial import Case, Identity

_CHARACTERS_A_TOKEN: Final = 4
"""Rough, for English; it only orders tools that nothing is measured of."""
_ANSWER_TOKENS: Final = 200
"""Expected length of an answer where no case has one."""
_LATER: Final = ("judge", "person")
_TRAINED: Final = "classifier"


@dataclass(frozen=True, slots=True)
class InUse:
    """The tool in use as the ledger knows it: what its calls take, each."""

    tool: str
    input_tokens: float
    """Cached or not."""
    output_tokens: float
    usd_per_call: Decimal | None
    """None where it is not known of all."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What clearbar.toml says of one trial, and where its files stand."""

    workflow: Workflow
    plan: TrialPlan
    tools: Mapping[str, Tool]
    """All that are declared, by name."""
    folder: Path
    environment: Mapping[str, str]
    in_use: InUse | None = None
    """The tool in use, where the ledger knows it."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose for one run, instead of what is declared."""

    tools: Sequence[str] | None = None
    seed: int | None = None
    max_usd: Decimal | None = None


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
    bar = _bar(declaration.workflow)
    tools = _tools(declaration, choices, bar)
    _check_judge(declaration)
    read, judge = read_cases(_place(declaration, declaration.plan.cases)), RecordedJudge()
    grader = _grader(declaration, judge)
    good, ungradable = gradable(grader, read.cases)
    folds = split(good, _seed(declaration, choices), _train_share(declaration.plan, tools))
    drawn = _drawn(declaration, tools, folds)
    identity = _identity(declaration, choices, tools, grader, read)
    candidates = _candidates(declaration, tools, folds, rates, now)
    used = declaration.in_use
    in_use = used.tool if used is not None and used.tool in tools else None
    share = declaration.plan.grade.label_share
    race = RacePlan(
        candidates,
        bar,
        identity.error,
        len(drawn),
        grader.binary and share is None,
        incumbent=bar.of or in_use,
        judge_share=None if share is None else float(share),
    )
    asked = _asked_tools(tools, declaration.tools)
    trial = Trial(
        identity=identity,
        race=Race(race),
        cases=drawn,
        tools=asked,
        digests={each.name: _answering(each, declaration.folder) for each in asked.values()},
        grader=grader,
        prompt=_prompt(declaration),
        max_usd=declaration.plan.max_usd if choices.max_usd is None else choices.max_usd,
        concurrency=declaration.plan.concurrency,
        capture=declaration.plan.capture,
        graded_later=declaration.plan.grade.kind in _LATER,
        judge=judge if declaration.plan.grade.kind == "judge" else None,
        warnings=(
            *_warnings(declaration, read, len(ungradable)),
            *_price_warnings(asked.values(), rates),
        ),
    )
    return Prepared(trial, race, folds.train)


def identity_today(declaration: Declaration, names: Iterable[str], seed: int) -> Identity:
    """Return what a trial of these tools would be about now; undeclared ones are left out.

    Raises:
        ClearbarError: as `prepare`.
    """
    declared = [name for name in names if name in declaration.tools]
    choices = Choices(tools=declared, seed=seed)
    tools = {name: declaration.tools[name] for name in declared}
    read = read_cases(_place(declaration, declaration.plan.cases))
    grader = _grader(declaration, RecordedJudge())
    return _identity(declaration, choices, tools, grader, read)


def _bar(workflow: Workflow) -> Bar:
    if workflow.bar is None:
        raise ClearbarError(
            f"{workflow.name} has no bar to clear",
            'declare one: bar = "resolved >= 0.92", or bar = "within 0.03 of opus"',
        )
    return workflow.bar


def _tools(declaration: Declaration, choices: Choices, bar: Bar) -> dict[str, Tool]:
    names = list(dict.fromkeys(choices.tools or declaration.plan.tools))
    if bar.of is not None and bar.of not in names:
        names.append(bar.of)
    for name in names:
        if name not in declaration.tools:
            way_out = nearest(name, declaration.tools)
            raise UnknownName(f'no tool is called "{name}".{way_out}', "declare it as a [[tool]]")
    return {name: declaration.tools[name] for name in names}


def _place(declaration: Declaration, name: str) -> Path:
    path = declaration.folder / name
    if not path.is_file():
        raise ClearbarError(
            f"{declaration.workflow.name}: there is no file {name}",
            "it is looked for in the folder of clearbar.toml",
        )
    return path


def _prompt(declaration: Declaration) -> str:
    if declaration.plan.prompt_file is None:
        return declaration.plan.prompt
    try:
        return _place(declaration, declaration.plan.prompt_file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ClearbarError(
            f"{declaration.plan.prompt_file} is not UTF-8", "save it as UTF-8"
        ) from error


def _grader(declaration: Declaration, judge: RecordedJudge) -> Grader:
    settings = declaration.plan.grade
    folder, environment = declaration.folder, declaration.environment
    return make_grader(settings, judge, folder, declaration.tools, environment)


def _check_judge(declaration: Declaration) -> None:
    """Keep data from a judge that may not be given it."""
    judge = declaration.tools.get(declaration.plan.grade.tool or "")
    data = declaration.workflow.data_class
    if judge is not None and not may_be_given(judge, data):
        raise ClearbarError(
            f"the judge {_refusal(judge, data)}", "let another tool judge, or people"
        )


def _seed(declaration: Declaration, choices: Choices) -> int:
    return declaration.plan.seed if choices.seed is None else choices.seed


def _train_share(plan: TrialPlan, tools: Mapping[str, Tool]) -> float:
    if plan.train_share is not None:
        return plan.train_share
    learns = any(tool.kind == _TRAINED for tool in tools.values())
    thresholds = any(tool.kind == "cascade" and not tool.agree_with for tool in tools.values())
    return 0.5 if learns or thresholds else 0.0


def _drawn(declaration: Declaration, tools: Mapping[str, Tool], folds: Split) -> tuple[Case, ...]:
    """Return the cases that certify: of the fold for it, none whose answer a tool has seen."""
    asked = _asked_tools(tools, declaration.tools).values()
    seen = [_seen_by(tool, declaration.folder) for tool in asked if tool.kind in COMPUTED]
    cases = tuple(case for case in folds.certify if not any(has_seen(case) for has_seen in seen))
    if not cases:
        raise ClearbarError(
            f"{declaration.plan.cases} leaves no case to certify with",
            "add cases that no tool was trained on, or lower train_share",
        )
    return cases[: declaration.plan.max_cases]


def _seen_by(tool: Tool, folder: Path) -> Callable[[Case], bool]:
    """Return what says whether a tool was made with the answer to a case in hand."""
    path = folder / (tool.file or "")
    if tool.kind == "rules":
        from clearbar.tools.rules import load_rules  # noqa: PLC0415 - only where it is tried

        knows = load_rules(path).knows
        return lambda case: knows(case.input)
    from clearbar.tools.classifier import load_classifier  # noqa: PLC0415 - as above

    holds = load_classifier(path).trained_on.holds
    return lambda case: holds(case.id, case.cluster, case.input)


def _identity(
    declaration: Declaration,
    choices: Choices,
    tools: Mapping[str, Tool],
    grader: Grader,
    read: CasesRead,
) -> Identity:
    return identity_of(
        declaration.workflow,
        declaration.plan,
        prompt=_prompt(declaration),
        grader=certified(grader.text, declaration.plan.grade.label_share),
        tool_digests={name: _digest(tool, declaration) for name, tool in tools.items()},
        cases_digest=read.digest,
        cases=len(read.cases),
        cases_from=_window(read, declaration.plan.cases),
        seed=_seed(declaration, choices),
    )


def _window(read: CasesRead, file: str) -> str:
    days = days_of(read.cases)
    return file if days is None else f"{file}, {days[0]:%Y-%m-%d} to {days[1]:%Y-%m-%d}"


def _digest(tool: Tool, declaration: Declaration) -> str:
    parts = [declaration.tools[name] for name in _part_names(tool)]
    digests = [tool_digest(part, contents_digest(part, declaration.folder)) for part in parts]
    return tool_digest(tool, contents_digest(tool, declaration.folder), digests)


def _answering(tool: Tool, folder: Path) -> str:
    return answering_digest(tool, contents_digest(tool, folder))


def _part_names(tool: Tool) -> tuple[str, ...]:
    if tool.kind != "cascade" or tool.first is None or tool.then is None:
        return ()
    return (tool.first, *tool.agree_with, tool.then)


def _asked_tools(tools: Mapping[str, Tool], declared: Mapping[str, Tool]) -> dict[str, Tool]:
    """Return the tools that are asked: of a cascade its parts, not itself."""
    names = [part for tool in tools.values() for part in _part_names(tool) or (tool.name,)]
    return {name: declared[name] for name in dict.fromkeys(names)}


def _candidates(
    declaration: Declaration,
    tools: Mapping[str, Tool],
    folds: Split,
    rates: Rates,
    now: datetime,
) -> tuple[Candidate, ...]:
    data, used = declaration.workflow.data_class, declaration.in_use
    lengths = _lengths(declaration, (*folds.train, *folds.certify))

    def price(name: str) -> Decimal | None:
        if used is not None and used.tool == name and used.usd_per_call is not None:
            return used.usd_per_call
        return expected_usd_per_case(declaration.tools[name], *lengths, rates, now)

    def candidate(tool: Tool) -> Candidate:
        asked = [declaration.tools[name] for name in _part_names(tool) or (tool.name,)]
        outside = next((each for each in asked if not may_be_given(each, data)), None)
        return Candidate(
            tool.name,
            tool.tier,
            price(tool.name),
            parts=_parts(tool, declaration, folds, price),
            refused=None if outside is None else "data_class",
            note="" if outside is None else _refusal(outside, data),
        )

    return tuple(candidate(tool) for tool in tools.values())


def _refusal(tool: Tool, data: str) -> str:
    return f"{tool.name} may be given {tool.data_class} data at most, and this is {data}"


def _parts(
    tool: Tool, declaration: Declaration, folds: Split, price: Callable[[str], Decimal | None]
) -> Parts | None:
    if tool.first is None or tool.then is None:
        return None
    each = [price(name) for name in (tool.first, *tool.agree_with)]
    known = [usd for usd in each if usd is not None]
    first = declaration.tools[tool.first]
    return Parts(
        tool.first,
        tool.then,
        tool.agree_with,
        confidences_of(first, len(tool.agree_with), folds.train, declaration.folder),
        first_usd=sum(known[1:], known[0]) if len(known) == len(each) else None,
        then_usd=price(tool.then),
    )


def _lengths(declaration: Declaration, cases: Sequence[Case]) -> tuple[float, float]:
    """Return the mean tokens of a question and of an answer: those in use, else of the cases."""
    if (used := declaration.in_use) is not None:
        return used.input_tokens, used.output_tokens
    prompt = _prompt(declaration)
    asked = fmean(len(case.input) for case in cases) + len(prompt) if cases else len(prompt)
    answers = [len(answer) for case in cases for answer in case.answers.values()]
    answers = answers or [len(case.reference) for case in cases if case.reference is not None]
    said = fmean(answers) / _CHARACTERS_A_TOKEN if answers else _ANSWER_TOKENS
    return asked / _CHARACTERS_A_TOKEN, max(said, 1.0)


def _warnings(declaration: Declaration, read: CasesRead, ungradable: int) -> tuple[str, ...]:
    said = []
    if declaration.plan.grade.kind == "judge" and declaration.plan.grade.label_share is None:
        said.append(JUDGE_IS_THE_TRUTH)
    if read.problems:
        said.append(f"{len(read.problems)} rows of cases could not be read")
    if ungradable:
        said.append(f"{ungradable} cases have a reference that the grader cannot use")
    return tuple(said)


def _price_warnings(tools: Iterable[Tool], rates: Rates) -> Iterator[str]:
    """Say where the trial and the ledger would tell different costs of the same calls."""
    for tool in tools:
        own = isinstance(tool.cost, TokenPrice) and tool.cost != TokenPrice()
        if own and tool.model and rates.in_force(provider_of(tool), tool.model):
            yield (
                f"the ledger prices calls of {tool.name} by the price book, not at the rates of its"
                " [[tool]]: declare these as a [[price]]"
            )
