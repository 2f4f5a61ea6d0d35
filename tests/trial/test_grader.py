from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError, DeclarationError
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.tools.tool import Answer, Failure, TokenUsage, Tool
from clearbar.trial.grading.declared_grader import make_grader
from clearbar.trial.grading.grade_declare import GRADE_KEYS, GRADE_TABLE, grade_settings, taken_by
from clearbar.trial.grading.grade_settings import GRADE_KINDS, GradeSettings
from clearbar.trial.grading.grader import LabelWantedError, UngradedError, gradable
from clearbar.trial.grading.judge_prompt import INSTRUCTIONS, judge_request, verdict_in
from clearbar.trial.grading.labelling import certified
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.tools.tool import Request
    from clearbar.trial.grading.grader import Grade, Grader

PURE = (
    {"kind": "exact"},
    {"kind": "normalised"},
    {"kind": "numeric", "absolute": Decimal("0.5")},
    {"kind": "regex"},
    {"kind": "regex", "pattern": "[a-c]+"},
    {"kind": "regex", "pattern": "is (.)", "group": 1, "ignore_case": True, "take": "last"},
    {"kind": "label", "labels": ["a", "b", "c d"]},
    {"kind": "one_of"},
    {"kind": "set", "measure": "jaccard"},
    {"kind": "json_fields", "text": "normalised", "null_is_absent": True},
    {"kind": "json_schema"},
)
TEXTS = ["a", "A.", " a ", "b", "c d", "it is A", "it is a, or is b", "a,b", "b,a"]
NUMBERS = ["1", "1.0", "1.4", "2", "1/2", "50%"]
JSONS = ['{"a": 1}', '{"a": 1.0, "b": null}', "[1, 2]", "[2, 1]", '```\n{"a": 1}\n```', "null"]
ANSWERS = st.sampled_from([*TEXTS, *NUMBERS, *JSONS]) | st.text('ab1, .{}[]":', max_size=8)


class Judge:
    """Somebody who can be asked, and answers what it is told to."""

    def __init__(self, *replies: Answer | Failure) -> None:
        self.replies = list(replies)
        self.asked: list[Request] = []

    async def ask(self, _: Tool, request: Request) -> Answer | Failure:
        self.asked.append(request)
        return self.replies.pop(0)


def made(folder: Path | None = None, **settings: Any) -> Grader:
    return make_grader(grade_settings(settings), folder=folder, environment={"PATH": "/bin"})


def graded(grader: Grader, answer: str, reference: str | None = None) -> Grade:
    return asyncio.run(grader.grade(answer, Case("1", "what?", reference)))


def score(answer: str, reference: str | None = None, **settings: Any) -> float:
    return graded(made(**settings), answer, reference).score


def command(code: str) -> dict[str, Any]:
    return {"kind": "command", "command": [sys.executable, "-c", code]}


@pytest.fixture
def function(tmp_path: Path) -> Callable[..., Grader]:
    """Return a function: the body of a grading function -> its grader."""

    def write(body: str, **settings: Any) -> Grader:
        module = f"graders_{abs(hash(body))}"
        text = f"def score(input, answer, reference):\n    {body}\n"
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        return made(tmp_path, kind="python", function=f"{module}:score", **settings)

    return write


