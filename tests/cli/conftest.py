"""The command line, run in this process as a person would run it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner

from clearbar.cli.init import make_demo
from clearbar.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

LINE: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "startTime": "2026-09-01T08:00:00Z",
    "endTime": "2026-09-01T08:00:01Z",
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "call_type": "acompletion",
    "api_key": "hash",
    "team_id": "legal",
    "spend": 0.01,
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "metadata": {},
}
DECLARED = """
[workspace]
as_of = 2026-09-15

[[workflow]]
name = "letters"
owner = "letters-lead@example.com"
metric = { name = "sent", unit = "letter", from = "outcomes/letters.csv" }
bar = "sent >= 0.9"
match = [{ team = "legal" }]
"""


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands in one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: object) -> Said:
        """Run in the workspace; anything but a proper end is raised here."""
        return self.anywhere("--workspace", self.folder, *arguments)

    def anywhere(self, *arguments: object) -> Said:
        """Run without naming a workspace."""
        texts = [str(argument) for argument in arguments]
        result = CliRunner().invoke(cli, texts, prog_name="clearbar")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def usage(self, *lines: dict[str, Any] | str, name: str = "usage.jsonl") -> Path:
        """Write a usage file."""
        path = self.folder / name
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("".join(f"{text}\n" for text in texts))
        return path


@pytest.fixture
def clearbar(tmp_path: Path, prices: Path) -> CommandLine:
    """Return the command line in a workspace without usage."""
    shutil.copytree(prices, tmp_path / ".clearbar" / "prices")
    (tmp_path / "clearbar.toml").write_text(DECLARED)
    return CommandLine(tmp_path)


@pytest.fixture
def filled(clearbar: CommandLine) -> CommandLine:
    """Return the command line in a workspace with three calls and one bad line."""
    other = {**LINE, "request_id": "chatcmpl-2", "model": "[/x]", "team_id": "sales"}
    early = {**LINE, "request_id": "chatcmpl-3", "startTime": "2026-08-01T08:00:00Z"}
    path = clearbar.usage(LINE, {**other, "spend": None}, early, "{broken")
    assert clearbar("spend", "add", path).code == 0
    return clearbar


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Return the command line in the sample company, with its usage read."""
    folder = tmp_path_factory.mktemp("demo") / "company"
    make_demo(folder)
    command = CommandLine(folder)
    assert command("report", folder / "usage").code == 0
    return command
