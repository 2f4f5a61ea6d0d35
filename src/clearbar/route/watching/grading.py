"""Grades an answer to a routed request, which has no reference answer.

| kind of grader                                    | what stands for the reference          |
|---------------------------------------------------|----------------------------------------|
| judge, json_schema with a schema, regex that      | nothing: each answer is graded by      |
| only has to be found                              | itself, of a relative bar both         |
| exact, normalised, numeric, regex with a group,   | the old tool's answer: what is graded  |
| label, one_of, set, json_fields, command, python  | is agreement with it (`stand.py`)      |
| person; a pattern or a schema as the reference    | nothing can: only pre-alarms           |

Of two answers of one canonical form, the difference is 0 and takes no grade. A judge is taken at
its word here: labels correct it in trials.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from clearbar.core.errors import ClearbarError
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.tools.address import PROTOCOLS
from clearbar.tools.tool import Answer, Failure
from clearbar.tools.wire import body_of
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.grader import UngradedError
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from clearbar.own.workflow import Workflow
    from clearbar.route.wire.operation import Operation
    from clearbar.tools.tool import Request, Tool
    from clearbar.trial.grading.grade_settings import GradeSettings
    from clearbar.trial.grading.grader import Asker, Grader
    from clearbar.trial.plan import TrialPlan

    Ask = Callable[[str, str, Operation, bytes], Awaitable[str | None]]
    """For a workflow, which pays, ask a tool."""

Reference = Literal["none", "old", "never"]
MAX_CHARACTERS: Final = 50_000
"""Longer answers are not graded: that would take the time of replies."""
_OUTSIDE: Final = frozenset({"judge", "command", "python"})
"""Graders that wait for somebody else, and take no time of this process."""
_ABSENT: Final[Mapping[str, str]] = {
    "numeric": "(no number)",
    "regex": "(not found)",
    "label": "(no label)",
    "json_fields": "(no JSON)",
}
"""The canonical form of an answer in which there is nothing to compare."""
_PREFIXED: Final = frozenset({"regex", "label"})
"""Their canonical forms begin with an equals sign."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What two answers to one request are worth; None is not known."""

    score: float | None = None
    by_old: bool = False
    difference: float | None = None
    same: bool | None = None
    ill_formed: bool = False


class Grading:
    """Grades the routed tool's answers of one workflow, as its trial did."""

    def __init__(self, settings: GradeSettings, grader: Grader | None, *, relative: bool) -> None:
        """`grader` is None where none can be made: then answers are only compared as texts."""
        self._settings = settings
        self._grader = grader
        self._relative = relative
        self.reference: Reference = "never" if grader is None else _reference(settings)

    @property
    def needs_both(self) -> bool:
        """Whether both tools have to answer before anything can be said."""
        return self._relative or self.reference != "none"

    async def grade(self, request: Request, answer: str, old_answer: str | None) -> Graded:
        """Return what the routed tool's answer is worth, beside the old tool's where it is there.

        Raises:
            UngradedError: when that cannot be found out.
        """
        if max(len(answer), len(old_answer or "")) > MAX_CHARACTERS:
            raise UngradedError("the answer is too long to be graded beside requests")
        if self._settings.kind in _OUTSIDE:
            return await self._grade(request, answer, old_answer)
        return await asyncio.to_thread(
            lambda: asyncio.run(self._grade(request, answer, old_answer))
        )

    async def _grade(self, request: Request, answer: str, old_answer: str | None) -> Graded:
        form = self.form(answer)
        ill_formed = form == _ABSENT.get(self._settings.kind)
        if old_answer is None:
            score = await self._score(request, answer, None)
            return Graded(score=score, ill_formed=ill_formed)
        seen = Graded(same=form == self.form(old_answer), ill_formed=ill_formed)
        if self.reference == "never":
            return seen
        if self.reference == "old":
            return await self._agreement(request, answer, old_answer, seen)
        if not self._relative:
            return replace(seen, score=await self._score(request, answer, None))
        if seen.same:
            return replace(seen, difference=0.0)
        score = await self._score(request, answer, None)
        return replace(seen, difference=score - await self._score(request, old_answer, None))

    async def _agreement(
        self, request: Request, answer: str, old_answer: str, seen: Graded
    ) -> Graded:
        """Return the grade with the old answer as the reference, where it can be one."""
        reference = self._as_reference(old_answer)
        if reference is None:
            return seen
        score = 1.0 if seen.same else await self._score(request, answer, reference)
        return replace(seen, score=score, by_old=True)

    async def _score(self, request: Request, answer: str, reference: str | None) -> float:
        if self._grader is None:
            raise UngradedError("there is no grader")
        case = Case("shadow", request.input, reference)
        try:
            return (await self._grader.grade(answer, case)).score
        except QuarantineError as error:
            raise UngradedError(error.what) from None

    def form(self, answer: str) -> str:
        """Return the form of an answer by which answers are the same."""
        return answer.strip() if self._grader is None else self._grader.canonical(answer)

    def _as_reference(self, answer: str) -> str | None:
        """Return what the old answer says where the reference is read; None where it says none."""
        kind, form = self._settings.kind, self.form(answer)
        if form == _ABSENT.get(kind):
            return None
        if kind in _PREFIXED:
            return form.removeprefix("=")
        return form if kind == "numeric" else answer


class GatewayAsker:
    """Asks a judge for a workflow, so that its calls are held, charged and journalled."""

    def __init__(self, ask: Ask, workflow: str) -> None:
        self._ask = ask
        self._workflow = workflow

    async def ask(self, tool: Tool, request: Request) -> Answer | Failure:
        """Ask once."""
        from clearbar.route.wire.operation import operation_of  # noqa: PLC0415 - only with a judge

        if tool.kind not in PROTOCOLS:
            return Failure(f"{tool.name} cannot be asked through the gateway", retry=False)
        path = "/v1/messages" if tool.kind == "anthropic" else "/v1/chat/completions"
        try:
            body = body_of(tool, request)
        except ClearbarError as error:
            return Failure(error.message, retry=False)
        text = await self._ask(self._workflow, tool.name, operation_of("POST", path, []), body)
        return Failure("no answer came", retry=False) if text is None else Answer(text)


def gradings_of(
    plans: Iterable[TrialPlan],
    workflows: Mapping[str, Workflow],
    tools: Mapping[str, Tool],
    folder: Path,
    asker_of: Callable[[str], Asker] | None,
    environment: Mapping[str, str],
) -> dict[str, Grading]:
    """Return the gradings of the workflows that declare a trial and a bar, by workflow.

    `folder` is that of clearbar.toml; `asker_of` gives whoever asks the judge of a workflow. A
    grader that cannot be made leaves comparisons of texts: the trial itself says what is wrong
    with it.
    """
    found: dict[str, Grading] = {}
    for plan in plans:
        workflow = workflows.get(plan.workflow)
        if workflow is None or workflow.bar is None:
            continue
        try:
            asker = None if asker_of is None else asker_of(plan.workflow)
            grader = make_grader(plan.grade, asker, folder, tools, environment)
        except ClearbarError:
            grader = None
        relative = workflow.bar.within is not None
        found[plan.workflow] = Grading(plan.grade, grader, relative=relative)
    return found


def _reference(settings: GradeSettings) -> Reference:
    """Return what may stand for the reference of a routed request."""
    match settings.kind:
        case "person":
            return "never"
        case "judge":
            return "none"
        case "json_schema":
            return "never" if settings.schema is None else "none"
        case "regex" if settings.group is None or settings.pattern is None:
            return "never" if settings.pattern is None else "none"
        case _:
            return "old"