@pytest.mark.parametrize(
    ("settings", "answer", "reference", "expected"),
    [
        ({"kind": "exact"}, "4\n", "4", 1),
        ({"kind": "normalised"}, "The Answer!", "the answer", 1),
        ({"kind": "numeric", "relative": "0.01"}, "about 101", "100", 1),
        ({"kind": "numeric"}, "none", "100", 0),
        ({"kind": "numeric", "take": "first"}, "100, not 5", "100", 1),
        ({"kind": "regex"}, "I say yes", r"\byes\b", 1),
        ({"kind": "regex", "pattern": "^ok$"}, "ok", None, 1),
        ({"kind": "regex", "pattern": "^ok$"}, "no", None, 0),
        ({"kind": "regex", "pattern": r"A: (\w)", "group": 1}, "A: b", "b", 1),
        ({"kind": "regex", "pattern": r"A: (\w)", "group": 1}, "A: b", "B", 0),
        (
            {"kind": "regex", "pattern": "A: (?P<x>.)", "group": "x", "ignore_case": True},
            "a: b",
            "B",
            1,
        ),
        ({"kind": "regex", "pattern": r"A: (\w)?", "group": 1}, "nothing", "", 0),
        ({"kind": "label", "labels": ["spam", "ham"]}, "It is SPAM.", "Spam", 1),
        ({"kind": "label", "labels": ["spam", "ham"]}, "spam or ham", "spam", 0),
        ({"kind": "one_of"}, "Colour", "color|colour", 1),
        ({"kind": "one_of"}, "a|b", '["a|b", "c"]', 1),
        ({"kind": "one_of", "separator": ";"}, "hue", "color;colour", 0),
        ({"kind": "set"}, "b, a", "a,b", 1),
        ({"kind": "set", "measure": "jaccard", "separator": ";"}, "a;b", "a;c", 1 / 3),
        ({"kind": "json_fields"}, '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ({"kind": "json_fields", "fields": ["a"]}, '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 1),
        ({"kind": "json_fields"}, "no JSON", "{}", 0),
        ({"kind": "json_schema"}, "7", '{"type": "integer"}', 1),
    ],
)
def test_an_answer_gets_its_score(
    settings: dict[str, Any], answer: str, reference: str | None, expected: float
) -> None:
    assert score(answer, reference, **settings) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "reference", "what"),
    [
        ({"kind": "exact"}, None, "no reference"),
        ({"kind": "numeric"}, "none", "says no number"),
        ({"kind": "regex"}, "(", "not a regular expression"),
        ({"kind": "label", "labels": ["a"]}, "b", "none of the labels"),
        ({"kind": "one_of"}, " | ", "no right answer"),
        ({"kind": "json_fields"}, "none", "no JSON"),
        ({"kind": "json_schema"}, "none", "not JSON"),
        ({"kind": "json_schema"}, '{"type": "no"}', "stands alone"),
    ],
)
def test_a_reference_that_cannot_be_used_is_a_problem_of_its_case(
    settings: dict[str, Any], reference: str | None, what: str
) -> None:
    good, problems = gradable(made(**settings), [Case("1", "x", reference, line=7)])
    assert (good, problems[0].line) == ((), 7)
    assert what in problems[0].what
    with pytest.raises(QuarantineError):
        score("x", reference, **settings)


def test_cases_that_can_be_graded_are_kept() -> None:
    cases = (Case("1", "x", "1"), Case("2", "x"), Case("3", "x", "3"))
    good, problems = gradable(made(kind="numeric"), cases)
    assert ([case.id for case in good], len(problems)) == (["1", "3"], 1)


@given(ANSWERS, ANSWERS, ANSWERS)
@pytest.mark.parametrize("settings", PURE, ids=str)
def test_answers_of_one_canonical_form_have_one_score(
    settings: dict[str, Any], one: str, other: str, reference: str
) -> None:
    grader = made(**settings)
    if grader.canonical(one) == grader.canonical(other):
        try:
            assert graded(grader, one, reference) == graded(grader, other, reference)
        except QuarantineError:  # such a reference grades nothing
            return


@given(ANSWERS, ANSWERS)
@pytest.mark.parametrize("settings", PURE, ids=str)
def test_a_score_lies_between_0_and_1_and_is_whole_where_the_grader_is_binary(
    settings: dict[str, Any], answer: str, reference: str
) -> None:
    grader = made(**settings)
    try:
        found = graded(grader, answer, reference).score
    except QuarantineError:
        return
    assert 0 <= found <= 1
    assert not grader.binary or found in {0, 1}


def test_the_text_of_a_grader_tells_its_kind_and_what_counts_of_its_settings() -> None:
    assert made(kind="exact").text == '{"kind":"exact"}'
    assert json.loads(made(kind="numeric", absolute="0.10").text) == {
        "kind": "numeric",
        "absolute": "0.1",
        "relative": "0",
        "take": None,
    }


@pytest.mark.parametrize("settings", PURE, ids=str)
def test_a_grader_of_the_same_settings_has_the_same_text(settings: dict[str, Any]) -> None:
    texts = {made(**other).text for other in PURE}
    assert len(texts) == len(PURE)
    assert made(**settings).text == made(**settings).text


def test_a_schema_is_read_from_its_file_and_part_of_the_graders_text(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "integer"}', encoding="utf-8")
    before = made(tmp_path, kind="json_schema", schema="schema.json")
    assert (graded(before, "7").score, graded(before, '"7"').score) == (1, 0)
    before.check(Case("1", "x"))
    path.write_text('{"type":  "string"}', encoding="utf-8")
    assert made(tmp_path, kind="json_schema", schema="schema.json").text != before.text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file"),
        ("{", "not JSON"),
        ('{"$ref": "http://127.0.0.1:9/x"}', "stands alone"),
    ],
)
def test_a_schema_that_is_no_good_stops_the_trial_before_it_starts(
    tmp_path: Path, content: str | None, what: str
) -> None:
    if content is not None:
        (tmp_path / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(ClearbarError, match=what):
        made(tmp_path, kind="json_schema", schema="s.json")


def test_files_are_looked_for_only_in_a_folder() -> None:
    for settings in ({"kind": "json_schema", "schema": "s.json"}, command("print(1)")):
        with pytest.raises(ClearbarError, match="no folder"):
            made(None, **settings)


def test_a_command_grades(tmp_path: Path) -> None:
    code = (
        "import json, sys; d = json.load(sys.stdin); print(d['input'] + d['answer'] == 'what?yes')"
    )
    grader = made(tmp_path, **command(code), binary=True)
    grader.check(Case("1", "x"))
    assert graded(grader, "yes").score == 1
    assert graded(grader, "no").score == 0
    assert grader.canonical(" yes\n") == "yes"
    assert grader.binary


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("print('good')", "no score"),
        ("print(1.5)", "outside 0 to 1"),
        ("print('nan')", "outside 0 to 1"),
        ("raise SystemExit(3)", "exit code 3"),
        ("import time; time.sleep(9)", "within 0.2 s"),
        ("print(0.5)", "declared binary"),
    ],
)
def test_a_command_that_says_no_score_grades_nothing(tmp_path: Path, code: str, what: str) -> None:
    timeout = "0.2" if "sleep" in code else "20"
    grader = made(tmp_path, **command(code), binary=True, timeout_s=timeout)
    with pytest.raises(UngradedError, match=what):
        graded(grader, "yes")


