"""The verbs of `clearbar trial`, run as a person would run them."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from clearbar.cli.distil_view import DISTIL_DOCS
from clearbar.cli.label import KEYS, Dialogue, read_key
from clearbar.cli.main import cli
from clearbar.trial.certifying.certificate_json import FIELD_DOCS
from clearbar.trial.forecast import FORECAST_DOCS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from click.testing import Result
    from tests.cli.conftest import CommandLine

RIGHT = {"opus": 0.99, "haiku": 0.98, "rules": 0.3}
USD = {"opus": "0.0061", "haiku": "0.00042", "rules": "0"}


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a table of scores of three tools on the same cases."""
    dice = random.Random(4)
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    rows = [
        {
            "case": f"c{number}",
            "tool": tool,
            "score": int(dice.random() < chance),
            "cost_usd": USD[tool],
            "category": "odd" if number % 2 else "even",
        }
        for number in range(700)
        for tool, chance in RIGHT.items()
    ]
    write(path, rows)
    return path


def write(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    listed = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)


def test_recorded_scores_decide_an_absolute_bar(clearbar: CommandLine, scores: Path) -> None:
    said = clearbar.anywhere("trial", "replay", scores, "--bar", "0.9", "--in-use", "opus")
    assert said.code == 0
    answer = " ".join(said.out.partition("\n\n")[0].split())
    assert answer.startswith("haiku clears score >= 0.9 and is the cheapest of 3 tools")
    assert "$0.42 per thousand cases instead of $6.10" in answer


def test_recorded_scores_decide_a_relative_bar_as_json(clearbar: CommandLine, scores: Path) -> None:
    found = clearbar.anywhere(
        "trial", "replay", scores, "--within", "0.05", "--of", "opus", "--json"
    ).json
    assert found["winner"] == "haiku"
    by_tool = {each["tool"]: each for each in found["findings"]}
    assert list(by_tool) == ["rules", "haiku", "opus"]
    assert by_tool["rules"]["outcome"] != "clears"
    assert by_tool["haiku"]["outcome"] == "clears"
    assert by_tool["haiku"]["usd_per_case"] == "0.00042"
    assert by_tool["haiku"]["low"] <= by_tool["haiku"]["mean"] <= by_tool["haiku"]["high"]
    assert by_tool["opus"]["reason"] == "incumbent"
    assert set(found) == {path for path in FIELD_DOCS if "." not in path}


@pytest.mark.parametrize(
    "options", [("--bar", "nan"), ("--within", "nan"), ("--bar", "0.9", "--error-rate", "nan")]
)
def test_what_is_no_number_is_no_bar_and_no_rate(
    clearbar: CommandLine, scores: Path, options: tuple[str, ...]
) -> None:
    said = clearbar.anywhere("trial", "replay", scores, *options)
    assert (said.code, "nan is no number" in said.err) == (2, True)


def test_replaying_twice_says_the_same(clearbar: CommandLine, scores: Path) -> None:
    one, other = (
        clearbar.anywhere("trial", "replay", scores, "--bar", ".9", "--seed", 3, "--json").json
        for _ in range(2)
    )
    assert one.pop("decided_at") <= other.pop("decided_at")
    assert one == other


def test_the_error_rate_can_be_chosen(clearbar: CommandLine, scores: Path) -> None:
    found = clearbar.anywhere(
        "trial", "replay", scores, "--bar", "0.9", "--error-rate", "0.001", "--json"
    ).json
    assert found["identity"]["error"]["certify"] == 0.001


def test_one_category_can_be_looked_at(clearbar: CommandLine, scores: Path) -> None:
    found = clearbar.anywhere(
        "trial", "replay", scores, "--bar", "0.9", "--category", "odd", "--json"
    ).json
    assert found["identity"]["cases"] == 350
    assert found["identity"]["workflow"] == "odd"


def test_a_category_that_is_not_there_names_the_nearest(
    clearbar: CommandLine, scores: Path
) -> None:
    said = clearbar.anywhere("trial", "replay", scores, "--bar", "0.9", "--category", "evne")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "even"?' in said.err
    assert "there are: even, odd" in said.err


