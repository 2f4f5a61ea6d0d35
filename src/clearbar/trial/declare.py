"""Reads `[[trial]]` of clearbar.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import nearest
from clearbar.core.toml_kinds import (
    EXACT_TEXT,
    TEXT,
    USD,
    decimal_of,
    list_of,
    number,
)
from clearbar.core.toml_table import Key, Kind, Place, Table, expected
from clearbar.trial.grading.grade_declare import GRADE_TABLE
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.plan import (
    CONCURRENCY,
    DROP_RATE,
    FUTILITY,
    MAX_CASES,
    SLACK,
    TrialPlan,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from decimal import Decimal


_MOST_CASES: Final = 1_000_000
_MOST_CONCURRENT: Final = 1000


def _whole(name: str, least: int, most: int) -> Kind[int]:
    def read(value: object, _: Place) -> int:
        found = decimal_of(value)
        if found is None or found != found.to_integral_value() or not least <= found <= most:
            raise expected(f"a whole number from {least} to {most}", value)
        return int(found)

    return Kind(name, read)


def _flag(value: object, _: Place) -> bool:
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def _names(value: object, place: Place) -> tuple[str, ...]:
    names = list_of(TEXT).read(value, place)
    for at, name in enumerate(names):
        if name in names[:at]:
            place.at(at).fault(f'"{name}" is named twice')
    return names


_RATE: Final = number(
    "rate",
    "a rate above 0 and below 0.5",
    lambda rate: 0 < rate < 0.5,  # noqa: PLR2004
)
_PART: Final = number("share", "a share from 0 to below 1", lambda share: 0 <= share < 1)

WORKFLOW: Final = Key(
    "workflow", TEXT, "", "The workflow whose bar is to be cleared.", '"support-replies"',
    required=True,
)  # fmt: skip
CASES: Final = Key(
    "cases",
    EXACT_TEXT,
    "",
    "The cases: a JSONL, CSV or Parquet file, relative to clearbar.toml.",
    '"cases/support.jsonl"',
    required=True,
)
TOOLS: Final[Key[tuple[str, ...]]] = Key(
    "tools",
    Kind("list of text", _names),
    (),
    "The tools that are tried, by name, in any order: the cheapest is tried first.",
    '["rules", "haiku", "opus"]',
    required=True,
)
GRADE: Final[Key[GradeSettings]] = Key(
    "grade",
    GRADE_TABLE,
    GradeSettings("exact"),
    "How an answer is scored: the kind of grader and its settings.",
    '{ kind = "normalised" }',
    required=True,
)
PROMPT: Final = Key(
    "prompt",
    EXACT_TEXT,
    "",
    "The instructions that each tool is given before the input of a case.",
    '"Name the department. Answer with one word."',
)
PROMPT_FILE: Final[Key[str | None]] = Key(
    "prompt_file",
    EXACT_TEXT,
    None,
    "Where the instructions stand, relative to clearbar.toml; instead of `prompt`.",
    '"prompts/support.txt"',
)
ERROR_RATE: Final[Key[float | None]] = Key(
    "error_rate",
    _RATE,
    None,
    "At most the probability that a tool below the bar is certified, over all tools; by the"
    " stakes of the workflow 0.01 (high), 0.05 (normal) or 0.1 (low).",
    "0.05",
)
DROP: Final = Key(
    "drop_rate",
    _RATE,
    DROP_RATE,
    "At most the probability, for each tool, that the evidence fails one that is `slack` or more"
    " above the bar.",
    "0.1",
)
SLACK_KEY: Final = Key(
    "slack", _PART, SLACK, "How far above the bar a tool has to be for `drop_rate` to hold.", "0.01"
)
FUTILITY_KEY: Final = Key(
    "futility",
    _PART,
    FUTILITY,
    "A tool is asked no more once its chance of still clearing, within the cases, is below this;"
    " 0 asks on to the end.",
    "0.05",
)
MAX_USD: Final[Key[Decimal | None]] = Key(
    "max_usd", USD, None, "What the trial may cost, over all its runs.", '"5.00"'
)
MAX_CASES_KEY: Final = Key(
    "max_cases",
    _whole("number", 1, _MOST_CASES),
    MAX_CASES,
    "How many cases each tool is asked at most; fixed before the first.",
    "2000",
)
TRAIN_SHARE: Final[Key[float | None]] = Key(
    "train_share",
    _PART,
    None,
    "Share of the cases for training and for thresholds, which certify nothing; half where a tool"
    " needs them, else none.",
    "0.5",
)
SEED: Final = Key(
    "seed", _whole("number", 0, 2**63 - 1), 0, "Fixes the random order of the cases.", "7"
)
CONCURRENCY_KEY: Final = Key(
    "concurrency",
    _whole("number", 1, _MOST_CONCURRENT),
    CONCURRENCY,
    "Calls at a time over all tools; each tool has a limit of its own.",
    "16",
)
CAPTURE: Final = Key(
    "capture",
    Kind("true or false", _flag),
    default=False,
    meaning="Whether the texts of answers are kept, so that another grader needs no new calls.",
    example="true",
)
TRIAL_KEYS: Final = (
    WORKFLOW,
    CASES,
    TOOLS,
    GRADE,
    PROMPT,
    PROMPT_FILE,
    ERROR_RATE,
    DROP,
    SLACK_KEY,
    FUTILITY_KEY,
    MAX_USD,
    MAX_CASES_KEY,
    TRAIN_SHARE,
    SEED,
    CONCURRENCY_KEY,
    CAPTURE,
)


def read_trial(table: Table) -> TrialPlan:
    """Return the plan of a trial. Its grader's settings stay a table: the grader reads those."""
    if {PROMPT.name, PROMPT_FILE.name} <= table.values.keys():
        table.place.at(PROMPT_FILE.name).fault("stands beside prompt: declare one of the two")
    tools = table.take(TOOLS)
    if TOOLS.name in table.values and table.values[TOOLS.name] == []:
        table.place.at(TOOLS.name).fault("expected at least one tool, found none")
    grade, capture = table.take(GRADE), table.take(CAPTURE)
    by_people = grade.kind == "person" or grade.label_share is not None
    if by_people and not capture:
        table.place.at(GRADE.name).fault("a person has to see the answers: declare capture = true")
    return TrialPlan(
        workflow=table.take(WORKFLOW),
        cases=table.take(CASES),
        tools=tools,
        grade=grade,
        prompt=table.take(PROMPT),
        prompt_file=table.take(PROMPT_FILE),
        error_rate=table.take(ERROR_RATE),
        drop_rate=table.take(DROP),
        slack=table.take(SLACK_KEY),
        futility=table.take(FUTILITY_KEY),
        max_usd=table.take(MAX_USD),
        max_cases=table.take(MAX_CASES_KEY),
        train_share=table.take(TRAIN_SHARE),
        seed=table.take(SEED),
        concurrency=table.take(CONCURRENCY_KEY),
        capture=capture,
        line=table.place.line,
    )


def check_names(
    plan: TrialPlan, place: Place, workflows: Collection[str], tools: Collection[str]
) -> None:
    """Note the names of workflows and tools that nothing else in the file declares.

    `place` is the trial's own: `Place(faults, ("trial", index))`.
    """
    if plan.workflow and plan.workflow not in workflows:
        way_out = nearest(plan.workflow, workflows)
        place.at(WORKFLOW.name).fault(f'no workflow is called "{plan.workflow}".{way_out}')
    for at, name in enumerate(plan.tools):
        if name not in tools:
            way_out = nearest(name, tools)
            place.at(TOOLS.name, at).fault(f'no tool is called "{name}".{way_out}')
