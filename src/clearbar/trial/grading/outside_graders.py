"""Graders that ask somebody: a command, a Python callable, a judge model, a person."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.tools.command import ask_command
from clearbar.tools.digest import tool_digest
from clearbar.tools.function import ask_function, load_function
from clearbar.tools.tool import Answer, Failure, Request, Tool
from clearbar.trial.grading.grade_declare import identity_text
from clearbar.trial.grading.grader import Grade, LabelWantedError, UngradedError
from clearbar.trial.grading.judge_prompt import INSTRUCTIONS, judge_request, verdict_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clearbar.trial.grading.grade_settings import GradeSettings
    from clearbar.trial.grading.grader import Asker, Grader
    from clearbar.trial.trial import Case

_GRADER: Final = "(grader)"
_WORDS: Final = {"true": 1.0, "false": 0.0}
_MAX_SCORE_CHARACTERS: Final = 100
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024


def make(
    settings: GradeSettings,
    asker: Asker | None,
    folder: Path | None,
    tools: Mapping[str, Tool],
    environment: Mapping[str, str],
) -> Grader:
    """Return the grader.

    Raises:
        ClearbarError: when the callable, the command or the tool that judges is not there.
    """
    if settings.kind == "judge":
        return _judge(settings, asker, tools)
    if settings.kind == "person":
        return PersonGrader(settings)
    if folder is None:
        raise ClearbarError("no folder to look for the grader in", "name the one of clearbar.toml")
    if settings.kind == "command":
        return CommandGrader(settings, folder, environment)
    return PythonGrader(settings, folder)


def same_text(answer: str) -> str:
    """Return the form by which answers are the same for graders whose insides are not known."""
    return answer.strip()


class CommandGrader:
    """A program of the user's: {input, answer, reference} as JSON on stdin, a score on stdout.

    It runs as a tool's command does (`tools/command.py`). A score is a number in [0, 1], `true` or
    `false`. Its files in the workspace are part of its canonical text, so that a changed grader
    makes certificates stale.
    """

    def __init__(
        self, settings: GradeSettings, folder: Path, environment: Mapping[str, str]
    ) -> None:
        files = ",".join(_file_digest(folder / part) for part in settings.command)
        self.text = identity_text(settings, files=files)
        self.binary = settings.binary
        self._folder, self._environment = folder, environment
        self._program = Tool(
            _GRADER, "command", command=settings.command, timeout_s=settings.timeout_s
        )

    def canonical(self, answer: str) -> str:
        """Return the answer without white space around it."""
        return same_text(answer)

    def check(self, case: Case) -> None:
        """Accept every case: what the grader needs of a reference is its own business."""

    async def grade(self, answer: str, case: Case) -> Grade:
        """Return the score that the command says.

        Raises:
            UngradedError: when it fails, or says no score.
        """
        request = Request(_case_json(case, answer))
        found = await ask_command(self._program, request, self._folder, self._environment)
        return _scored(found, binary=self.binary)


class PythonGrader:
    """A callable of the user's: (input, answer, reference) -> score in [0, 1], or a truth value.

    It runs as a tool's callable does (`tools/function.py`): in a thread, with the workspace folder
    before other places.
    """

    def __init__(self, settings: GradeSettings, folder: Path) -> None:
        tool = Tool(_GRADER, "python", function=settings.function)
        module = (settings.function or "").partition(":")[0].replace(".", "/")
        self.text = identity_text(settings, files=_file_digest(folder / f"{module}.py"))
        self.binary = settings.binary
        self._timeout_s = settings.timeout_s
        function: Callable[..., object] = load_function(tool, folder)
        self._function = function

    def canonical(self, answer: str) -> str:
        """Return the answer without white space around it."""
        return same_text(answer)

    def check(self, case: Case) -> None:
        """Accept every case: what the grader needs of a reference is its own business."""

    async def grade(self, answer: str, case: Case) -> Grade:
        """Return the score that the callable returns.

        Raises:
            UngradedError: when it raises, takes too long, or returns no score.
        """
        request = Request("")
        found = await ask_function(
            lambda _: _said(self._function(case.input, answer, case.reference)),
            request,
            self._timeout_s,
        )
        return _scored(found, binary=self.binary)


class JudgeGrader:
    """A model that passes an answer or flags it. Its call is a tool's call, and costs money.

    Its canonical text does not tell the share that people label: verdicts do not depend on it
    (`labelling.certified` adds it).
    """

    binary: Final = True

    def __init__(self, settings: GradeSettings, tool: Tool, asker: Asker) -> None:
        instructions = hashlib.sha256(INSTRUCTIONS.encode()).hexdigest()
        alone = replace(settings, label_share=None)
        self.text = identity_text(alone, judge=tool_digest(tool), instructions=instructions)
        self.tool = tool
        self._criteria, self._asker = settings.criteria, asker

    def canonical(self, answer: str) -> str:
        """Return the answer without white space around it."""
        return same_text(answer)

    def check(self, case: Case) -> None:
        """Accept every case: a judge works with and without a reference."""

    async def grade(self, answer: str, case: Case) -> Grade:
        """Return the verdict: 1 for a pass; 0, flagged, for a fail.

        Raises:
            UngradedError: when the judge fails, or says no verdict.
        """
        found = await self._asker.ask(self.tool, judge_request(case, answer, self._criteria))
        if isinstance(found, Failure):
            raise UngradedError(
                f"the judge did not answer: {found.what}", retry=found.retry, failure=found
            )
        passed = verdict_in(found.text)
        if passed is None:
            error = UngradedError("the judge gave no verdict that can be read", retry=True)
            error.call = found
            raise error
        return Grade(float(passed), flagged=not passed, call=found, judge=self.tool.name)


class PersonGrader:
    """People are the graders: an answer has no score until one of them gives it."""

    binary: Final = False

    def __init__(self, settings: GradeSettings) -> None:
        self.text = identity_text(settings)

    def canonical(self, answer: str) -> str:
        """Return the answer with its white space collapsed: nobody would see the difference."""
        return " ".join(answer.split())

    def check(self, case: Case) -> None:
        """Accept every case."""

    async def grade(self, answer: str, case: Case) -> Grade:
        """Say that a person is wanted.

        Raises:
            LabelWantedError: always.
        """
        del answer, case
        raise LabelWantedError("a person has to look at this answer")


def _judge(settings: GradeSettings, asker: Asker | None, tools: Mapping[str, Tool]) -> JudgeGrader:
    tool = tools.get(settings.tool or "")
    if tool is None:
        raise ClearbarError(
            f'no tool is called "{settings.tool}", which is to judge', "declare it as a [[tool]]"
        )
    if asker is None:
        raise ClearbarError("a judge has to be asked, and nobody can ask here", "run the trial")
    return JudgeGrader(settings, tool, asker)


def _case_json(case: Case, answer: str) -> str:
    told = {"input": case.input, "answer": answer, "reference": case.reference}
    return msgspec.json.encode(told).decode()


def _said(value: object) -> str:
    """Return a score as text; what is no number becomes a text that is none."""
    if isinstance(value, bool):
        return str(value)
    try:
        return repr(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return type(value).__name__


def _scored(found: Answer | Failure, *, binary: bool) -> Grade:
    if isinstance(found, Failure):
        raise UngradedError(f"the grader failed: {found.what}", retry=found.retry, failure=found)
    said = found.text.strip().lower()[:_MAX_SCORE_CHARACTERS]
    try:
        score = _WORDS[said] if said in _WORDS else float(said)
    except ValueError:
        raise UngradedError("the grader said no score") from None
    if not 0 <= score <= 1:
        raise UngradedError("the grader said a score outside 0 to 1")
    if binary and score not in {0, 1}:
        raise UngradedError("the grader is declared binary and said a score between 0 and 1")
    return Grade(score)


def _file_digest(path: Path) -> str:
    """Return the digest of a file of the grader's; empty where there is none of that name."""
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read(_MAX_FILE_BYTES)).hexdigest()
    except (OSError, ValueError):
        return ""
