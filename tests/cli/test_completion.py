from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import ShellComplete

from clearbar.cli.main import cli

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(clearbar: CommandLine, shell: str) -> None:
    assert "_CLEARBAR_COMPLETE" in clearbar.anywhere("completion", shell).out


def test_another_shell_is_refused(clearbar: CommandLine) -> None:
    assert clearbar.anywhere("completion", "csh").code == 2


def completed(*arguments: str, incomplete: str) -> list[str]:
    complete = ShellComplete(cli, {}, "clearbar", "_CLEARBAR_COMPLETE")
    found = complete.get_completions(list(arguments), incomplete)
    return [item.value for item in found]


def test_verbs_are_completed() -> None:
    assert completed(incomplete="sp") == ["spend"]


def test_workflows_are_completed(clearbar: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clearbar.folder)
    assert completed("gate", "history", incomplete="let") == ["letters"]


def test_without_a_workspace_nothing_is_completed(
    clearbar: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clearbar.folder)
    (clearbar.folder / "clearbar.toml").write_text("[wrong")
    assert completed("gate", "history", incomplete="let") == []


def test_a_shell_that_click_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from clearbar.cli import completion

    monkeypatch.setattr(completion, "get_completion_class", lambda _: None)
    with pytest.raises(click.ClickException):
        completion.command.main(["bash"], standalone_mode=False)


def test_commands_and_what_the_default_command_takes_are_completed(
    clearbar: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clearbar.folder)
    assert completed("trial", incomplete="sh") == ["show"]
    assert completed("trial", incomplete="l") == ["label", "letters"]
    assert completed("trial", incomplete="--dry") == ["--dry-run"]
    assert completed("trial", "letters", incomplete="--bud") == ["--budget"]
    assert completed("spend", incomplete="tr") == ["trace"]
