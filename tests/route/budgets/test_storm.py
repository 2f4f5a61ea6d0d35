"""A few rounds of the storm; `python -m tests.route.budgets.storm 100` runs the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_thousand_calls_at_once_never_exceed_a_budget_whoever_is_killed(
    postgres: str,
) -> None:
    assert postgres, "PostgreSQL runs here"
    done = subprocess.run(
        [sys.executable, "-m", "tests.route.budgets.storm", "2", "77"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("nothing was wrong\n"), done.stdout + done.stderr
    assert "PostgreSQL 4 processes" in done.stdout
