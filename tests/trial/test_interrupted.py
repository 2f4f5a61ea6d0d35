"""What a killed trial has bought is charged by whoever comes next."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.trial.running import World

from clearbar.core.errors import LedgerError
from clearbar.trial.running.evidence import claim, now
from clearbar.trial.running.interrupted import NOTES, charge_ended, note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def charged(world: World) -> list[str]:
    said: list[str] = []
    charge_ended(world.folder, world.evidence, now(), lambda: said.append("charged"))
    return said


def test_a_noted_trial_that_nobody_runs_is_charged_once(world: World) -> None:
    note(world.folder, "letters")
    note(world.folder, "mails")
    assert charged(world) == ["charged"]
    assert charged(world) == []


def test_a_trial_that_runs_is_left_alone(world: World) -> None:
    note(world.folder, "letters")
    with claim(world.folder, "letters"):
        assert charged(world) == []
    assert charged(world) == ["charged"]


def test_a_note_stays_until_its_calls_are_charged(world: World) -> None:
    def fail() -> None:
        raise LedgerError("the disk is full")

    note(world.folder, "letters")
    with pytest.raises(LedgerError):
        charge_ended(world.folder, world.evidence, now(), fail)
    assert list(world.folder.glob(NOTES))
    assert charged(world) == ["charged"]


def test_a_note_that_cannot_be_written_stops_the_trial(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        note(tmp_path / "taken", "letters")
