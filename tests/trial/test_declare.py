"""What `[[trial]]` of clearbar.toml may say, and what is said of one that says something else."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import DeclarationError
from clearbar.core.toml_table import Faults, Place, Table, reference
from clearbar.trial.declare import TRIAL_KEYS, check_names, read_trial
from clearbar.trial.grading.grade_settings import GradeSettings
from clearbar.trial.plan import CERTIFY_BY_STAKES, FRESH_DAYS_BY_STAKES, TrialPlan
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from clearbar.own.workflow import Stakes

LEAST = """\
workflow = "letters"
cases = "cases/letters.jsonl"
tools = ["rules", "haiku"]
grade = { kind = "normalised" }
"""
ALL = (
    LEAST
    + """\
prompt = "Answer in one word."
error_rate = 0.02
drop_rate = "0.2"
slack = 0.02
futility = 0
max_usd = "5.00"
max_cases = 500
train_share = 0.5
seed = 7
concurrency = 8
capture = true
"""
)


def read(
    text: str, workflows: str = "letters", tools: tuple[str, ...] = ("rules", "haiku")
) -> TrialPlan:
    values = tomllib.loads(text, parse_float=Decimal)
    faults = Faults("clearbar.toml", text)
    place = Place(faults)
    plan = read_trial(Table(values, place, TRIAL_KEYS))
    check_names(plan, place, [workflows], tools)
    faults.raise_if_any()
    return plan


def faults(text: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        read(text)
    return caught.value.message


def test_a_trial_needs_a_workflow_cases_tools_and_a_grader() -> None:
    plan = read(LEAST)
    assert plan == TrialPlan(
        "letters",
        "cases/letters.jsonl",
        ("rules", "haiku"),
        GradeSettings("normalised"),
        line=1,
    )
    said = faults("seed = 1\n")
    for key in ("workflow", "cases", "tools", "grade"):
        assert f'expected the key "{key}"' in said


def test_every_key_is_read() -> None:
    plan = read(ALL)
    assert plan.error("high") == Error(0.02, 0.2, 0.02, 0.0)
    assert (plan.max_usd, plan.max_cases, plan.train_share) == (Decimal(5), 500, 0.5)
    assert (plan.seed, plan.concurrency, plan.capture) == (7, 8, True)
    assert plan.prompt == "Answer in one word."


def test_a_prompt_may_stand_in_a_file() -> None:
    assert read(LEAST + 'prompt_file = "prompts/letters.txt"\n').prompt_file is not None


@pytest.mark.parametrize("stakes", ["high", "normal", "low"])
def test_error_rates_follow_from_the_stakes(stakes: Stakes) -> None:
    plan = TrialPlan("letters", "cases.jsonl")
    assert plan.error(stakes) == Error(CERTIFY_BY_STAKES[stakes], 0.1, 0.01, 0.05)
    assert list(CERTIFY_BY_STAKES.values()) == sorted(CERTIFY_BY_STAKES.values())
    assert list(FRESH_DAYS_BY_STAKES.values()) == sorted(FRESH_DAYS_BY_STAKES.values())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('prompt = "a"\nprompt_file = "b"', "clearbar.toml:6: prompt_file: stands beside prompt"),
        ("error_rate = 0.5", "clearbar.toml:5: error_rate: expected a rate above 0 and below 0.5"),
        ("error_rate = 0", "expected a rate above 0"),
        ("futility = 1", "expected a share from 0 to below 1"),
        ("max_cases = 0", "expected a whole number from 1 to 1000000, found 0"),
        ("max_cases = 1.5", "expected a whole number"),
        ("seed = true", "expected a whole number"),
        ('capture = "yes"', 'expected true or false, found "yes"'),
        ('max_usd = "lots"', "expected US dollars"),
        ("tool = 1", 'unknown key. Did you mean "tools"?'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, fault: str) -> None:
    assert fault in faults(f"{LEAST}{line}\n")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("[]", "clearbar.toml:3: tools: expected at least one tool, found none"),
        ('["haiku", "haiku"]', 'clearbar.toml:3: tools: "haiku" is named twice'),
        ('["haikoo"]', 'tools: no tool is called "haikoo". Did you mean "haiku"?'),
    ],
)
def test_tools_are_named_once_and_have_to_be_declared(said: str, fault: str) -> None:
    assert fault in faults(LEAST.replace('["rules", "haiku"]', said))


def test_the_workflow_has_to_be_declared() -> None:
    text = LEAST.replace('"letters"', '"leters"')
    assert 'workflow: no workflow is called "leters". Did you mean "letters"?' in faults(text)


def test_a_person_has_to_see_the_answers() -> None:
    text = LEAST.replace("normalised", "person")
    assert "grade: a person has to see the answers: declare capture = true" in faults(text)
    assert read(text + "capture = true\n").grade.kind == "person"


def test_a_fault_in_the_grader_is_a_fault_of_the_trial() -> None:
    assert "grade" in faults(LEAST.replace("normalised", "normalized"))


def test_every_key_is_documented_with_an_example() -> None:
    docs = reference(TRIAL_KEYS)
    assert {doc.name for doc in docs if not doc.table} == {key.name for key in TRIAL_KEYS}
    assert all(doc.meaning and doc.example for doc in docs if not doc.table)
