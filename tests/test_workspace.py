"""A workspace: where it is found, when it reads what, and what day it is."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.period import ALL, Period
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DECLARED = """
[[workflow]]
name = "letters"
owner = "letters-lead@example.com"
metric = { name = "sent", unit = "letter", from = "scores/letters.csv" }
match = [{ team = "legal" }]
"""
NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)
LINE = (
    '{"request_id": "chatcmpl-%d", "startTime": "2026-09-01T08:00:00Z", "spend": 0.01,'
    ' "endTime": "2026-09-01T08:00:01Z", "model": "gpt-4o", "custom_llm_provider": "openai",'
    ' "call_type": "acompletion", "api_key": "k", "prompt_tokens": 1000,'
    ' "completion_tokens": 100, "metadata": {}, "team_id": "%s"}\n'
)


@pytest.fixture
def folder(tmp_path: Path, prices: Path) -> Path:
    shutil.copytree(prices, tmp_path / ".clearbar" / "prices")
    (tmp_path / "clearbar.toml").write_text(DECLARED)
    return tmp_path


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace(folder, clock=lambda: NOON) as opened:
        yield opened


def put(workspace: Workspace, number: int, team: str = "legal") -> str:
    path = workspace.folder / f"usage-{number}.jsonl"
    path.write_text(LINE % (number, team))
    return str(path)


def test_a_workspace_is_found_from_any_folder_below_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "src" / "letters").mkdir(parents=True)
    monkeypatch.chdir(folder / "src" / "letters")
    assert Workspace.find().folder == folder.resolve()


def test_a_named_folder_has_to_be_the_workspace_itself(folder: Path) -> None:
    (folder / "src").mkdir()
    assert Workspace.exists(folder)
    with pytest.raises(ClearbarError, match="there is no "):
        Workspace.find(folder / "src")


def test_opening_a_workspace_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with Workspace.find(folder):
        pass
    assert sorted(folder.rglob("*")) == before


def test_today_is_the_clocks_day(workspace: Workspace) -> None:
    assert workspace.as_of == date(2026, 9, 15)


def test_a_declared_day_stands_before_the_clocks(folder: Path) -> None:
    (folder / "clearbar.toml").write_text("[workspace]\nas_of = 2026-05-01\n")
    assert Workspace(folder, clock=lambda: NOON).as_of == date(2026, 5, 1)


def test_a_given_day_stands_before_the_declared(folder: Path) -> None:
    (folder / "clearbar.toml").write_text("[workspace]\nas_of = 2026-05-01\n")
    assert Workspace(folder, as_of=date(2026, 4, 1)).as_of == date(2026, 4, 1)


def test_what_is_added_is_seen_at_once(workspace: Workspace) -> None:
    assert workspace.spend(ALL, "team").total.calls == 0
    workspace.add([put(workspace, 1)])
    assert workspace.spend(ALL, "team").total.calls == 1


def test_an_unknown_workflow_names_the_nearest(workspace: Workspace) -> None:
    with pytest.raises(UnknownName, match='Did you mean "letters"'):
        workspace.workflow("leters")


def test_workflows_are_proposed_for_what_no_rule_takes(workspace: Workspace) -> None:
    workspace.add([put(workspace, 1), put(workspace, 2, "sales")])
    assert workspace.propose_workflows() >= 1
    assert workspace.spend(ALL, "workflow").unattributed.calls == 0


def test_outcomes_are_read_from_where_the_metric_says(workspace: Workspace) -> None:
    scores = workspace.folder / "scores"
    scores.mkdir()
    (scores / "letters.csv").write_text(
        "workflow,task_id,score,scored_at,said_by\nletters,L-1,1,2026-09-01T09:00:00Z,crm\n"
    )
    assert workspace.add_declared_outcomes() == (1, 0, ())
    assert workspace.add_declared_outcomes() == (0, 0, ())


def test_old_usage_moves_the_day_to_the_one_after_it(folder: Path) -> None:
    with Workspace(folder, clock=lambda: datetime(2027, 5, 1, tzinfo=UTC)) as workspace:
        workspace.add([put(workspace, 1)])
        assert workspace.follow_the_ledger() == date(2026, 9, 2)
        assert workspace.as_of == date(2026, 9, 2)


def test_recent_usage_moves_nothing(workspace: Workspace) -> None:
    workspace.add([put(workspace, 1)])
    assert workspace.follow_the_ledger() is None


def test_a_day_that_was_given_is_never_moved(folder: Path) -> None:
    with Workspace(folder, as_of=date(2027, 5, 1)) as workspace:
        workspace.add([put(workspace, 1)])
        assert workspace.follow_the_ledger() is None


def test_verdicts_of_another_day_are_not_recorded(folder: Path) -> None:
    with Workspace(folder, as_of=date(2026, 9, 15)) as workspace:
        workspace.add([put(workspace, 1)])
        verdicts, news = workspace.judge()
    assert len(verdicts) == 1
    assert news == ()


def test_a_closed_workspace_opens_again_when_it_is_asked(workspace: Workspace) -> None:
    workspace.add([put(workspace, 1)])
    workspace.close()
    assert len(workspace.dearest(Period(date(2026, 9, 1), date(2026, 9, 2)))) == 1


@pytest.mark.parametrize("words", ["/nowhere/x.csv", "Zendesk: **solved** tickets", ".", "**"])
def test_where_scores_come_from_may_be_words(folder: Path, words: str) -> None:
    (folder / "clearbar.toml").write_text(DECLARED.replace("scores/letters.csv", words))
    with Workspace(folder) as workspace:
        assert workspace.add_declared_outcomes().new == 0


def test_outcomes_are_read_from_an_absolute_path(folder: Path) -> None:
    path = folder / "elsewhere.csv"
    path.write_text("workflow,task_id,score,scored_at\nletters,L-1,1,2026-09-01\n")
    (folder / "clearbar.toml").write_text(DECLARED.replace("scores/letters.csv", str(path)))
    with Workspace(folder) as workspace:
        assert workspace.add_declared_outcomes().new == 1


def test_nothing_is_recorded_under_another_day(folder: Path) -> None:
    with Workspace(folder, as_of=date(2026, 9, 1)) as workspace:
        with pytest.raises(ClearbarError, match="nothing is recorded under another day"):
            workspace.defend("letters", by="a@example.com", why="It works")
        with pytest.raises(ClearbarError, match="nothing is recorded under another day"):
            workspace.override(
                "letters", "kill", by="a@example.com", why="No", until=date(2026, 12, 1)
            )


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_day_at_the_ends_of_the_calendar_is_refused(folder: Path, day: date) -> None:
    with pytest.raises(ClearbarError, match="too far away"):
        _ = Workspace(folder, as_of=day).as_of
