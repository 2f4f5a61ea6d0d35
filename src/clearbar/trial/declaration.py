"""One declared trial with all that it names: tools, files, the grader, what it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError, UnknownName, nearest
from clearbar.tools.contents import contents_digest
from clearbar.tools.digest import tool_digest
from clearbar.trial.cases import days_of, read_cases
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.labelling import certified
from clearbar.trial.identity import answering_digest, digest_of, identity_of
from clearbar.trial.recorded.recorded_scores import rows_digest
from clearbar.trial.running.judging import RecordedJudge

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from clearbar.own.workflow import Bar, Workflow
    from clearbar.tools.tool import Tool
    from clearbar.trial.cases import CasesRead
    from clearbar.trial.grading.grader import Grader
    from clearbar.trial.plan import TrialPlan
    from clearbar.trial.recorded.recorded_score import RecordedScore
    from clearbar.trial.trial import Identity


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
    recorded: Mapping[tuple[str, str], RecordedScore] = field(default_factory=dict)
    """(tool, case) -> a score that was imported: the tool is not asked the case again."""

    def recorded_of(self, tools: Container[str]) -> dict[tuple[str, str], RecordedScore]:
        """Return what is recorded of some tools; nothing where people correct a judge."""
        if self.plan.grade.label_share is not None:
            return {}
        return {key: row for key, row in self.recorded.items() if key[0] in tools}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose for one run, instead of what is declared."""

    tools: Sequence[str] | None = None
    seed: int | None = None
    max_usd: Decimal | None = None


def identity_today(declaration: Declaration, names: Iterable[str], seed: int) -> Identity:
    """Return what a trial of these tools would be about now; undeclared ones are left out.

    Raises:
        ClearbarError: as `prepare`.
    """
    declared = [name for name in names if name in declaration.tools]
    choices = Choices(tools=declared, seed=seed)
    tools = {name: declaration.tools[name] for name in declared}
    read = read_cases(place_of(declaration, declaration.plan.cases))
    grader = grader_of(declaration, RecordedJudge())
    return identity(declaration, choices, tools, grader, read)


def identity(
    declaration: Declaration,
    choices: Choices,
    tools: Mapping[str, Tool],
    grader: Grader,
    read: CasesRead,
) -> Identity:
    """Return what the trial is about."""
    return identity_of(
        declaration.workflow,
        declaration.plan,
        prompt=prompt_of(declaration),
        grader=certified(grader.text, declaration.plan.grade.label_share),
        tool_digests={name: _digest(tool, declaration) for name, tool in tools.items()},
        cases_digest=_cases_digest(declaration, tools, read),
        cases=len(read.cases),
        cases_from=_window(read, declaration.plan.cases),
        seed=seed_of(declaration, choices),
    )


def bar_of(workflow: Workflow) -> Bar:
    """Return the bar of the workflow.

    Raises:
        ClearbarError: when it has none.
    """
    if workflow.bar is None:
        raise ClearbarError(
            f"{workflow.name} has no bar to clear",
            'declare one: bar = "resolved >= 0.92", or bar = "within 0.03 of opus"',
        )
    return workflow.bar


def chosen_tools(declaration: Declaration, choices: Choices, bar: Bar) -> dict[str, Tool]:
    """Return the tools that are tried, by name; the one that a relative bar names among them.

    Raises:
        UnknownName: when one is not declared.
    """
    names = list(dict.fromkeys(choices.tools or declaration.plan.tools))
    if bar.of is not None and bar.of not in names:
        names.append(bar.of)
    for name in names:
        if name not in declaration.tools:
            way_out = nearest(name, declaration.tools)
            raise UnknownName(f'no tool is called "{name}".{way_out}', "declare it as a [[tool]]")
    return {name: declaration.tools[name] for name in names}


def part_names(tool: Tool) -> tuple[str, ...]:
    """Return the tools that a cascade asks; none for any other tool."""
    if tool.kind != "cascade" or tool.first is None or tool.then is None:
        return ()
    return (tool.first, *tool.agree_with, tool.then)


def asked_tools(tools: Mapping[str, Tool], declared: Mapping[str, Tool]) -> dict[str, Tool]:
    """Return the tools that are asked: of a cascade its parts, not itself."""
    names = [part for tool in tools.values() for part in part_names(tool) or (tool.name,)]
    return {name: declared[name] for name in dict.fromkeys(names)}


def grader_of(declaration: Declaration, judge: RecordedJudge) -> Grader:
    """Return the grader; a judge asks by `judge`."""
    settings = declaration.plan.grade
    folder, environment = declaration.folder, declaration.environment
    return make_grader(settings, judge, folder, declaration.tools, environment)


def prompt_of(declaration: Declaration) -> str:
    """Return the instructions, from the file that holds them where one does.

    Raises:
        ClearbarError: when it is not there, or no UTF-8.
    """
    if declaration.plan.prompt_file is None:
        return declaration.plan.prompt
    try:
        return place_of(declaration, declaration.plan.prompt_file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ClearbarError(
            f"{declaration.plan.prompt_file} is not UTF-8", "save it as UTF-8"
        ) from error


def place_of(declaration: Declaration, name: str) -> Path:
    """Return where a file of the trial stands.

    Raises:
        ClearbarError: when there is none.
    """
    path = declaration.folder / name
    if not path.is_file():
        raise ClearbarError(
            f"{declaration.workflow.name}: there is no file {name}",
            "it is looked for in the folder of clearbar.toml",
        )
    return path


def seed_of(declaration: Declaration, choices: Choices) -> int:
    """Return the seed of the order of the cases."""
    return declaration.plan.seed if choices.seed is None else choices.seed


def answering(tool: Tool, folder: Path) -> str:
    """Return the digest of all of a tool that its answers depend on."""
    return answering_digest(tool, contents_digest(tool, folder))


def _digest(tool: Tool, declaration: Declaration) -> str:
    parts = [declaration.tools[name] for name in part_names(tool)]
    digests = [tool_digest(part, contents_digest(part, declaration.folder)) for part in parts]
    return tool_digest(tool, contents_digest(tool, declaration.folder), digests)


def _window(read: CasesRead, file: str) -> str:
    days = days_of(read.cases)
    return file if days is None else f"{file}, {days[0]:%Y-%m-%d} to {days[1]:%Y-%m-%d}"


def _cases_digest(declaration: Declaration, tools: Mapping[str, Tool], read: CasesRead) -> str:
    """Return the digest of the cases, and of what was imported of them."""
    rows = declaration.recorded_of(asked_tools(tools, declaration.tools)).values()
    return digest_of("cases", read.digest, rows_digest(rows)) if rows else read.digest
