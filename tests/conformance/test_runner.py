"""The runner: what it gives a tool, how it judges, what it prints."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.case import CASES, Case, CaseError, case_in, cases
from tests.conformance.run import adapter, main, table
from tests.conformance.score import Abilities, Verdict, differences
from tests.conformance.tool import Tool, command, verdict

CASE = case_in(CASES / "one_message_on_three_lines")
STEPS = case_in(CASES / "read_twice_adds_nothing")
EXACT = case_in(CASES / "ten_times_a_tenth")
UNKNOWN = case_in(CASES / "unknown_model_has_no_price")
RIGHT = json.loads((CASES / CASE.name / "expected.json").read_text())
TOTALS: dict[str, Any] = RIGHT["totals"]
ABLE = Abilities(frozenset({"claude_code", "openai_answers"}), frozenset({"state"}))


def wrong(printed: dict[str, Any], case: Case = CASE) -> list[str]:
    return differences(case, case.steps[-1], printed)


def tool(script: str, words: str = "{files}", able: Abilities = ABLE) -> Tool:
    return command("made", f"{sys.executable} -c {shlex.quote(script)} {words}", able)


def saying(answer: object) -> str:
    return f"print('''{json.dumps(answer)}''')"


def test_what_a_charge_does_not_tell_is_not_judged() -> None:
    [charge] = RIGHT["charges"]
    told = {"calls": 1, "cost_usd": charge["cost_usd"]}
    assert wrong(TOTALS | {"charges": [told]}) == []
    assert len(wrong(TOTALS | {"charges": [told | {"tokens": {"output": 9}}]})) == 2


def test_binary_fractions_are_forgiven_in_charges_too() -> None:
    told = RIGHT["charges"][0] | {"cost_usd": 0.004140000000000001}
    assert wrong(TOTALS | {"charges": [told]}) == []


def test_the_order_of_charges_is_nobodys() -> None:
    case = case_in(CASES / "retry_is_paid_twice")
    expected = json.loads((CASES / case.name / "expected.json").read_text())
    assert wrong(expected["totals"] | {"charges": expected["charges"][::-1]}, case) == []


def test_charges_that_are_no_objects_are_no_answer() -> None:
    with pytest.raises(CaseError, match="has to be an object"):
        wrong(TOTALS | {"charges": ["one"]})


def test_the_expected_totals_pass() -> None:
    assert wrong(TOTALS | {"charges": RIGHT["charges"]}) == []


def test_what_a_tool_does_not_print_is_not_judged() -> None:
    assert wrong({"cost_usd": TOTALS["cost_usd"]}) == []


def test_a_wrong_count_says_by_how_much() -> None:
    tokens = TOTALS["tokens"] | {"output": 177}
    assert wrong({"tokens": tokens}) == ["output tokens: 177, not 159 (+18)"]


def test_a_wrong_cost_says_by_how_much_and_how_many_times() -> None:
    doubled = str(2 * float(TOTALS["cost_usd"]))
    assert wrong({"cost_usd": doubled})[0].endswith("2 times)")


def test_binary_fractions_are_forgiven_where_the_case_is_not_about_them() -> None:
    noisy = float(TOTALS["cost_usd"]) * (1 + 1e-13)
    assert wrong({"cost_usd": noisy}) == []
    assert wrong({"cost_usd": 0.9999999999999999}, EXACT)
    assert wrong({"cost_usd": "1.0"}, EXACT) == []


def test_text_is_exact() -> None:
    assert wrong({"cost_usd": TOTALS["cost_usd"] + "0000000000001"})


def test_zero_is_not_unknown() -> None:
    assert wrong({"cost_usd": 0}, UNKNOWN) == ["cost: $0, not unknown"]
    assert wrong({"cost_usd": None}, UNKNOWN) == []
    assert wrong({"cost_usd": None}) == [f"cost: unknown, not ${TOTALS['cost_usd']}"]


def test_what_is_no_amount_is_wrong() -> None:
    assert wrong({"cost_usd": "much"}) == ["cost: 'much' is no amount"]


def test_charges_that_only_sum_to_the_total_are_wrong() -> None:
    halves = [dict(RIGHT["charges"][0], model="another")]
    assert len(wrong(TOTALS | {"charges": halves})) == 2


@pytest.mark.parametrize(
    ("able", "why"),
    [
        (Abilities(frozenset()), "does not read openai_answers"),
        (Abilities(ABLE.reads), "cannot take state"),
        (Abilities(ABLE.reads, ABLE.needs, frozenset({"pricing"})), "is not for reading"),
    ],
)
def test_a_case_that_a_tool_cannot_take_is_not_applicable(able: Abilities, why: str) -> None:
    found = verdict(tool("raise SystemExit(1)", able=able), STEPS)
    assert found == Verdict(STEPS.name, "not applicable", (why,))


def test_a_tool_that_tells_nothing_does_not_pass() -> None:
    found = verdict(tool(saying({"calls": 1})), CASE)
    assert found == Verdict(CASE.name, "not applicable", ("tells no tokens and no cost_usd",))


def test_tokens_alone_decide_nothing_about_a_price() -> None:
    found = verdict(tool(saying({"tokens": {"input": 1000, "output": 100}})), UNKNOWN)
    assert found.why == ("tells no cost_usd",)


def test_a_tool_may_say_that_a_case_is_not_applicable() -> None:
    found = verdict(tool(saying({"not_applicable": "no such agent"})), CASE)
    assert found.outcome == "not applicable"


def test_a_command_is_given_the_files_and_what_was_declared() -> None:
    script = "import sys, json; print(json.dumps({'not_applicable': ' '.join(sys.argv[1:])}))"
    found = verdict(tool(script, "{formats} {declared} {state} {files}"), CASE)
    formats, declared, state, file = found.why[0].split()
    assert formats == "claude_code"
    assert Path(declared).parent == Path(state)
    assert Path(file).name == "session.jsonl"


def test_the_folder_of_a_case_is_kept_between_its_steps() -> None:
    script = (
        "import sys, json, pathlib; seen = pathlib.Path(sys.argv[1], 'seen');"
        "answer = {'not_applicable': 'kept'} if seen.exists() else {'cost_usd': '0.000135'};"
        "seen.touch(); print(json.dumps(answer))"
    )
    assert verdict(tool(script, "{state}"), STEPS).why == ("kept",)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("raise SystemExit('no such file')", "no answer: exit code 1: no such file"),
        ("raise SystemExit(2)", "no answer: exit code 2: no message"),
        ("print('total: 12')", "no answer: it did not print JSON"),
        ("print([])", "no answer: it did not print an object"),
        (saying({"tokens": {"all": 3}}), "no answer: tokens have to be of"),
    ],
)
def test_a_tool_without_an_answer_failed(script: str, why: str) -> None:
    found = verdict(tool(script), CASE)
    assert found.outcome == "failed"
    assert found.why[0].startswith(why)


def test_a_command_that_is_not_there_failed() -> None:
    found = verdict(command("made", "no-such-program {files}", ABLE), CASE)
    assert found.why[0].startswith("no answer: cannot be started")


def test_the_step_that_is_wrong_is_named() -> None:
    script = saying(TOTALS | {"calls": 2})
    found = verdict(tool(script), replace(CASE, steps=(*CASE.steps, *CASE.steps)))
    assert found.why == ("step 1: calls: 2, not 1 (+1)",)


def test_a_killed_tool_is_not_asked_for_an_answer() -> None:
    killed = replace(CASE.steps[0], expected=None, kill_after_s=0.1)
    slow = tool("import time; time.sleep(60)")
    assert verdict(slow, replace(CASE, steps=(killed,))).outcome == "passed"


def test_a_table_ends_with_the_counts() -> None:
    rows = [Verdict("a", "failed", ("one", "two")), Verdict("b", "passed")]
    text = table(rows).splitlines()
    assert text[0] == "a  failed          one"
    assert text[1].strip() == "two"
    assert text[-1] == "passed 1, failed 1, not applicable 0"


def test_the_command_line_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{sys.executable} -c {shlex.quote(saying(TOTALS))} {{files}}", "--reads"]
    code = main(["--tool", *words, "claude_code", "--only", CASE.name, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["passed"], told["format"]) == (1, 1)
    assert told["cases"] == [{"case": CASE.name, "outcome": "passed", "why": []}]


def test_the_command_line_fails_with_the_tool(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{sys.executable} -c pass {{files}}", "--reads", "claude_code", "--only", CASE.name]
    assert main(["--tool", *words]) == 1
    assert "failed 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["my-tool {files}", "--reads", "claude_cod"], "no case knows claude_cod"),
        (["my-tool {files}", "--needs", "prices"], "no case knows prices"),
        (["my-tool", "--reads", "codex"], "{files} is missing"),
    ],
)
def test_a_slip_is_no_case_that_is_not_applicable(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--tool", *words])
    assert why in capsys.readouterr().err


def test_the_list_says_what_a_case_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", STEPS.name]) == 0
    first, title = capsys.readouterr().out.splitlines()
    assert first == f"{STEPS.name}: openai_answers; reading, needs state"
    assert title.strip() == STEPS.title


def test_the_readme_says_what_each_format_is() -> None:
    text = (CASES.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for case in cases() for name in (*case.formats, *case.needs))


def test_a_case_of_another_format_of_cases_is_refused(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("format = 2\n")
    with pytest.raises(CaseError, match="its format is 2"):
        case_in(tmp_path)


@pytest.mark.parametrize("name", ["ccusage", "clearbar", "litellm_cost"])
def test_an_adapter_says_what_it_can_do(name: str) -> None:
    able = adapter(name).abilities
    assert able.reads
    assert able.asks <= {"reading", "pricing"}


@pytest.mark.slow
def test_the_adapter_of_clearbar_runs_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--adapter", "clearbar", "--only", CASE.name]) == 0
    assert "passed 1" in capsys.readouterr().out


def test_a_case_without_its_files_says_so(tmp_path: Path) -> None:
    text = (CASES / CASE.name / "case.toml").read_text()
    (tmp_path / "case.toml").write_text(text)
    with pytest.raises(CaseError, match="is missing"):
        case_in(tmp_path)


def test_a_case_without_a_title_says_so(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("step = []\n")
    with pytest.raises(CaseError, match="title"):
        case_in(tmp_path)
