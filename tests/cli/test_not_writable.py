"""A workspace that may not be written: which folder it is, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from shutil import rmtree, which
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


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
    rights = "-dac_override,-dac_read_search"
    words = ["setpriv", "--bounding-set", rights, "--inh-caps", rights] if not os.geteuid() else []
    words += [sys.executable, "-m", "clearbar", "--workspace", str(tmp_path), "spend"]
    said = subprocess.run(
        [*words, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENAI_ADMIN_KEY": "key"},
    )
    assert said.returncode == 1
    assert f"{tmp_path / '.clearbar'}" in said.stderr
    assert f"let this user write to {tmp_path}, or take another" in said.stderr


def test_a_receiver_is_not_told_to_read_never(clearbar: CommandLine) -> None:
    said = clearbar("spend", "receive", "--every", "nan")
    assert said.code == 2
    assert "nan is no number of seconds" in said.err
