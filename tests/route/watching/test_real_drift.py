"""Replays of real scores that drop: tools that were replaced, and traffic that became harder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from benchmarks.drift import (
    IN_CONTROL,
    OVERSHOOT,
    USUAL_ANSWERS,
    bound,
    first_alarms,
    real_changes,
    swapped,
)
from tests.route.watching.made import DECIDED, NOW, WATCHED, scored

from clearbar.core.store import Store
from clearbar.own.workflow import Bar
from clearbar.route.watching.store import alarms, keep
from clearbar.route.watching.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
RUN_LENGTH: Final = 10_000
RUNS: Final = 200


def test_every_real_drop_is_seen_within_the_bound(shared_data: Path) -> None:
    chance = np.random.default_rng(1)
    for change in real_changes(shared_data):
        draws = swapped(change, USUAL_ANSWERS, chance)
        found = first_alarms(change.rule, RUN_LENGTH, draws, RUNS)
        late = found[found > USUAL_ANSWERS] - USUAL_ANSWERS
        least = bound(change.after, change.rule.allowed, RUN_LENGTH)
        assert late.mean() <= least + OVERSHOOT, change.name


def test_real_tools_above_their_bar_are_seldom_suspected(shared_data: Path) -> None:
    """Ten thousand answers at one false alarm in ten thousand, had they been at their bar."""
    chance = np.random.default_rng(2)
    for change in real_changes(shared_data):
        steady = swapped(change, IN_CONTROL, chance)
        found = first_alarms(change.rule, RUN_LENGTH, steady, RUNS, IN_CONTROL + 1)
        assert (found <= IN_CONTROL).mean() <= 0.15, change.name


def test_a_real_tool_that_is_replaced_loses_its_route(shared_data: Path, tmp_path: Path) -> None:
    change = next(
        each for each in real_changes(shared_data) if each.name.endswith("gemini-1.0-pro")
    )
    chance = np.random.default_rng(3)
    usual = scored(1 - chance.choice(change.before, 400))
    fallen = scored(1 - chance.choice(change.after, 4000))
    watched = replace(WATCHED, bar=Bar(at_least=0.93), decided_at=DECIDED)
    store = Store(tmp_path / "facts.db")
    keep(store, usual)
    watch = Watch(store)
    assert watch.step([watched], NOW) == ()
    seen = 0
    for begin in range(0, len(fallen), 50):
        keep(store, fallen[begin : begin + 50])
        seen += 50
        watch = Watch(store)  # as after a restart
        if watch.step([watched], NOW):
            break
    assert "support-replies" in alarms(store)
    assert seen < 2000
    store.close()
