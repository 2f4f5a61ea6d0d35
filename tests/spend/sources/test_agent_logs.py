"""Agents' logs are taken for what they are, and nothing else is taken for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.spend.sources.samples import cases

from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import (
    SOURCES,
    codex,
    codex_exec,
    copilot_billing,
    cursor,
    gemini_cli,
    opencode,
)

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = (codex, codex_exec, copilot_billing, cursor, gemini_cli, opencode)
REAL = {
    "codex_rollout/*": "codex",
    "ccusage_fixtures/*codex*": "codex",
    "gemini_cli/*": "gemini_cli",
    "cursor_csv/*": "cursor",
    "tokscale_fixtures/*opencode*": "opencode",
}


@pytest.mark.parametrize("source", AGENTS, ids=lambda source: source.NAME)
def test_a_source_recognises_its_own_samples_and_no_others(source: object) -> None:
    known = next(each for each in SOURCES if each is source)
    for case in cases():
        recognised = known.recognises(open_source_file(case))
        assert recognised == (case.parent.name == known.NAME), case.name


def test_of_all_real_files_only_those_of_agents_are_recognised(shared_data: Path) -> None:
    expected = {
        path: name
        for pattern, name in REAL.items()
        for path in (shared_data / "formats").glob(pattern)
    }
    assert len(expected) == 10
    found = {}
    for path in shared_data.rglob("*"):
        if path.is_file():
            file = open_source_file(path)
            names = [source.NAME for source in SOURCES if source.recognises(file)]
            if set(names) & {source.NAME for source in AGENTS}:
                found[path] = ",".join(names)
    assert found == expected
