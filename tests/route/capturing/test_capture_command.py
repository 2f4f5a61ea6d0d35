"""`clearbar route capture`: what is kept is shown, exported as cases, forgotten."""

from __future__ import annotations

import base64
import json
import stat
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from click.testing import CliRunner
from tests.route.capturing.test_captured_files import JOB

from clearbar.cli.main import cli
from clearbar.route.capturing.protect import KEY_VARIABLE, new_key
from clearbar.route.capturing.writer import Writer
from clearbar.trial.cases import read_cases

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

DECLARED: Final = '[[workflow]]\nname = "support-replies"\n'


class Verb:
    """The verb in a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.captured = folder / ".clearbar" / "route" / "captured"
        (folder / "clearbar.toml").write_text(DECLARED)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(
            cli, ["--workspace", str(self.folder), "route", "capture", *words]
        )

    def capture(
        self, count: int = 1, environment: dict[str, str] | None = None, **how: str
    ) -> None:
        writer = Writer(self.captured, environment or {})
        for _ in range(count):
            assert writer.write(msgspec.structs.replace(JOB, **how))


@pytest.fixture
def verb(tmp_path: Path) -> Verb:
    return Verb(tmp_path)


def test_where_nothing_is_kept_the_way_to_it_is_told(verb: Verb) -> None:
    assert verb().output.startswith("Nothing is kept: declare `capture`")


def test_what_is_kept_is_shown_by_workflow(verb: Verb) -> None:
    verb.capture(3)
    assert verb().output.startswith(
        "support-replies: 2026-11-01 to 2026-11-01, 1 day with requests"
    )
    told = json.loads(verb("show", "--json").output)
    assert [(each["workflow"], each["files"]) for each in told] == [("support-replies", 1)]


def test_an_export_is_a_file_of_cases(verb: Verb) -> None:
    verb.capture(3)
    out = verb.folder / "cases.jsonl"
    found = verb("export", "support-replies", "--out", str(out))
    assert (found.exit_code, found.stderr) == (0, "3 cases\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    cases = read_cases(out).cases
    assert len(cases) == 3
    assert cases[0].answers == {"gpt-mini": "We have blocked [redacted]."}


def test_an_export_goes_to_the_standard_output(verb: Verb) -> None:
    verb.capture()
    row = json.loads(verb("export", "support-replies").stdout)
    assert row["input"] == "My card [redacted] was lost."


def test_an_export_of_later_days_leaves_out_the_others(verb: Verb) -> None:
    verb.capture()
    found = verb("export", "support-replies", "--since", "2026-11-02")
    assert found.exit_code == 2
    assert "nothing is captured" in found.stderr


def test_an_export_opens_what_was_encrypted(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    verb.capture(2, {KEY_VARIABLE: key}, protect="encrypted")
    monkeypatch.setenv(KEY_VARIABLE, key)
    assert verb("export", "support-replies").stderr == "2 cases\n"
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    found = verb("export", "support-replies")
    assert found.exit_code == 1
    assert found.stderr.startswith("0 cases, 2 could not be read")
    monkeypatch.delenv(KEY_VARIABLE)
    assert "clearbar route capture key" in verb("export", "support-replies").stderr


def test_what_is_kept_can_be_forgotten(verb: Verb) -> None:
    verb.capture()
    assert verb("forget", "support-replies", "--yes").output == "1 file deleted\n"
    assert not list(verb.captured.rglob("*.jsonl"))
    assert json.loads(verb("forget", "support-replies", "--yes", "--json").output) == {"files": 0}


def test_forgetting_asks_first(verb: Verb) -> None:
    verb.capture()
    assert verb("forget", "support-replies").exit_code == 1
    assert list(verb.captured.rglob("*.jsonl"))


def test_a_key_has_thirty_two_bytes_and_is_never_the_same(verb: Verb) -> None:
    keys = {verb("key").output.strip() for _ in range(3)}
    assert {len(base64.b64decode(key)) for key in keys} == {32}
    assert len(keys) == 3
