"""What `import clearbar` gives, and what it does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

import clearbar
from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.period import ALL

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("duckdb", "narwhals", "genai_prices", "jinja2", "rich", "msgspec", "sqlite3", "pyspark")
DECLARED = """
[[workflow]]
name = "letters"
owner = "letters-lead@example.com"
metric = { name = "sent", unit = "letter", from = "outcomes/letters.csv" }
match = [{ service = "letters" }]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "clearbar.toml").write_text(DECLARED)
    return tmp_path


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a Python process has loaded when it ends."""
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", report + arguments[0], *arguments[1:]],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_importing_clearbar_loads_no_heavy_library() -> None:
    assert not loaded_by("import clearbar") & {*HEAVY, "click"}


def test_the_workspace_itself_loads_no_heavy_library_before_it_is_used() -> None:
    assert not loaded_by("from clearbar import Workspace") & {*HEAVY, "click"}


def test_help_loads_no_heavy_library() -> None:
    run = "from clearbar.__main__ import main; main()"
    assert not loaded_by(run, "--help") & set(HEAVY)


def test_the_public_names_are_these() -> None:
    assert clearbar.__all__ == ["Workspace", "outcome"]


def test_every_public_name_is_there() -> None:
    assert set(clearbar.__all__) <= set(dir(clearbar))
    assert all(getattr(clearbar, name) for name in clearbar.__all__)


def test_another_name_is_refused_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'workspase'"):
        clearbar.workspase  # noqa: B018 - asking is the test


def test_an_outcome_is_recorded_in_one_line_of_python(workspace: Path) -> None:
    assert clearbar.outcome("letters", "L-1", 1.0, said_by="crm", workspace=workspace)
    with clearbar.Workspace.find(workspace) as opened:
        assert opened.scorecard(ALL).cards[0].outcomes == 1


def test_the_same_outcome_twice_is_one(workspace: Path) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    say = partial(clearbar.outcome, said_by="crm", scored_at=at, workspace=workspace)
    assert say("letters", "L-1", 1.0)
    assert not say("letters", "L-1", 1.0)


def test_an_outcome_is_recorded_in_the_nearest_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = workspace / "src" / "letters"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert clearbar.outcome("letters", "L-1", 0, said_by="crm")


def test_an_outcome_of_no_declared_workflow_is_refused_with_the_nearest_name(
    workspace: Path,
) -> None:
    with pytest.raises(UnknownName, match='Did you mean "letters"'):
        clearbar.outcome("leters", "L-1", 1, said_by="crm", workspace=workspace)


def test_a_score_outside_0_to_1_is_refused(workspace: Path) -> None:
    with pytest.raises(ClearbarError, match="outside"):
        clearbar.outcome("letters", "L-1", 94, said_by="crm", workspace=workspace)


def test_without_a_workspace_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError) as caught:
        clearbar.outcome("letters", "L-1", 1, said_by="crm", workspace=tmp_path)
    assert "clearbar init" in caught.value.hint
