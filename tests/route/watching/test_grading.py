"""Answers to routed requests are graded by themselves, or by the old tool's answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from clearbar.own.workflow import Bar, Workflow
from clearbar.route.watching.grading import (
    MAX_CHARACTERS,
    GatewayAsker,
    Graded,
    Grading,
    gradings_of,
)
from clearbar.tools.tool import Answer, Failure, Request, Tool
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.grading.grader import UngradedError
from clearbar.trial.plan import TrialPlan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.route.watching.grading import Ask
    from clearbar.route.wire.operation import Operation
    from clearbar.trial.grading.grade_settings import GradeKind

JUDGE: Final = Tool("judge", "openai", model="big", url="http://127.0.0.1:1/v1")
ASKED: Final = Request("How do I get a refund?", "Be brief.")


def graded(
    settings: GradeSettings,
    answer: str,
    old_answer: str | None = None,
    *,
    relative: bool = False,
    ask: Ask | None = None,
    folder: Path | None = None,
) -> Graded:
    asker = None if ask is None else GatewayAsker(ask, "letters")
    grader = make_grader(settings, asker, folder, {"judge": JUDGE}, {})
    grading = Grading(settings, grader, relative=relative)
    return asyncio.run(grading.grade(ASKED, answer, old_answer))


def verdicts(passing: str) -> tuple[Ask, list[dict[str, Any]]]:
    """Stand for a judge that passes answers with a word in them; and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def ask(_: str, tool: str, operation: Operation, body: bytes) -> str | None:
        asked.append({"tool": tool, "operation": operation.name, **msgspec.json.decode(body)})
        said = str(asked[-1]["messages"])
        return msgspec.json.encode({"verdict": "pass" if passing in said else "fail"}).decode()

    return ask, asked


@pytest.mark.parametrize(
    ("settings", "answer", "old_answer", "score"),
    [
        (GradeSettings("exact"), "yes", "yes", 1.0),
        (GradeSettings("exact"), "yes", "no", 0.0),
        (GradeSettings("normalised"), "Yes!", "yes", 1.0),
        (GradeSettings("numeric"), "it is 12", "3 times 4 makes 12", 1.0),
        (GradeSettings("numeric"), "it is 13", "3 times 4 makes 12", 0.0),
        (GradeSettings("label", labels=("refund", "delivery")), "Refund.", "it is a refund", 1.0),
        (GradeSettings("label", labels=("refund", "delivery")), "delivery", "a refund", 0.0),
        (GradeSettings("set"), "a, b", "b, c", 0.5),
        (GradeSettings("json_fields"), '{"a": 1}', 'Here: {"a": 1}', 1.0),
        (GradeSettings("json_fields"), '{"a": 2, "b": 3}', '{"a": 1, "b": 3}', 0.5),
        (GradeSettings("regex", pattern=r"id (\d+)", group=1), "id 7", "the id 7", 1.0),
        (GradeSettings("regex", pattern=r"id (\d+)", group=1), "id 8", "the id 7", 0.0),
    ],
)
def test_the_old_answer_stands_for_the_reference(
    settings: GradeSettings, answer: str, old_answer: str, score: float
) -> None:
    found = graded(settings, answer, old_answer)
    assert (found.score, found.by_old, found.difference) == (score, True, None)
    assert found.same == (score == 1.0)


@pytest.mark.parametrize(
    ("settings", "ill"),
    [
        (GradeSettings("numeric"), "no idea"),
        (GradeSettings("label", labels=("refund", "delivery")), "something"),
        (GradeSettings("json_fields"), "sorry"),
        (GradeSettings("regex", pattern=r"id (\d+)", group=1), "none"),
    ],
)
def test_an_answer_of_another_form_is_told_and_is_no_reference(
    settings: GradeSettings, ill: str
) -> None:
    good = {"numeric": "7", "label": "refund", "json_fields": '{"a": 1}', "regex": "id 7"}
    found = graded(settings, ill, good[settings.kind])
    assert (found.ill_formed, found.score, found.same) == (True, 0.0, False)
    found = graded(settings, good[settings.kind], ill)
    assert (found.ill_formed, found.score, found.same) == (False, None, False)


def test_text_is_never_ill_formed() -> None:
    assert not graded(GradeSettings("exact"), "(no label)", "(no JSON)").ill_formed


def test_a_judge_grades_an_answer_by_itself() -> None:
    ask, asked = verdicts("fine")
    settings = GradeSettings("judge", tool="judge", criteria="polite")
    assert graded(settings, "a fine one", ask=ask) == Graded(score=1.0)
    assert graded(settings, "a bad one", ask=ask) == Graded(score=0.0)
    assert [(each["tool"], each["operation"], each["model"]) for each in asked] == [
        ("judge", "chat", "big")
    ] * 2


def test_of_a_relative_bar_a_judge_judges_both() -> None:
    ask, asked = verdicts("fine")
    settings = GradeSettings("judge", tool="judge", criteria="polite")
    worse = graded(settings, "a bad one", "a fine one", relative=True, ask=ask)
    assert (worse.difference, worse.score, worse.same) == (-1.0, None, False)
    assert len(asked) == 2