def test_columns_of_other_names_are_told(clearbar: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    write(path, ({"id": f"c{n}", "model": "haiku", "ok": 1} for n in range(100)))
    columns = ("--case-column", "id", "--tool-column", "model", "--score-column", "ok")
    said = clearbar.anywhere("trial", "replay", path, "--bar", "0.9", *columns)
    assert said.out.startswith("haiku clears score >= 0.9: its price is not known")
    said = clearbar.anywhere("trial", "replay", path, "--bar", "0.9", "--category", "x", *columns)
    assert "no row has a category" in said.err
    assert "no column" in clearbar.anywhere("trial", "replay", path, "--bar", "0.9").err


def test_tiers_come_from_the_names_of_models_or_are_told(
    clearbar: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.csv"
    tools = ("claude-opus-4-6", "lookup")
    write(path, ({"case": f"c{n}", "tool": t, "score": 1} for n in range(60) for t in tools))
    found = clearbar.anywhere(
        "trial", "replay", path, "--bar", "0.9", "--tier", "lookup=none", "--json"
    ).json
    tiers = {each["tool"]: each["tier"] for each in found["findings"]}
    assert tiers == {"claude-opus-4-6": "frontier", "lookup": "none"}


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--bar", "0.9", "--within", "0.03", "--of", "opus"),
        ("--within", "0.03"),
        ("--bar", "0.9", "--of", "opus"),
        ("--bar", "1.2"),
        ("--bar", "0.9", "--error-rate", "0"),
        ("--bar", "0.9", "--tier", "opus=huge"),
        ("--bar", "0.9", "--tier", "opus"),
    ],
)
def test_a_bar_that_is_none_is_refused(
    clearbar: CommandLine, scores: Path, wrong: tuple[str, ...]
) -> None:
    said = clearbar.anywhere("trial", "replay", scores, *wrong)
    assert (said.code, said.out) == (2, "")


def test_the_page_is_written(clearbar: CommandLine, scores: Path, tmp_path: Path) -> None:
    page = tmp_path / "certificate.html"
    said = clearbar.anywhere("trial", "replay", scores, "--bar", "0.9", "--html", page)
    assert said.out.splitlines()[-1] == f"the page: {page}"
    assert "haiku clears score" in page.read_text()


def test_replaying_needs_no_workspace(
    scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["trial", "replay", str(scores), "--bar", "0.9"])
    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_declared_trial_the_way_to_one_is_said(clearbar: CommandLine) -> None:
    said = clearbar("trial")
    assert (said.code, said.out) == (1, "")
    assert "no trial is declared" in said.err
    assert "[[trial]]" in said.err


def test_a_workflow_may_resemble_a_command(clearbar: CommandLine) -> None:
    declared = clearbar.folder / "clearbar.toml"
    assert 'Did you mean "label"' in clearbar("trial", "labels").err
    declared.write_text(declared.read_text().replace('name = "letters"', 'name = "labels"'))
    assert "labels declares no trial" in clearbar("trial", "labels").err


@pytest.mark.parametrize("place", ["nowhere/page.html", "."])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_spent(
    clearbar: CommandLine, place: str
) -> None:
    said = clearbar("trial", "letters", "--yes", "--html", place)
    assert said.code == 2
    assert "--html" in said.err


@pytest.mark.parametrize("amount", ["much", "-1", "NaN", "inf", "1e400"])
def test_a_budget_that_is_no_money_is_refused(clearbar: CommandLine, amount: str) -> None:
    said = clearbar("trial", "letters", f"--budget={amount}")
    assert said.code == 2
    assert "no amount of US dollars" in said.err


def test_a_seed_is_no_negative_number(clearbar: CommandLine, scores: Path) -> None:
    asked = ("letters",), ("label", "letters", "--by", "lead"), ("replay", scores, "--bar", "0.9")
    for each in asked:
        said = clearbar("trial", *each, "--seed", "-1")
        assert (said.code, "'--seed': -1 is not in the range" in said.err) == (2, True)


