from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Said

BY = ("--by", "letters-lead@example.com", "--why", "94% are sent")


def override(filled: CommandLine, *more: str) -> Said:
    return filled("gate", "override", "letters", "kill", *BY, "--until", "2026-12-01", *more)


def test_every_workflow_has_a_verdict_with_reasons(filled: CommandLine) -> None:
    said = filled("gate")
    assert said.code == 0
    assert "letters" in said.out
    assert "new in the docket" in said.out


def test_verdicts_as_json_have_reasons_and_a_next_step(filled: CommandLine) -> None:
    [verdict] = filled("gate", "--json").json["verdicts"]
    assert verdict["decision"] in {"fund", "pause", "kill"}
    assert verdict["reasons"]
    assert verdict["next_step"]


def test_a_verdict_is_recorded_once(filled: CommandLine) -> None:
    filled("gate")
    assert "0 new in the docket" in filled("gate").out


def test_check_records_nothing(filled: CommandLine) -> None:
    before = filled("check").out
    filled("gate", "--check")
    assert filled("check").out == before


def test_check_fails_where_a_verdict_would_change(filled: CommandLine) -> None:
    said = filled("gate", "--check")
    assert said.code == 1
    assert "letters" in said.out


def test_check_passes_once_the_verdict_is_recorded(filled: CommandLine) -> None:
    filled("gate")
    said = filled("gate", "--check")
    assert (said.code, said.out) == (0, "nothing to change\n")


def test_check_as_json_lists_problems_with_lines(filled: CommandLine) -> None:
    problems = filled("gate", "--check", "--json").json["problems"]
    assert set(problems[0]) == {"line", "what", "hint"}


def test_a_defence_holds_for_a_time(filled: CommandLine) -> None:
    said = filled("gate", "defend", "letters", *BY, "--days", "30")
    assert "until 2026-10-15" in said.out


def test_a_defence_as_json(filled: CommandLine) -> None:
    found = filled("gate", "defend", "letters", *BY, "--json").json
    assert set(found) == {"workflow", "by", "on", "expires"}


def test_a_defence_of_no_workflow_is_refused(filled: CommandLine) -> None:
    said = filled("gate", "defend", "leters", *BY)
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "letters"?' in said.err


def test_a_person_may_decide_against_the_table(filled: CommandLine) -> None:
    assert "kill until 2026-12-01" in override(filled).out
    [verdict] = filled("gate", "--json").json["verdicts"]
    assert verdict["decision"] == "kill"


def test_an_override_as_json(filled: CommandLine) -> None:
    assert override(filled, "--json").json["decision"] == "kill"


def test_an_override_wants_an_end(filled: CommandLine) -> None:
    said = filled("gate", "override", "letters", "fund", *BY)
    assert said.code == 2
    assert "--until" in said.err


def test_history_tells_all_that_was_said(filled: CommandLine) -> None:
    filled("gate", "defend", "letters", *BY)
    override(filled)
    said = filled("gate", "history", "letters")
    assert "94% are sent" in said.out


def test_history_as_json_lists_entries_in_their_order(filled: CommandLine) -> None:
    filled("gate", "defend", "letters", *BY)
    override(filled)
    found = filled("gate", "history", "letters", "--json").json
    assert [entry["kind"] for entry in found["entries"]] == ["defence", "override"]


def test_history_of_what_was_never_judged_is_empty(filled: CommandLine) -> None:
    assert "says nothing" in filled("gate", "history", "letters").out
