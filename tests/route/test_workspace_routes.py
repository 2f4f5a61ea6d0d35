"""A workspace's routes: from the docket, certificates and keys on disk, without the ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import verdict

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.gate.docket_entries import record_verdicts
from clearbar.route.keys import KeyRing
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BY = "platform@example.com"
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TOML = """\
[[workflow]]
name = "support-replies"
owner = "lead@example.com"
metric = { name = "score", unit = "ticket", from = "outcomes.csv" }
bar = "score >= 0.5"
[[tool]]
name = "rules"
kind = "rules"
file = "rules.toml"
[[trial]]
workflow = "support-replies"
cases = "cases.jsonl"
tools = ["rules"]
grade = { kind = "exact" }
[[route]]
workflow = "support-replies"
mode = "enforce"
[[team]]
name = "support"
workflows = ["support-replies"]
[gateway]
openai = {}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "clearbar.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "rules.toml").write_text('[[rule]]\nregex = "."\nanswer = "yes"\n', "utf-8")
    cases = "".join(f'{{"input": "case {each}", "reference": "yes"}}\n' for each in range(120))
    (tmp_path / "cases.jsonl").write_text(cases, encoding="utf-8")
    with Workspace(tmp_path, clock=lambda: NOW) as opened:
        yield opened


def test_the_tool_that_a_trial_certified_is_in_force(workspace: Workspace) -> None:
    certificate = workspace.run_trial("support-replies")
    assert certificate.winner == "rules"
    made = workspace.route_table().routes["support-replies"]
    assert (made.tool, made.mode, made.team) == ("rules", "enforce", "support")
    assert any("rules clears score >= 0.5: mean 1.000" in each for each in made.why)


def test_a_change_of_the_tool_ends_what_followed_from_the_certificate(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.run_trial("support-replies")
    (tmp_path / "rules.toml").write_text('[[rule]]\nregex = "b"\nanswer = "no"\n', "utf-8")
    with Workspace(tmp_path, clock=lambda: NOW) as later:
        made = later.route_table().routes["support-replies"]
    assert made.tool is None
    assert any("is stale, so nothing follows from it" in each for each in made.why)


def test_the_verdict_of_the_docket_is_in_force(workspace: Workspace) -> None:
    record_verdicts(workspace.store, [verdict("pause")], NOW)
    assert workspace.route_table().routes["support-replies"].verdict == "pause"


def test_routes_are_known_without_reading_the_ledger(workspace: Workspace) -> None:
    workspace.route_table()
    assert "ledger" not in workspace.__dict__


def test_an_issued_key_is_in_the_table_until_it_is_revoked(workspace: Workspace) -> None:
    issued = workspace.issue_key(workflow="support-replies", by=BY)
    first = workspace.route_table()
    assert KeyRing(first.keys).find(issued.token.encode()) == issued.key
    workspace.revoke_key(issued.key.key_id, by=BY)
    second = workspace.route_table(first)
    assert (second.keys, second.generation) == ({}, 2)
    assert [each.revoked_by for each in workspace.keys()] == [BY]  # noqa: SIM118 - no dict


def test_a_table_that_has_not_changed_is_the_one_before(workspace: Workspace) -> None:
    first = workspace.route_table()
    assert workspace.route_table(first) is first


def test_the_state_tells_whether_a_table_may_have_changed(workspace: Workspace) -> None:
    states = [workspace.route_state(), workspace.route_state()]
    assert states[0] == states[1]
    workspace.issue_key(team="support", by=BY)
    states.append(workspace.route_state())
    record_verdicts(workspace.store, [verdict("pause")], NOW)
    states.append(workspace.route_state())
    (workspace.folder / "clearbar.toml").write_text(TOML + "\n", encoding="utf-8")
    states.append(workspace.route_state())
    (workspace.folder / "cases.jsonl").unlink()
    states.append(workspace.route_state())
    assert len(set(states)) == 5


@pytest.mark.parametrize("of", [{"workflow": "support-reply"}, {"team": "suport"}])
def test_a_key_is_of_what_is_declared(workspace: Workspace, of: dict[str, str]) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        workspace.issue_key(by=BY, **of)


def test_under_another_day_no_key_is_issued_or_revoked(workspace: Workspace) -> None:
    with Workspace(workspace.folder, as_of=date(2026, 1, 1)) as other:
        with pytest.raises(ClearbarError, match="nothing is recorded"):
            other.issue_key(team="support", by=BY)
        with pytest.raises(ClearbarError, match="nothing is recorded"):
            other.revoke_key("aaaabbbb", by=BY)
