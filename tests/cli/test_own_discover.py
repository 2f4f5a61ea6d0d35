"""`clearbar own discover` and `clearbar own outcome git` as a person sees them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.own.merged.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def test_spend_of_nobody_becomes_an_entry_to_review(filled: CommandLine) -> None:
    (filled.folder / "clearbar.toml").write_text("")
    said = filled("own", "discover")
    assert said.out.startswith("[[workflow]]")
    assert 'match = [{ team = "legal" }]' in said.out


def test_a_proposal_says_what_would_belong_to_it(filled: CommandLine) -> None:
    (filled.folder / "clearbar.toml").write_text("")
    proposal, _ = filled("own", "discover", "--json").json["proposals"]
    assert (proposal["field"], proposal["value"], proposal["calls"]) == ("team", "legal", 2)


def test_what_is_appended_takes_the_spend(filled: CommandLine) -> None:
    (filled.folder / "clearbar.toml").write_text("")
    filled("own", "discover", "--append")
    assert filled("own", "discover").err == "all spend belongs to a workflow\n"


def test_where_all_spend_belongs_to_somebody_nothing_is_proposed(clearbar: CommandLine) -> None:
    said = clearbar("own", "discover")
    assert (said.out, said.err) == ("", "all spend belongs to a workflow\n")


DECLARED = """
[workspace]
as_of = 2026-09-15

[[workflow]]
name = "coding"
match = [{ project = ["shop", "tree", "clone"] }]
"""


@pytest.fixture
def coding(clearbar: CommandLine) -> CommandLine:
    """A repository with a merged branch, and the log of the agent that made it."""
    (clearbar.folder / "clearbar.toml").write_text(DECLARED)
    repository = Repository(clearbar.folder / "shop", datetime(2026, 9, 1, tzinfo=UTC))
    repository.branch("cart", "cart.py", datetime(2026, 9, 3, tzinfo=UTC))
    repository.merge("cart", datetime(2026, 9, 5, tzinfo=UTC))
    lines = [call("msg_1", "cart", repository.folder), call("msg_2", "open", repository.folder)]
    (clearbar.folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    clearbar("spend", "add", str(clearbar.folder / "log.jsonl"))
    return clearbar


def call(message: str, branch: str, folder: Path) -> dict[str, object]:
    return {
        "type": "assistant",
        "timestamp": "2026-09-04T10:00:00Z",
        "cwd": str(folder),
        "gitBranch": branch,
        "sessionId": "one",
        "requestId": f"req_{message}",
        "message": {
            "id": message,
            "model": "claude-sonnet-4-5",
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1_000_000, "output_tokens": 0},  # over 200,000: $6 a million,
        },
    }


def test_a_merged_change_that_was_paid_for_is_an_outcome(coding: CommandLine) -> None:
    said = coding("own", "outcome", "git", str(coding.folder / "shop"), "--workflow", "coding")
    assert "outcomes: 1 new, 0 known" in said.out
    assert "joined by branch" in said.out


def test_recorded_again_it_adds_nothing(coding: CommandLine) -> None:
    words = ("own", "outcome", "git", str(coding.folder / "shop"), "--workflow", "coding")
    coding(*words)
    assert "outcomes: 0 new, 1 known" in coding(*words).out


def test_a_merge_counts_once_in_clones_and_worktrees_of_any_name(coding: CommandLine) -> None:
    for words in ("-C shop worktree add -q --detach ../tree", "clone -q shop clone"):
        subprocess.run(["git", *words.split()], cwd=coding.folder, check=True)
    counted = []
    for name in ("shop", "tree", "clone"):
        log = json.dumps(call(f"msg_{name}", "cart", coding.folder / name))
        (coding.folder / f"{name}.jsonl").write_text(log)
        coding("spend", "add", str(coding.folder / f"{name}.jsonl"))
        said = coding("own", "outcome", "git", str(coding.folder / name), "--workflow", "coding")
        counted.append(said.out.splitlines()[-1])
    assert counted == ["outcomes: 1 new, 0 known", *2 * ["outcomes: 0 new, 1 known"]]


def test_the_join_and_its_coverage_are_there_as_json(coding: CommandLine) -> None:
    repository = str(coding.folder / "shop")
    words = ("own", "outcome", "git", repository, "--workflow", "coding", "--dry-run", "--json")
    told = coding(*words).json
    assert (told["repository"], told["branch"], told["new"]) == ("shop", "main", 0)
    [change] = told["changes"]
    assert (change["branch"], change["cost_usd"]) == ("cart", "6")
    calls = {how: usage["calls"] for how, usage in told["coverage"].items() if usage["calls"]}
    assert calls == {"branch": 1, "not_merged": 1}


def test_an_undeclared_workflow_is_refused(coding: CommandLine) -> None:
    said = coding("own", "outcome", "git", str(coding.folder), "--workflow", "codin")
    assert 'Did you mean "coding"?' in said.err