def test_no_tools_at_all_are_refused(clearbar: CommandLine) -> None:
    said = clearbar("trial", "letters", "--tools", " , ")
    assert said.code == 2
    assert "name one tool or more" in said.err


@dataclass
class Wanted:
    """A case with answers to be judged."""

    case: str
    input: str
    answers: Mapping[str, str]
    reference: str | None = None


class Person:
    """Presses keys, and remembers what was shown and kept."""

    def __init__(self, keys: str, seed: int = 0) -> None:
        self.shown: list[str] = []
        self.kept: list[tuple[str, str, float]] = []
        pressed = iter(keys)
        self.dialogue = Dialogue(
            lambda *said: self.kept.append(said),
            lambda: next(pressed),
            self.shown.append,
            random.Random(seed),
        )


def test_keys_are_scores() -> None:
    person = Person("yn509")
    cases = [Wanted(f"c{n}", "Capital of France?", {"d": "Paris"}) for n in range(5)]
    assert person.dialogue.ask(cases) == 5
    assert [score for _, _, score in person.kept] == [1.0, 0.0, 0.5, 0.0, 0.9]


def test_a_person_sees_no_tool_and_answers_in_random_order() -> None:
    case = Wanted("c1", "2 + 2?", {"d1": "4", "d2": "5"}, reference="4")
    orders = set()
    for seed in range(20):
        person = Person("yn", seed)
        person.dialogue.ask([case])
        orders.add(tuple(digest for _, digest, _ in person.kept))
        assert "reference\n  4" in person.shown
    assert orders == {("d1", "d2"), ("d2", "d1")}


def test_another_key_is_asked_again() -> None:
    person = Person("x?y")
    assert person.dialogue.ask([Wanted("c", "a", {"d": "b"})]) == 1
    assert person.shown.count(KEYS) == 3


def test_a_case_can_be_skipped_and_the_dialogue_ended() -> None:
    cases = [Wanted(f"c{n}", "a", {"d": "b"}) for n in range(3)]
    person = Person("syq")
    assert person.dialogue.ask(cases) == 1
    assert [case for case, _, _ in person.kept] == ["c1"]


def test_a_text_cannot_command_the_terminal() -> None:
    person = Person("y")
    person.dialogue.ask([Wanted("c", "line 1\n\x1b[2Jline 2", {"d": ""})])
    assert "  line 1\n  ?[2Jline 2" in person.shown[0]
    assert "  (empty)" in person.shown[1]


def test_where_nothing_matters_nobody_is_asked() -> None:
    person = Person("")
    assert person.dialogue.ask([]) == 0
    assert person.shown == ["no answer has to be judged"]


def test_keys_come_line_by_line_from_a_file_and_end_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Yes\n\n7\n"))
    assert [read_key() for _ in range(4)] == ["y", "", "7", "q"]