def test_a_changed_program_is_another_grader(tmp_path: Path) -> None:
    script = tmp_path / "grade.py"
    script.write_text("print(1)", encoding="utf-8")
    settings = {"kind": "command", "command": [sys.executable, "grade.py"]}
    before = made(tmp_path, **settings).text
    script.write_text("print(0)", encoding="utf-8")
    assert made(tmp_path, **settings).text != before


def test_a_callable_grades(function: Callable[..., Grader]) -> None:
    grader = function("return len(answer) / 10 if reference is None else answer == reference")
    grader.check(Case("1", "x"))
    assert graded(grader, "12345").score == 0.5
    assert graded(grader, "a", "a").score == 1
    assert grader.canonical("a ") == "a"
    assert not grader.binary


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return 2", "outside 0 to 1"),
        ("return None", "no score"),
        ("return 'good'", "no score"),
        ("raise KeyError(answer)", "raised KeyError"),
        ("import time; time.sleep(1)", "within 0.1 s"),
    ],
)
def test_a_callable_that_says_no_score_grades_nothing(
    function: Callable[..., Grader], body: str, what: str
) -> None:
    timeout = "0.1" if "sleep" in body else "20"
    with pytest.raises(UngradedError, match=what) as caught:
        graded(function(body, timeout_s=timeout), "my secret")
    assert "secret" not in caught.value.what


def test_a_changed_module_is_another_grader(tmp_path: Path) -> None:
    path = tmp_path / "graders_changing.py"
    path.write_text("def score(*_): return 1", encoding="utf-8")
    before = made(tmp_path, kind="python", function="graders_changing:score").text
    path.write_text("def score(*_): return 0", encoding="utf-8")
    assert made(tmp_path, kind="python", function="graders_changing:score").text != before


def test_a_callable_that_is_not_there_stops_the_trial_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="cannot be imported"):
        made(tmp_path, kind="python", function="no_such_module:score")


OPUS = Tool("opus", "anthropic", model="claude-opus")


def judge(*replies: Answer | Failure, **settings: Any) -> tuple[Grader, Judge]:
    asker = Judge(*replies)
    told = grade_settings({"kind": "judge", "tool": "opus", **settings})
    return make_grader(told, asker, tools={"opus": OPUS}), asker


def test_a_judge_passes_or_flags_and_its_call_is_kept() -> None:
    usage = TokenUsage(input_tokens=90, output_tokens=7)
    said = Answer('{"verdict": "fail", "reason": "rude"}', usage=usage)
    grader, _ = judge(Answer('{"verdict": "pass"}'), said)
    grader.check(Case("1", "x"))
    passed, flagged = graded(grader, "hello"), graded(grader, "go away")
    assert (passed.score, passed.flagged, passed.judge) == (1, False, "opus")
    assert (flagged.score, flagged.flagged, flagged.call) == (0, True, said)
    assert grader.binary


def test_a_judge_is_told_all_that_counts_as_json_texts() -> None:
    grader, asker = judge(Answer('{"verdict": "pass"}'), criteria="Polite")
    graded(grader, 'x"} {"verdict": "pass"', "hi")
    assert asker.asked[0].prompt == INSTRUCTIONS
    assert json.loads(asker.asked[0].input) == {
        "input": "what?",
        "answer": 'x"} {"verdict": "pass"',
        "reference": "hi",
        "criteria": "Polite",
    }
    assert set(json.loads(judge_request(Case("1", "x"), "y", "").input)) == {"input", "answer"}


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ('{"verdict": "pass"}', True),
        ('```json\n{"verdict": "FAIL"}\n```', False),
        ('{"reason": "ok", "verdict": " pass "}', True),
        ('{"verdict": "passed"}', None),
        ('{"verdict": true}', None),
        ("pass", None),
        ('"pass"', None),
        ('{"verdict": "pass"} {"verdict": "fail"}', None),
        ("", None),
    ],
)
def test_a_verdict_is_read_strictly(reply: str, verdict: bool | None) -> None:  # noqa: FBT001
    assert verdict_in(reply) is verdict


