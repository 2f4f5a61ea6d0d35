"""Trials that end before they should, as processes of their own: what they spent is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests import letters
from tests.tools.upstream import Fault, Upstream

from clearbar.core.period import ALL
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S = 30.0


def hang_after_five(asked: Any) -> Fault | None:
    return Fault("hang") if asked.number > 5 else None


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: "yes", faults=hang_after_five) as server:
        yield server


@pytest.fixture
def stopped(tmp_path: Path, upstream: Upstream) -> Callable[[signal.Signals], tuple[int, str]]:
    """Return what runs a trial and stops it once all its calls hang: exit code and output."""
    tried = letters.trial("small", 'grade = { kind = "exact" }', 'max_usd = "1"')
    declared = letters.workflow("right >= 0.8") + letters.endpoint("small", upstream.url) + tried
    (tmp_path / "clearbar.toml").write_text(declared)
    rows = ({"id": f"c{n}", "input": f"question {n}", "reference": "yes"} for n in range(60))
    letters.write_cases(tmp_path, rows)

    def stop(how: signal.Signals) -> tuple[int, str]:
        command = [sys.executable, "-m", "clearbar", "trial", "letters", "--yes"]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            give_up = time.monotonic() + WAIT_S
            while upstream.in_flight < 4 and time.monotonic() < give_up:
                time.sleep(0.02)
            process.send_signal(how)
            said, _ = process.communicate(timeout=WAIT_S)
        return process.returncode, said

    return stop


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_trial_that_is_stopped_says_so_and_ends_with_130(
    stopped: Callable[..., tuple[int, str]], how: signal.Signals
) -> None:
    code, said = stopped(how)
    assert code == 130
    assert "stopped by hand" in said
    assert "4 calls lost in flight" in said


@pytest.mark.slow
def test_what_a_killed_trial_spent_is_in_the_ledger_once_it_is_read(
    stopped: Callable[..., tuple[int, str]], tmp_path: Path, upstream: Upstream
) -> None:
    stopped(signal.SIGKILL)
    for _ in range(2):
        with Workspace(tmp_path) as workspace:
            [row] = workspace.spend(ALL, "workflow").rows
            assert (row.key, row.usage.calls) == ("letters", len(upstream.asked))
            assert row.usage.calls_unpriced == 4
            assert workspace.check() == []
