"""What holds for every command: JSON alone where it is asked for, and no unwanted colour."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
from tests.cli.conftest import LINE
from tests.cli.every_command import every_command
from tests.spend.pull.providers import OpenAi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import CommandLine, Said

_COLOUR: Final = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d(?:;\d+)*m")
_NOT_JSON: Final = {"completion"}
_LASTING: Final = {"route serve", "spend receive"}
"""They run until they are ended."""
_BY: Final = ("--by", "platform@example.com")
_WHY: Final = ("--why", "it pays")
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "init": ("init", "{new}"),
    "report": ("report", "usage.jsonl"),
    "spend show": ("spend",),
    "spend add": ("spend", "add", "usage.jsonl"),
    "spend trace": ("spend", "trace", "{charge}"),
    "spend export": ("spend", "export", "--output", "{new}"),
    "spend pull": ("spend", "pull", "openai"),
    "spend close": ("spend", "close", "2026-08"),
    "own show": ("own",),
    "own outcome add": ("own", "outcome", "add", "outcomes/letters.csv"),
    "own outcome git": ("own", "outcome", "git", ".", "--workflow", "letters"),
    "trial run": ("trial", "letters", "--yes"),
    "trial show": ("trial", "show", "letters"),
    "trial distil": ("trial", "distil", "letters"),
    "trial import": ("trial", "import", "scores.csv", "--workflow", "letters"),
    "trial label": ("trial", "label", "letters", *_BY),
    "trial replay": ("trial", "replay", "scores.csv", "--bar", "0.9"),
    "gate show": ("gate",),
    "gate defend": ("gate", "defend", "letters", *_BY, *_WHY),
    "gate override": ("gate", "override", "letters", "fund", *_BY, *_WHY, "--until", "2999-01-01"),
    "gate history": ("gate", "history", "letters"),
    "route show": ("route",),
    "route capture show": ("route", "capture"),
    "route capture export": ("route", "capture", "export", "letters", "--out", "{new}"),
    "route capture forget": ("route", "capture", "forget", "letters", "--yes"),
    "route key create": ("route", "key", "create", "letters", *_BY),
    "route key revoke": ("route", "key", "revoke", "{key}", *_BY),
    "completion": ("completion", "bash"),
}
"""How each is called, where its name alone is not enough."""
_DECLARED: Final = """
[[tool]]
name = "rule"
kind = "rules"
file = "rules.toml"

[[tool]]
name = "other"
kind = "rules"
file = "rules.toml"

[[trial]]
workflow = "letters"
cases = "cases.jsonl"
tools = ["rule", "other"]
grade = { kind = "exact" }
"""
COMMANDS: Final = sorted(every_command().keys() - _LASTING)


@pytest.fixture
def furnished(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[CommandLine, dict[str, str]]]:
    """Return a workspace in which every command has something to do, and names in it."""
    folder = filled.folder
    (folder / "outcomes").mkdir()
    scored = "letters,t1,1,2026-09-02T00:00:00Z,rules\n"
    (folder / "outcomes" / "letters.csv").write_text(
        f"workflow,task_id,score,scored_at,said_by\n{scored}"
    )
    (folder / "clearbar.toml").write_text((folder / "clearbar.toml").read_text() + _DECLARED)
    (folder / "rules.toml").write_text('[[rule]]\nregex = "."\nanswer = "send"\n')
    case = {"input": "letter", "reference": "send"}
    lines = [json.dumps({"id": f"c{number}", **case}) for number in range(200)]
    (folder / "cases.jsonl").write_text("\n".join(lines))
    scores = [f"c{number},{tool},1" for number in range(200) for tool in ("rule", "other")]
    (folder / "scores.csv").write_text("\n".join(["case,tool,score", *scores]))
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    words = ("-c", "user.name=m", "-c", "user.email=m@x", "commit", "-q", "--allow-empty", "-mx")
    subprocess.run(["git", "-C", str(folder), *words], check=True)
    key = filled("route", "key", "create", "letters", *_BY, "--json").json["key_id"]
    charge = filled("spend", "trace", "--json").json["charges"][0]["charge_id"]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with OpenAi("sk-admin-1").running() as provider:
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-1")
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        yield filled, {"new": str(folder / "new"), "key": key, "charge": charge}


def called(world: tuple[CommandLine, dict[str, str]], name: str, *more: str) -> Said:
    """Run a command as it is usually run; a certificate is made first where one is asked for."""
    clearbar, names = world
    if name == "trial show":
        assert clearbar("trial", "letters", "--yes", "--json").code == 0
    words = _USUAL.get(name, tuple(name.split()))
    said = clearbar(*(word.format_map(names) for word in words), *more)
    assert said.code == 0 or said.err.startswith("error: "), said.err
    return said


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in _NOT_JSON])
def test_every_command_prints_json_and_nothing_else(
    furnished: tuple[CommandLine, dict[str, str]], name: str
) -> None:
    said = called(furnished, name, "--json")
    assert "\x1b" not in said.out + said.err
    if said.code:
        assert said.out == ""
    else:
        json.loads(said.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_paints_where_no_colour_is_wanted(
    furnished: tuple[CommandLine, dict[str, str]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    said = called(furnished, name)
    assert not _COLOUR.search(said.out + said.err)


def test_where_colour_is_wanted_there_is_some(
    furnished: tuple[CommandLine, dict[str, str]],
) -> None:
    clearbar, _ = furnished
    clearbar("spend", "add", clearbar.usage({**LINE, "request_id": "new"}, name="new.jsonl"))
    assert _COLOUR.search(clearbar("gate").out)