def test_keys_of_a_person_need_no_return(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("click.getchar", lambda: "N")
    assert read_key() == "n"


TRIAL = """
[[tool]]
name = "lookup"
kind = "rules"
file = "lookup.toml"

[[tool]]
name = "haiku"
kind = "anthropic"
model = "claude-haiku-4-5"

[[tool]]
name = "opus"
kind = "anthropic"
model = "claude-opus-4-6"

[[trial]]
workflow = "letters"
cases = "cases.jsonl"
tools = ["lookup", "haiku", "opus"]
grade = { kind = "exact" }
"""
RULES = """
[[rule]]
regex = "^letter 7"
answer = "send"
"""


@pytest.fixture
def declared(clearbar: CommandLine) -> CommandLine:
    """Return the command line in a workspace with a trial whose answers are all logged."""
    dice = random.Random(6)
    cases = (
        {
            "id": f"c{number}",
            "input": f"letter {number}",
            "reference": "send",
            "answers": {
                "haiku": "send" if dice.random() < 0.985 else "keep",
                "opus": "send" if dice.random() < 0.99 else "keep",
            },
        }
        for number in range(700)
    )
    lines = "".join(f"{json.dumps(case)}\n" for case in cases)
    (clearbar.folder / "cases.jsonl").write_text(lines)
    (clearbar.folder / "lookup.toml").write_text(RULES)
    with (clearbar.folder / "clearbar.toml").open("a") as file:
        file.write(TRIAL)
    return clearbar


def test_a_declared_trial_is_listed_before_and_after_it_is_run(declared: CommandLine) -> None:
    assert declared("trial").out.startswith("letters: not tried yet")
    assert declared("trial", "letters").code == 0
    assert declared("trial").out.startswith("letters: CLEARS, ")
    [listed] = declared("trial", "--json").json["trials"]
    assert (listed["workflow"], listed["winner"]) == ("letters", "haiku")


def test_a_dry_run_asks_and_keeps_nothing(declared: CommandLine) -> None:
    said = declared("trial", "letters", "--dry-run")
    assert said.code == 0
    assert "haiku" in said.out
    assert "it costs nothing" in said.out
    assert declared("trial", "--json").json["trials"][0]["answer"] is None


def test_a_dry_run_as_json_has_documented_fields(declared: CommandLine) -> None:
    found = declared("trial", "letters", "--dry-run", "--json").json
    assert set(found) == {path for path in FORECAST_DOCS if "." not in path}
    assert [each["tool"] for each in found["tools"]] == ["lookup", "haiku", "opus"]


def test_a_trial_ends_in_a_certificate(declared: CommandLine) -> None:
    said = declared("trial", "letters")
    assert said.code == 0
    assert "haiku clears sent >= 0.9 and is the cheapest of 3 tools that does" in said.out
    assert "id        " in said.out
    assert "haiku: " in said.err


def test_a_trial_as_json_prints_nothing_else(declared: CommandLine) -> None:
    said = declared("trial", "letters", "--json")
    assert said.err == ""
    assert said.json["winner"] == "haiku"
    assert said.json["spent_usd"] == "0"
    assert len(said.json["id"]) == 64


def test_only_the_named_tools_are_tried(declared: CommandLine) -> None:
    found = declared("trial", "letters", "--tools", "opus,lookup,opus", "--json").json
    assert [each["tool"] for each in found["findings"]] == ["lookup", "opus"]


def test_the_last_certificate_is_shown_again(declared: CommandLine, tmp_path: Path) -> None:
    first = declared("trial", "letters", "--json").json
    page = tmp_path / "certificate.html"
    shown = declared("trial", "show", "letters", "--html", page, "--json").json
    assert shown == first
    assert first["id"] in page.read_text()


def test_a_changed_declaration_makes_the_certificate_stale(declared: CommandLine) -> None:
    declared("trial", "letters")
    path = declared.folder / "clearbar.toml"
    path.write_text(path.read_text().replace("claude-haiku-4-5", "claude-haiku-4-6"))
    said = declared("trial", "show", "letters")
    assert said.out.startswith("STALE, it no longer holds: ")
    assert "haiku" in said.out.partition("\n")[0]
    assert declared("trial").out.startswith("letters: STALE, ")


def test_without_a_certificate_the_way_to_one_is_said(declared: CommandLine) -> None:
    said = declared("trial", "show", "letters")
    assert (said.code, said.out) == (1, "")
    assert "make one: clearbar trial letters" in said.err


def test_an_unknown_workflow_names_the_nearest(declared: CommandLine) -> None:
    said = declared("trial", "leters")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "letters"?' in said.err


def bare(declared: CommandLine) -> None:
    """Take the logged answers away: tools have to be asked, and nobody has a key."""
    cases = declared.folder / "cases.jsonl"
    lines = [json.loads(line) | {"answers": {}} for line in cases.read_text().splitlines()]
    cases.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_nobody_spends_money_unasked(declared: CommandLine) -> None:
    bare(declared)
    said = declared("trial", "letters", "--budget", "$2.50")
    assert said.code == 1
    assert "nobody is here to agree to it: it can cost at most $" in said.err
    assert "--yes" in said.err


def test_where_no_tool_can_be_asked_the_trial_ends_in_an_error(declared: CommandLine) -> None:
    bare(declared)
    said = declared("trial", "letters", "--tools", "haiku", "--yes")
    assert said.code == 1
    assert "could not be asked" in said.out
    assert "error: nothing was decided of letters: no tool could be asked on" in said.err
    said = declared("trial", "letters", "--tools", "haiku", "--yes", "--json")
    assert (said.code, said.json["winner"]) == (1, None)


def test_where_one_tool_works_it_does_not_matter_that_another_is_broken(
    declared: CommandLine,
) -> None:
    bare(declared)
    assert declared("trial", "letters", "--tools", "haiku,lookup", "--yes").code == 0


def test_results_of_another_evaluator_decide_a_trial(declared: CommandLine, scores: Path) -> None:
    said = declared("trial", "import", scores, "--workflow", "letters")
    assert said.out.startswith("2,100 scores: 3 tools on 700 cases, 0 left out\n\nhaiku clears")
    found = declared("trial", "import", scores, "--workflow", "letters", "--json").json
    assert found["winner"] == "haiku"
    assert declared("trial", "--json").json["trials"][0]["winner"] == "haiku"


def test_the_learning_curve_is_shown_without_writing_a_file(declared: CommandLine) -> None:
    said = declared("trial", "distil", "letters", "--dry-run")
    assert said.code == 0
    assert "all answers are the same" in " ".join(said.out.split())
    found = declared("trial", "distil", "letters", "--json").json
    assert set(found) == {path for path in DISTIL_DOCS if "." not in path}
    assert found["file"] is None


def judged_by_people(declared: CommandLine) -> None:
    path = declared.folder / "clearbar.toml"
    person = '{ kind = "person", criteria = "the letter may be sent" }\ncapture = true'
    path.write_text(path.read_text().replace('{ kind = "exact" }', person))


def labelled(declared: CommandLine, *options: str, keys: str) -> Result:
    asked = ["--workspace", str(declared.folder), "trial", "label", "letters"]
    return CliRunner().invoke(cli, [*asked, "--by", "lead@example.com", *options], input=keys)


def test_a_person_judges_where_the_grader_is_a_person(declared: CommandLine) -> None:
    judged_by_people(declared)
    said = labelled(declared, keys="y\nn\nq\n")
    assert said.exit_code == 0
    assert said.output.endswith("2 answers judged\n")
    again = labelled(declared, "--json", keys="q\n")
    assert json.loads(again.stdout) == {"workflow": "letters", "labels": 0}
    assert "case 1 of" in again.stderr


def test_a_trial_with_choices_of_its_own_says_how_to_label_for_it(declared: CommandLine) -> None:
    judged_by_people(declared)
    chosen = ("--tools", "opus,haiku", "--seed", "5")
    said = declared("trial", "letters", *chosen)
    assert "hint: clearbar trial label letters --tools opus,haiku --seed 5 --by WHO" in said.err
    assert "hint" not in declared("trial", "letters").err
    own, declared_ones = (labelled(declared, *each, keys="q\n").output for each in (chosen, ()))
    assert own != declared_ones


def completed(arguments: list[str], incomplete: str) -> list[str]:
    complete = ShellComplete(cli, {}, "clearbar", "_CLEARBAR_COMPLETE")
    return [item.value for item in complete.get_completions(arguments, incomplete)]


def test_workflows_and_tools_are_completed(
    declared: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(declared.folder)
    assert completed(["trial", "show"], "let") == ["letters"]
    assert completed(["trial", "run", "letters", "--tools"], "h") == ["haiku"]
    assert completed(["trial", "run", "letters", "--tools"], "haiku,") == [
        "haiku,lookup",
        "haiku,opus",
    ]
    (declared.folder / "clearbar.toml").write_text("[wrong")
    assert completed(["trial", "run", "letters", "--tools"], "h") == []
