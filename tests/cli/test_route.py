"""`clearbar route`: what it shows and why, and keys from issue to revocation."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from tests.route.made import ROUTE

from clearbar.cli.route_view import print_routes
from clearbar.route.keys import KeyRing, keys_in_force
from clearbar.route.route import Cascade
from clearbar.route.route_json import FIELD_DOCS, route_json
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

BY: Final = ("--by", "platform@example.com")
MORE: Final = """
[[workflow]]
name = "digest"
data_class = "restricted"

[[tool]]
name = "haiku"
kind = "anthropic"
model = "claude-haiku-4-5"

[[tool]]
name = "gpt"
kind = "openai"
model = "gpt-5-mini"

[[route]]
workflow = "letters"
mode = "enforce"
tool = "haiku"
tools = ["haiku", "gpt"]
fallbacks = ["gpt"]
capture = { share = 0.1, days = "14d", protect = "hashed" }

[[route]]
workflow = "digest"
mode = "shadow"

[[team]]
name = "legal"
workflows = ["letters"]

[[budget]]
scope = "organisation"
usd = 500

[[budget]]
scope = "run"
name = "*"
usd = 2
drain_at = 0.9

[gateway]
openai = { key_env = "OPENAI_API_KEY" }
workers = 2
"""


@pytest.fixture
def routed(clearbar: CommandLine) -> CommandLine:
    """Return the command line in a workspace with a gateway."""
    path = clearbar.folder / "clearbar.toml"
    path.write_text(path.read_text("utf-8") + MORE, encoding="utf-8")
    return clearbar


def flat(text: str) -> str:
    return " ".join(text.split())


def test_without_a_gateway_it_says_so_and_what_to_do_next(clearbar: CommandLine) -> None:
    said = clearbar("route")
    assert said.code == 0
    for part in ("No gateway is declared", "[gateway]", "clearbar route key create", "route serve"):
        assert part in flat(said.out)


def test_every_workflow_has_a_route_with_why(routed: CommandLine) -> None:
    said = flat(routed("route").out)
    for part in (
        "ENFORCE letters: haiku, then gpt",
        "No verdict is recorded on letters, so it is funded: ask clearbar gate.",
        "haiku is declared (clearbar.toml:26), not certified.",
        "haiku speaks Anthropic's protocol: requests in OpenAI's are refused.",
        "Clients may choose among haiku, gpt.",
        "10% of requests are kept for 14 days, hashed.",
        "owner letters-lead@example.com, team legal; data internal",
        "SHADOW digest: the model that is asked for",
        "owner nobody; data restricted",
        "budget organisation: $500.00 a month",
        "budget each run: $2.00 over its life, nothing new from 90%",
        "gateway clients at 127.0.0.1:8787, operators at 8788, 2 workers",
        "upstreams openai",
        "keys 0 in force: clearbar route key create WORKFLOW",
    ):
        assert part in said


def test_one_workflow_is_shown_alone(routed: CommandLine) -> None:
    said = routed("route", "--workflow", "letters").out
    assert "haiku" in said
    assert "digest" not in said
    assert "gateway" not in said


def test_an_unknown_workflow_is_told(routed: CommandLine) -> None:
    said = routed("route", "--workflow", "leters")
    assert said.code == 2
    assert 'Did you mean "letters"?' in said.err


def test_what_a_verdict_does_is_shown(routed: CommandLine) -> None:
    until = ("--why", "it is over", "--until", "2026-12-01")
    for decision, shown in (("kill", "refused"), ("pause", "refused, but for work")):
        assert routed("gate", "override", "letters", decision, *BY, *until).code == 0
        assert f"ENFORCE letters: {shown}" in flat(routed("route").out)


def test_a_workspace_without_workflows_has_no_routes(clearbar: CommandLine) -> None:
    (clearbar.folder / "clearbar.toml").write_text("", encoding="utf-8")
    assert "there is no route: add a [[workflow]] first" in flat(clearbar("route").out)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(
    routed: CommandLine, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    routed("route", "key", "create", "letters", *BY, "--name", "the desk's own key")
    for said in (routed("route").out, routed("route", "key", "list").out):
        assert max(map(len, said.splitlines())) <= width


def paths(value: object, path: str = "") -> set[str]:
    if isinstance(value, list):
        below = {found for each in value for found in paths(each, f"{path}[]")}
        return {path} | {each for each in below if not each.endswith("[]")}
    if not isinstance(value, dict):
        return {path}
    found = {path} if path and not path.endswith("[]") else set[str]()
    for name, each in value.items():
        found |= paths(each, f"{path}.{name}" if path else name)
    return found


def test_routes_as_json_are_documented_field_by_field(routed: CommandLine) -> None:
    said = routed("route", "--json").json
    cascade = {path for path in FIELD_DOCS if path.startswith("routes[].cascade.")}
    assert paths(said) == FIELD_DOCS.keys() - cascade
    assert said["gateway"]["declared"]
    assert [each["tool"] for each in said["routes"]] == ["haiku", None]


def test_one_route_as_json_is_alone(routed: CommandLine) -> None:
    said = routed("route", "--json", "--workflow", "digest").json
    assert [each["workflow"] for each in said["routes"]] == ["digest"]


def test_a_key_is_shown_once_and_works(routed: CommandLine) -> None:
    said = routed("route", "key", "create", "letters", *BY)
    token = said.out.strip()
    assert token.startswith("cb_")
    assert "for the workflow letters" in said.err
    assert token not in said.err
    with Workspace(routed.folder) as workspace:
        found = KeyRing(keys_in_force(workspace.store)).find(token.encode())
    assert found is not None
    assert found.workflow == "letters"
    assert token[12:] not in routed("route", "key", "list", "--json").out


def test_a_key_may_be_of_a_team_with_a_name_and_an_environment(routed: CommandLine) -> None:
    said = routed(
        "route", "key", "create", "--team", "legal", "--name", "desk", "--environment", "staging",
        *BY, "--json",
    ).json  # fmt: skip
    assert said.keys() == {"key_id", "key", "workflow", "team", "name", "environment"}
    assert (said["team"], said["workflow"], said["environment"]) == ("legal", None, "staging")
    assert "team legal, desk, staging" in flat(routed("route", "key", "list").out)


def test_a_key_has_to_be_of_something(routed: CommandLine) -> None:
    said = routed("route", "key", "create", *BY)
    assert said.code == 1
    assert "one workflow or for one team" in said.err


def test_a_revoked_key_is_listed_as_such(routed: CommandLine) -> None:
    key_id = routed("route", "key", "create", "letters", *BY, "--json").json["key_id"]
    assert f"{key_id} was revoked on" in routed("route", "key", "revoke", key_id, *BY).out
    assert "REVOKED" in routed("route", "key", "list").out
    [listed] = routed("route", "key", "list", "--json").json["keys"]
    assert listed["revoked_by"] == BY[1]
    assert listed["last_used_at"] is None


def test_a_revocation_as_json_is_the_key(routed: CommandLine) -> None:
    key_id = routed("route", "key", "create", "letters", *BY, "--json").json["key_id"]
    said = routed("route", "key", "revoke", key_id, *BY, "--json").json
    assert (said["key_id"], said["revoked_by"]) == (key_id, BY[1])


def test_an_unknown_key_is_told(routed: CommandLine) -> None:
    said = routed("route", "key", "revoke", "aaaabbbb", *BY)
    assert said.code == 2
    assert "clearbar route key list" in said.err


def test_without_keys_the_list_says_how_to_make_one(clearbar: CommandLine) -> None:
    assert "No key was ever issued" in clearbar("route", "key", "list").out


def shown(**changed: object) -> str:
    """What is printed of one route."""
    console = Console(file=io.StringIO(), width=100)
    print_routes(console, [replace(ROUTE, **changed)])  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return flat(console.file.getvalue())


def test_a_shadow_names_whom_it_asks_and_how_often() -> None:
    said = shown(mode="shadow", shadow_share=0.02)
    assert "the model that is asked for; copies of 2% to haiku" in said
    assert "SHADOW: requests go where they ask to, and copies of some" in said


def test_advice_names_the_tool_that_won() -> None:
    assert "the model that is asked for; advice: haiku" in shown(mode="advise")


def test_the_next_step_of_a_paused_workflow_is_shown() -> None:
    assert "next Find a metric" in shown(verdict="pause", next_step="Find a metric")


def test_a_cascade_as_json_has_its_threshold() -> None:
    made = route_json(replace(ROUTE, cascade=Cascade("haiku", "opus", 0.8372, ("rules",))))
    assert made["cascade"] == {
        "first": "haiku",
        "then": "opus",
        "threshold": 0.8372,
        "agree_with": ["rules"],
    }


def test_help_names_every_command_and_loads_none() -> None:
    program = (
        "import sys\n"
        "from clearbar.cli.main import cli\n"
        "cli(['route', '--help'], standalone_mode=False)\n"
        "loaded = [name for name in sys.modules if name.startswith('clearbar.cli.route_')]\n"
        "assert loaded == [], loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    for name in ("budgets", "capture", "key", "serve", "show", "watch"):
        assert f"\n  {name} " in done.stdout
    assert "worker" not in done.stdout


def test_a_command_that_was_mistyped_is_told(routed: CommandLine) -> None:
    said = routed("route", "keys")
    assert said.code == 2
    assert 'Did you mean "key"?' in said.err
