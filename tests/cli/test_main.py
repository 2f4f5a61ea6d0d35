from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from clearbar.cli.main import VERBS, VerbGroup

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the real program in a process of its own."""
    command = [sys.executable, "-m", "clearbar", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(clearbar: CommandLine, verb: str) -> None:
    said = clearbar.anywhere(verb, "--help")
    assert said.code == 0
    assert "Usage: clearbar" in said.out


def test_help_lists_every_verb(clearbar: CommandLine) -> None:
    said = clearbar.anywhere("--help")
    assert all(verb in said.out for verb in VERBS)


def test_an_unknown_verb_names_the_nearest(clearbar: CommandLine) -> None:
    said = clearbar.anywhere("spent")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "spend"?' in said.err


def test_an_unknown_command_of_a_verb_names_the_nearest(clearbar: CommandLine) -> None:
    said = clearbar.anywhere("spend", "trce")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "trace"?' in said.err


def test_the_version_is_said(clearbar: CommandLine) -> None:
    assert clearbar.anywhere("--version").out.startswith("clearbar ")


@pytest.mark.parametrize("verb", ["spend", "own", "gate", "check"])
def test_without_a_workspace_every_verb_says_how_to_make_one(
    clearbar: CommandLine, verb: str
) -> None:
    said = clearbar.anywhere("--workspace", clearbar.folder / ".clearbar", verb)
    assert (said.code, said.out) == (1, "")
    assert "there is no clearbar.toml" in said.err
    assert "clearbar init" in said.err


def test_the_workspace_may_be_named_after_the_verb(clearbar: CommandLine) -> None:
    assert clearbar.anywhere("spend", "--workspace", clearbar.folder).code == 0


@pytest.mark.parametrize("verb", ["spend", "own", "gate", "check"])
def test_a_wrong_declaration_is_named_with_its_line(clearbar: CommandLine, verb: str) -> None:
    (clearbar.folder / "clearbar.toml").write_text('[workspace]\nnmae = "x"\n')
    said = clearbar(verb)
    assert (said.code, said.out) == (2, "")
    assert "clearbar.toml:2" in said.err


@pytest.mark.parametrize("verb", ["spend", "own", "gate", "check"])
def test_a_workspace_that_cannot_be_written_to_is_an_error_a_person_can_read(
    clearbar: CommandLine, verb: str
) -> None:
    place = clearbar.folder / "locked"
    place.mkdir()
    (place / "clearbar.toml").touch()
    (place / ".clearbar").write_text("a file where a folder should be")
    said = clearbar.anywhere("--workspace", place, verb)
    assert (said.code, said.out) == (1, "")
    assert "hint:" in said.err


@pytest.mark.parametrize("day", ["soon", "2026-02-30"])
def test_a_day_that_is_none_is_refused(clearbar: CommandLine, day: str) -> None:
    said = clearbar("own", "--as-of", day)
    assert said.code == 2
    assert "YYYY-MM-DD" in said.err


def test_the_real_program_fails_without_a_traceback(tmp_path: Path) -> None:
    done = run("spend", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no clearbar.toml")


def test_the_real_program_finds_the_workspace_above(clearbar: CommandLine) -> None:
    below = clearbar.folder / "src"
    below.mkdir()
    assert run("check", cwd=below).returncode == 0


def test_a_closed_pipe_is_no_crash(filled: CommandLine) -> None:
    program = f"{sys.executable} -m clearbar spend --json | head -1"
    done = subprocess.run(
        ["sh", "-c", program], cwd=filled.folder, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


def test_a_damaged_file_of_the_ledger_is_no_crash(filled: CommandLine) -> None:
    for path in (filled.folder / ".clearbar" / "ledger" / "records").iterdir():
        path.write_bytes(b"damaged")
    said = filled("spend")
    assert (said.code, said.err.count("\n")) == (1, 2)


def test_a_query_that_ctrl_c_ended_shows_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    @click.group(cls=VerbGroup, invoke_without_command=True)
    def verbs() -> None:
        raise RuntimeError("Query interrupted")  # as DuckDB does

    with pytest.raises(SystemExit) as ended:
        verbs([])
    assert (ended.value.code, capsys.readouterr().err.strip()) == (1, "Aborted!")
