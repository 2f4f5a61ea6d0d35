"""Gives cases to a command, one after the other, and reads what it prints."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .case import CaseError
from .score import Abilities, Verdict, differences, missing, untold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .case import Case, Step

LIMIT_S = 120
Answer = dict[str, Any]


class ToolError(Exception):
    """A tool that gave no answer."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What is scored: a function of a step and of a folder that is kept between the steps."""

    name: str
    abilities: Abilities
    answer: Callable[[Case, Step, Path], Answer]


def command(name: str, text: str, abilities: Abilities) -> Tool:
    """Return the tool that a command line is; the README says what stands in the braces."""
    words = shlex.split(text)

    def answer(case: Case, step: Step, state: Path) -> Answer:
        given = {
            "{formats}": [",".join(case.formats)],
            "{files}": [str(path) for path in step.files],
            "{declared}": [str(step.declared or state / "nothing-declared.toml")],
            "{state}": [str(state)],
        }
        (state / "nothing-declared.toml").touch()
        argv = [part for word in words for part in given.get(word, [word])]
        return _printed(argv, step.kill_after_s)

    return Tool(name, abilities, answer)


def scored(tool: Tool, cases: Iterable[Case]) -> list[Verdict]:
    """Return how a tool does on each case."""
    return [verdict(tool, case) for case in cases]


def verdict(tool: Tool, case: Case) -> Verdict:
    """Give a case to a tool, step by step, in a folder of its own."""
    if reason := missing(case, tool.abilities):
        return Verdict(case.name, "not applicable", (reason,))
    with tempfile.TemporaryDirectory() as folder:
        for number, step in enumerate(case.steps, 1):
            try:
                answer = tool.answer(case, step, Path(folder))
                if "not_applicable" in answer:
                    return Verdict(case.name, "not applicable", (str(answer["not_applicable"]),))
                if step.expected and (reason := untold(case, answer)):
                    return Verdict(case.name, "not applicable", (reason,))
                wrong = differences(case, step, answer)
            except (ToolError, CaseError, KeyError, TypeError, ValueError) as problem:
                wrong = [f"no answer: {problem}"]
            if wrong:
                where = f"step {number}: " if len(case.steps) > 1 else ""
                return Verdict(case.name, "failed", tuple(where + what for what in wrong))
    return Verdict(case.name, "passed")


def _printed(argv: list[str], kill_after_s: float | None) -> Answer:
    try:
        code, out, err = _ended(argv, kill_after_s or LIMIT_S)
    except subprocess.TimeoutExpired as problem:
        if kill_after_s:
            return {}
        raise ToolError(f"not done after {LIMIT_S} s") from problem
    except OSError as problem:
        raise ToolError(f"cannot be started: {problem}") from problem
    if code:
        said = err.decode(errors="replace").strip().splitlines()
        raise ToolError(f"exit code {code}: {said[-1] if said else 'no message'}")
    try:
        answer = json.loads(out)
    except ValueError as problem:
        raise ToolError("it did not print JSON") from problem
    if not isinstance(answer, dict):
        raise ToolError("it did not print an object")
    return answer


def _ended(argv: list[str], limit_s: float) -> tuple[int, bytes, bytes]:
    """Run a command; at the limit, kill it and all that it started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, start_new_session=True) as program:
        try:
            out, err = program.communicate(timeout=limit_s)
        except BaseException:
            os.killpg(program.pid, signal.SIGKILL)
            raise
    return program.returncode, out, err
