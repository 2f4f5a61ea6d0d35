"""Tables and sentences on a narrow terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from clearbar.cli.terminal import broken, table

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sentence_ends_its_lines_between_words() -> None:
    said = broken("two charges, more than usual; one kind with too few", 30)
    assert said == ["two charges, more than usual;", "  one kind with too few"]


def test_a_command_is_never_broken() -> None:
    said = broken("    add its bill, or an export of it: clearbar spend add FILE", 44)
    assert said == ["    add its bill, or an export of it:", "      clearbar spend add FILE"]


@pytest.mark.parametrize("line", ["", "short", "told by   " + "/a/long/path" * 10])
def test_what_fits_or_cannot_be_broken_stays_whole(line: str) -> None:
    assert broken(line, 40) == [line]


def test_further_lines_stand_beneath_the_first() -> None:
    assert broken("cost      one two three", 18, 10) == ["cost      one two", "          three"]


@pytest.mark.parametrize("width", [30, 40, 80])
def test_no_figure_is_cut_however_narrow_the_terminal(width: int) -> None:
    made = table("workflow", "calls", "cost")
    made.add_row("a-workflow-with-a-long-name", "1,234,567", "$1,896.20 +?")
    stream = io.StringIO()
    Console(file=stream, width=width).print(made)
    assert "1,234,567   $1,896.20 +?" in stream.getvalue()


def test_an_error_is_broken_between_words_on_a_terminal_alone() -> None:
    command = [sys.executable, "-m", "clearbar", "spend", "nosuch", "--workspace", "/nonexistent"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "30"}
    done = subprocess.run(command, stderr=theirs, check=False, env=environment)
    os.close(theirs)
    lines = os.read(ours, 4096).decode().splitlines()
    os.close(ours)
    assert done.returncode == 1
    assert max(map(len, lines)) <= 30
    assert lines[0].startswith("error: ")


def test_a_closed_output_is_no_crash(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m clearbar --workspace . spend 2026-09 >&-"
    (tmp_path / "clearbar.toml").write_text("")
    shell = ["sh", "-c", command]
    done = subprocess.run(shell, stderr=subprocess.PIPE, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
