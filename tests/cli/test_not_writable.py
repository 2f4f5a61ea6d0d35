"""A workspace that may not be written: which folder it is, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from shutil import rmtree, which
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

_RIGHTS = "-dac_override,-dac_read_search"
_SETPRIV = ["setpriv", "--bounding-set", _RIGHTS, "--inh-caps", _RIGHTS]
_WITHOUT_RIGHTS = [] if os.geteuid() else _SETPRIV
"""What root's commands begin with, so that they may not write everywhere."""


@pytest.mark.parametrize("command", [["spend", "pull", "openai"], ["spend", "receive"]])
def test_a_workspace_that_may_not_be_written_is_named_with_the_way_out(
    clearbar: CommandLine, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "key")
    rmtree(clearbar.folder / ".clearbar")
    (clearbar.folder / ".clearbar").write_text("a file where a folder should be")
    said = clearbar(*command)
    assert said.code == 1
    assert f"{clearbar.folder / '.clearbar'}" in said.err
    assert "hint: a file stands where a folder has to be: move it away" in said.err


@pytest.mark.slow
@pytest.mark.skipif(which("setpriv") is None, reason="setpriv drops root's rights over files")
@pytest.mark.parametrize("command", ["pull openai", "receive --port 0", "show"])
def test_a_folder_of_another_user_is_named_with_the_way_out(tmp_path: Path, command: str) -> None:
    (tmp_path / "clearbar.toml").touch()
    tmp_path.chmod(0o555)
    words = [sys.executable, "-m", "clearbar", "--workspace", str(tmp_path), "spend"]
    said = subprocess.run(
        [*_WITHOUT_RIGHTS, *words, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENAI_ADMIN_KEY": "key"},
    )
    assert said.returncode == 1
    assert f"{tmp_path / '.clearbar'}" in said.stderr
    assert f"let this user write to {tmp_path}, or take another" in said.stderr


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["report", "--html", "{file}/page.html"], "--html"),
        (["route", "capture", "export", "letters", "--out", "{file}/cases.jsonl"], "--out"),
    ],
)
def test_where_a_file_cannot_be_written_another_is_asked_for(
    clearbar: CommandLine, command: list[str], option: str
) -> None:
    file = clearbar.usage(LINE)
    kept = clearbar.folder / ".clearbar" / "route" / "captured" / "letters"
    kept.mkdir(parents=True)
    (kept / "2026-09-01.jsonl").write_text("{}\n")
    said = clearbar(*(word.format(file=file) for word in command))
    assert said.code == 1
    assert "cannot be written: not a directory" in said.err
    assert f"hint: name a file in a folder that you may write to: {option} FILE" in said.err


@pytest.mark.slow
@pytest.mark.skipif(which("setpriv") is None, reason="setpriv drops root's rights over files")
def test_a_page_that_cannot_be_written_is_told_of_before_anything_is_paid(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("case,tool,score\na,x,1\n")
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    words = ["trial", "replay", "scores.csv", "--bar", "0.9", "--html", "locked/page.html"]
    said = subprocess.run(
        [*_WITHOUT_RIGHTS, sys.executable, "-m", "clearbar", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert said.returncode == 2
    assert 'you may not write into the folder "locked"' in said.stderr


def test_a_receiver_is_not_told_to_read_never(clearbar: CommandLine) -> None:
    said = clearbar("spend", "receive", "--every", "nan")
    assert said.code == 2
    assert "nan is no number of seconds" in said.err
