from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def test_one_command_reads_judges_and_draws(clearbar: CommandLine) -> None:
    said = clearbar("report", clearbar.usage(LINE))
    assert said.code == 0
    assert "1 new" in said.out
    assert "letters" in said.out
    assert (clearbar.folder / "report.html").read_text().startswith("<!doctype html>")


def test_nothing_but_usage_is_recorded(clearbar: CommandLine) -> None:
    before = clearbar("check").out
    clearbar("report", clearbar.usage(LINE))
    assert clearbar("check").out == before


def test_the_page_goes_where_it_is_told_to(clearbar: CommandLine) -> None:
    page = clearbar.folder / "out.html"
    clearbar("report", "--html", page)
    assert page.exists()


def test_json_has_the_scorecard_the_verdicts_and_the_page(clearbar: CommandLine) -> None:
    found = clearbar("report", clearbar.usage(LINE), "--json").json
    assert {"scorecard", "verdicts", "page"} <= found.keys()


def test_without_a_workspace_the_folder_becomes_one_with_proposals(
    clearbar: CommandLine, tmp_path: Path
) -> None:
    usage = clearbar.usage(LINE)
    place = tmp_path / "elsewhere"
    said = clearbar.anywhere("--workspace", place, "report", usage)
    assert said.code == 0
    assert "proposes workflows: 1" in said.err
    assert "legal" in (place / "clearbar.toml").read_text()


def test_a_path_that_is_not_there_leaves_no_workspace_behind(
    clearbar: CommandLine, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    said = clearbar.anywhere("--workspace", place, "report", tmp_path / "nowhere")
    assert (said.code, said.out) == (1, "")
    assert not place.exists()


def test_old_usage_is_shown_as_of_its_own_time(clearbar: CommandLine) -> None:
    (clearbar.folder / "clearbar.toml").write_text("")
    said = clearbar("report", clearbar.usage({**LINE, "startTime": "2024-03-01T08:00:00Z"}))
    assert "shown as of 2024-03-02" in said.out


def test_the_day_may_be_given(clearbar: CommandLine) -> None:
    said = clearbar("report", clearbar.usage(LINE), "--as-of", "2026-09-02", "--json")
    assert said.json["scorecard"]["period"]["end"] == "2026-09-02"


@pytest.mark.slow
def test_the_sample_company_has_a_verdict_on_every_workflow(demo: CommandLine) -> None:
    found = demo("report", "--json").json
    assert len(found["verdicts"]) == len(found["scorecard"]["cards"])


def test_outcomes_that_cannot_be_read_are_named(filled: CommandLine) -> None:
    (filled.folder / "outcomes").mkdir()
    (filled.folder / "outcomes" / "letters.csv").write_text(
        "workflow,task_id,score,scored_at\nletters,L-1,failed,2026-09-01\n"
    )
    said = filled("report")
    assert "letters.csv:2: the score is no number" in said.err
    assert "outcomes that were not taken in: 1" in said.err