def test_answers_that_are_the_same_take_no_judge() -> None:
    ask, asked = verdicts("fine")
    settings = GradeSettings("judge", tool="judge", criteria="polite")
    same = graded(settings, "one", " one ", relative=True, ask=ask)
    assert (same.difference, same.same, asked) == (0.0, True, [])


def test_a_judge_that_does_not_answer_leaves_an_answer_ungraded() -> None:
    async def silent(*_: object) -> str | None:
        return None

    settings = GradeSettings("judge", tool="judge", criteria="polite")
    with pytest.raises(UngradedError, match="did not answer"):
        graded(settings, "one", ask=silent)


def test_a_judge_that_speaks_anthropic_is_asked_so() -> None:
    seen = []

    async def ask(_: str, tool: str, operation: Operation, body: bytes) -> str | None:
        seen.append((tool, operation.name, b"max_tokens" in body))
        return "fine"

    claude = Tool("claude", "anthropic", model="opus", url="http://127.0.0.1:1/v1")
    assert asyncio.run(GatewayAsker(ask, "letters").ask(claude, ASKED)) == Answer("fine")
    assert seen == [("claude", "messages", True)]


@pytest.mark.parametrize(
    "tool",
    [
        Tool("rules", "rules", file="rules.toml"),
        Tool("bare", "openai", url="http://127.0.0.1:1/v1"),
    ],
)
def test_a_judge_that_no_request_can_be_made_for_fails(tool: Tool) -> None:
    async def ask(*_: object) -> str | None:
        raise AssertionError

    assert isinstance(asyncio.run(GatewayAsker(ask, "letters").ask(tool, ASKED)), Failure)


def test_a_schema_grades_an_answer_by_itself(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["a"]}')
    settings = GradeSettings("json_schema", schema="schema.json")
    assert graded(settings, '{"a": 1}', folder=tmp_path) == Graded(score=1.0)
    assert graded(settings, "{}", folder=tmp_path) == Graded(score=0.0)


def test_a_pattern_that_has_to_be_found_grades_an_answer_by_itself() -> None:
    assert graded(GradeSettings("regex", pattern="refund"), "a refund") == Graded(score=1.0)


@pytest.mark.parametrize("kind", ["person", "regex", "json_schema"])
def test_where_only_people_or_a_reference_can_say_answers_are_compared(kind: GradeKind) -> None:
    found = graded(GradeSettings(kind), "one", "two")
    assert found == Graded(same=False)


def test_a_command_is_given_the_old_answer_as_the_reference(tmp_path: Path) -> None:
    script = tmp_path / "grade.py"
    script.write_text(
        "import json, sys\n"
        "case = json.load(sys.stdin)\n"
        "print(float(case['answer'] in case['reference']))\n"
    )
    settings = GradeSettings("command", command=("python3", "grade.py"))
    found = graded(settings, "refund", "a refund", folder=tmp_path)
    assert (found.score, found.by_old, found.same) == (1.0, True, False)


def test_an_answer_that_is_very_long_is_not_graded() -> None:
    with pytest.raises(UngradedError, match="too long"):
        graded(GradeSettings("exact"), "x" * (MAX_CHARACTERS + 1), "x")


def test_an_answer_whose_reference_cannot_be_used_is_ungraded() -> None:
    with pytest.raises(UngradedError, match="no right answer"):
        graded(GradeSettings("one_of"), "a", " ")


@pytest.mark.parametrize(
    ("settings", "relative", "both"),
    [
        (GradeSettings("exact"), False, True),
        (GradeSettings("judge", tool="judge"), False, False),
        (GradeSettings("judge", tool="judge"), True, True),
        (GradeSettings("person"), False, True),
    ],
)
def test_both_tools_are_asked_only_where_that_is_needed(
    settings: GradeSettings,
    relative: bool,  # noqa: FBT001 - a parameter of the test
    both: bool,  # noqa: FBT001 - as above
) -> None:
    async def ask(*_: object) -> str | None:
        return None

    grader = make_grader(settings, GatewayAsker(ask, "letters"), None, {"judge": JUDGE}, {})
    assert Grading(settings, grader, relative=relative).needs_both == both


def made(bar: Bar | None, grade: GradeSettings) -> Mapping[str, Grading]:
    workflows = {"replies": Workflow("replies", bar=bar)}
    plans = [TrialPlan("replies", "cases.jsonl", grade=grade), TrialPlan("gone", "cases.jsonl")]
    return gradings_of(plans, workflows, {}, None, None, {})  # type: ignore[arg-type]


def test_a_workflow_without_a_bar_is_not_graded() -> None:
    assert made(None, GradeSettings("exact")) == {}


def test_a_relative_bar_makes_a_grading_relative() -> None:
    found = made(Bar(within=0.02, of="opus"), GradeSettings("exact"))
    assert list(found) == ["replies"]
    assert found["replies"].needs_both


def test_a_grader_that_cannot_be_made_leaves_comparisons() -> None:
    grading = made(Bar(at_least=0.9), GradeSettings("judge", tool="gone"))["replies"]
    assert grading.reference == "never"
    assert asyncio.run(grading.grade(ASKED, "one", "one ")) == Graded(same=True)
    with pytest.raises(UngradedError, match="no grader"):
        asyncio.run(grading.grade(ASKED, "one", None))
