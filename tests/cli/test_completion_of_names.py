"""What names something that is known is completed by the tab key."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import click
import pytest
from tests.cli.conftest import LINE
from tests.cli.every_command import every_command
from tests.cli.test_completion import completed

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

_FREE: Final = {
    "ADDRESS": "any machine",
    "DATE": "any day",
    "N:HASH": "noted elsewhere, so as to be compared",
    "TEXT": "a person's own words",
    "USD": "any amount",
    "WHO": "whoever says so",
    "trial replay": "what files of others name",
    "trial import --metric": "what files of others name",
    "route key create --environment": "one's own word",
}
"""What is typed freely, by metavar, command or option: and why."""
_BEFORE: Final = {"--account": ["openai"]}
"""What stands before an option, so that it is known of what it is a name."""
_DECLARED: Final = """
[[team]]
name = "writers"
workflows = ["letters"]

[[tool]]
name = "haiku"
kind = "anthropic"
model = "claude-haiku-4-5"
"""


def named() -> list[tuple[str, str]]:
    """Return command and option, or argument, of every text that a person types."""
    return [
        (words, parameter.opts[0] if isinstance(parameter, click.Option) else "")
        for words, command in every_command().items()
        for parameter in command.params
        if parameter.type is click.STRING
        and not (isinstance(parameter, click.Option) and parameter.is_flag)
        and not {words, f"{words} {parameter.opts[0]}", parameter.metavar} & _FREE.keys()
    ]


@pytest.fixture
def lived_in(filled: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return the command line in a workspace that has a name of every kind."""
    declared = filled.folder / "clearbar.toml"
    declared.write_text(declared.read_text() + _DECLARED)
    key = filled("route", "key", "create", "letters", "--by", "platform@example.com")
    assert key.code == 0
    (filled.folder / ".clearbar" / "pulled" / "openai@eu").mkdir(parents=True)
    _git(filled, "init", "-q", "-b", "main")
    _git(
        filled, "-c", "user.name=m", "-c", "user.email=m@x", "commit", "-q", "--allow-empty", "-mx"
    )
    monkeypatch.chdir(filled.folder)
    return filled


def _git(clearbar: CommandLine, *words: str) -> None:
    subprocess.run(["git", "-C", str(clearbar.folder), *words], check=True, capture_output=True)


def test_every_name_that_is_known_is_completed(lived_in: CommandLine) -> None:
    assert lived_in.folder
    silent = [
        f"{words} {option}"
        for words, option in named()
        if not completed(
            *words.split(), *_BEFORE.get(option, ()), *filter(None, [option]), incomplete=""
        )
    ]
    assert silent == []


def test_what_is_typed_freely_is_there() -> None:
    known = {
        text
        for words, command in every_command().items()
        for parameter in command.params
        for text in (words, f"{words} {parameter.opts[0]}", parameter.metavar)
    }
    assert known >= _FREE.keys()


def test_months_that_are_over_and_not_closed_are_completed(lived_in: CommandLine) -> None:
    now = {**LINE, "request_id": "now", "startTime": "2999-01-01T00:00:00Z"}
    assert lived_in("spend", "add", lived_in.usage(now, name="late.jsonl")).code == 0
    assert completed("spend", "close", incomplete="2") == ["2026-08", "2026-09"]
    assert lived_in("spend", "close", "2026-08").code == 0
    assert completed("spend", "close", incomplete="") == ["2026-09"]


def test_a_completed_price_book_is_one_that_reprices(lived_in: CommandLine) -> None:
    [version] = completed("spend", "reprice", "--book", incomplete="0")
    assert lived_in("spend", "reprice", "--book", version).code == 0


def test_a_completed_model_is_one_whose_price_is_shown(lived_in: CommandLine) -> None:
    assert completed("spend", "prices", incomplete="openai/g") == ["openai/gpt-4o"]
    assert lived_in("spend", "prices", "openai/gpt-4o").code == 0


def test_a_completed_charge_is_one_that_is_traced(lived_in: CommandLine) -> None:
    charges = completed("spend", "trace", incomplete="")
    assert len(charges) == 2
    assert all(lived_in("spend", "trace", charge).code == 0 for charge in charges)


def test_branches_of_the_named_repository_are_completed(
    lived_in: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _git(lived_in, "branch", "feature/cart")
    monkeypatch.chdir("/")
    words = ("own", "outcome", "git", str(lived_in.folder), "--branch")
    assert completed(*words, incomplete="feat") == ["feature/cart"]
    assert completed("own", "outcome", "git", "/", "--branch", incomplete="") == []


def test_the_accounts_of_the_named_api_are_completed(lived_in: CommandLine) -> None:
    assert lived_in.folder
    assert completed("spend", "pull", "openai", "--account", incomplete="") == ["eu"]
    assert completed("spend", "pull", "anthropic", "--account", incomplete="") == []


def test_a_revoked_key_is_not_offered(lived_in: CommandLine) -> None:
    [key] = completed("route", "key", "revoke", incomplete="")
    assert lived_in("route", "key", "revoke", key, "--by", "platform@example.com").code == 0
    assert completed("route", "key", "revoke", incomplete="") == []


def test_the_workspace_that_a_command_names_is_the_one_that_is_completed(
    lived_in: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    words = ("spend", "close", "--workspace", str(lived_in.folder))
    assert completed(*words, incomplete="") == ["2026-08", "2026-09"]


def test_a_name_that_a_terminal_would_obey_is_not_offered(lived_in: CommandLine) -> None:
    evil = {**LINE, "request_id": "evil", "model": "gpt-\x1b[2J", "spend": 1}
    assert lived_in("spend", "add", lived_in.usage(evil, name="evil.jsonl")).code == 0
    assert not [name for name in completed("spend", "prices", incomplete="") if "\x1b" in name]


def test_a_damaged_ledger_completes_nothing_and_says_nothing(
    lived_in: CommandLine, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in (lived_in.folder / ".clearbar" / "ledger" / "records").iterdir():
        file.write_bytes(b"no parquet")
    assert completed("spend", "close", incomplete="") == []
    assert capfd.readouterr() == ("", "")