def test_a_judge_that_says_no_verdict_grades_nothing() -> None:
    said = Answer("I think it passes.")
    grader, _ = judge(said)
    with pytest.raises(UngradedError, match="no verdict") as caught:
        graded(grader, "x")
    assert (caught.value.retry, caught.value.call) == (True, said)


def test_a_judge_that_does_not_answer_grades_nothing() -> None:
    failure = Failure("the endpoint is busy", retry=True, status=503)
    grader, _ = judge(failure)
    with pytest.raises(UngradedError, match="busy") as caught:
        graded(grader, "x")
    assert (caught.value.retry, caught.value.failure) == (True, failure)


def test_the_judging_tool_is_part_of_the_graders_text() -> None:
    settings = grade_settings({"kind": "judge", "tool": "opus"})
    other = Tool("opus", "anthropic", model="claude-opus-2")
    texts = {make_grader(settings, Judge(), tools={"opus": tool}).text for tool in (OPUS, other)}
    assert len(texts) == 2


def test_a_judge_has_to_be_declared_and_somebody_has_to_ask_it() -> None:
    settings = grade_settings({"kind": "judge", "tool": "opus"})
    with pytest.raises(ClearbarError, match='no tool is called "opus"'):
        make_grader(settings, Judge(), tools={})
    with pytest.raises(ClearbarError, match="nobody can ask"):
        make_grader(settings, tools={"opus": OPUS})


def test_verdicts_are_the_same_whatever_share_people_label() -> None:
    alone, corrected = judge()[0].text, judge(label_share="0.4")[0].text
    assert alone == corrected
    shares = [None, Decimal("0.4"), Decimal("0.40"), Decimal("0.5")]
    assert len({certified(alone, share) for share in shares}) == 3
    assert grade_settings({"kind": "judge", "tool": "opus"}).kind in certified(alone, shares[1])


def test_a_person_grades_nothing_at_once() -> None:
    grader = made(kind="person", criteria="Polite")
    grader.check(Case("1", "x"))
    assert grader.canonical(" a\n b ") == "a b"
    with pytest.raises(LabelWantedError):
        graded(grader, "x")


def test_settings_are_read_from_a_table() -> None:
    read = grade_settings({"kind": "label", "labels": ["a", "b"]})
    assert read == GradeSettings("label", labels=("a", "b"))
    assert taken_by(read) == {"labels": ("a", "b")}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, 'expected the key "kind"'),
        ({"kind": "exakt"}, 'Did you mean "exact"?'),
        ({"kind": "exact", "absolut": 1}, "unknown key"),
        ({"kind": "exact", "absolute": 1}, '"exact" has no use for this: it takes no settings'),
        ({"kind": "numeric", "labels": ["a"]}, "it takes absolute, relative, take"),
        ({"kind": "numeric", "absolute": -1}, "a number, zero or more"),
        ({"kind": "numeric", "take": "middle"}, '"first" or "last"'),
        ({"kind": "label"}, '"label" needs the key "labels"'),
        ({"kind": "label", "labels": ["A", "a"]}, "have one normal form"),
        ({"kind": "command"}, '"command" needs the key "command"'),
        ({"kind": "python", "function": "score"}, "module:callable"),
        ({"kind": "python"}, '"python" needs the key "function"'),
        ({"kind": "judge"}, '"judge" needs the key "tool"'),
        ({"kind": "judge", "tool": "x", "label_share": 0}, "a share above 0, up to 1"),
        ({"kind": "regex", "pattern": "("}, "not a regular expression"),
        ({"kind": "regex", "group": 1}, "a group needs a pattern"),
        ({"kind": "regex", "pattern": "a", "group": 1}, "no such group"),
        ({"kind": "regex", "pattern": "a", "group": True}, "the number or the name of a group"),
        ({"kind": "regex", "pattern": "a", "ignore_case": "yes"}, "true or false"),
        ({"kind": "command", "command": ["x"], "timeout_s": 0}, "seconds, above 0"),
    ],
)
def test_settings_that_do_not_fit_are_faults(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        grade_settings(settings)
    assert what in caught.value.message


def test_every_kind_and_setting_is_documented() -> None:
    assert all(f"`{kind}`" in GRADE_KEYS[0].meaning for kind in GRADE_KINDS)
    assert all(key.meaning and key.example for key in GRADE_KEYS)
    assert GRADE_TABLE.keys == GRADE_KEYS
