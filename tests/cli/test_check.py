from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def test_a_sound_workspace_is_said_to_be_sound(filled: CommandLine) -> None:
    said = filled("check")
    assert said.code == 0
    assert said.out.startswith("sound; the docket ends at ")


def test_an_empty_workspace_is_sound(clearbar: CommandLine) -> None:
    assert clearbar("check", "--json").json["sound"]


def test_json_has_the_documented_fields(filled: CommandLine) -> None:
    found = filled("check", "--json").json
    assert set(found) == {"sound", "problems", "docket_head"}


def test_a_lost_file_is_named_with_the_way_out_and_exit_code_1(filled: CommandLine) -> None:
    for path in (filled.folder / ".clearbar" / "ledger" / "records").iterdir():
        path.unlink()
    said = filled("check")
    assert said.code == 1
    assert "is missing" in said.out
    assert "add the usage files again" in said.out


def test_a_lost_file_is_a_problem_in_json(filled: CommandLine) -> None:
    for path in (filled.folder / ".clearbar" / "ledger" / "records").iterdir():
        path.unlink()
    said = filled("check", "--json")
    assert said.code == 1
    assert not said.json["sound"]
    assert said.json["problems"][0]["hint"]


def test_a_head_that_was_noted_is_found_again(filled: CommandLine) -> None:
    filled("gate", "defend", "letters", "--by", "letters-lead@example.com", "--why", "it works")
    head = filled("check", "--json").json["docket_head"]
    filled(
        "gate",
        "override",
        "letters",
        "fund",
        "--by",
        "cfo@example.com",
        "--why",
        "audit",
        "--until",
        "2026-12-01",
    )
    assert filled("check", "--head", head).code == 0


def test_a_head_that_is_no_longer_there_is_a_problem(filled: CommandLine) -> None:
    said = filled("check", "--head", f"7:{'0' * 64}")
    assert said.code == 1
    assert said.out


def test_a_head_that_is_none_is_refused(filled: CommandLine) -> None:
    said = filled("check", "--head", "seven")
    assert said.code in (1, 2)
    assert said.err
