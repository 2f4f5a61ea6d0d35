from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.declared import load
from clearbar.sample.defences import DEFENCES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def test_init_makes_a_workspace_that_can_be_read(clearbar: CommandLine, tmp_path: Path) -> None:
    said = clearbar.anywhere("init", tmp_path / "new" / "place")
    assert said.code == 0
    assert load(tmp_path / "new" / "place" / "clearbar.toml").workflows == ()


def test_init_says_what_to_do_next(clearbar: CommandLine, tmp_path: Path) -> None:
    assert "clearbar spend add" in clearbar.anywhere("init", tmp_path / "new").out


def test_init_never_writes_over_a_workspace(clearbar: CommandLine) -> None:
    before = (clearbar.folder / "clearbar.toml").read_text()
    for arguments in (["init", clearbar.folder], ["init", "--demo", clearbar.folder]):
        said = clearbar.anywhere(*arguments)
        assert (said.code, said.out) == (1, "")
        assert "is there already" in said.err
    assert (clearbar.folder / "clearbar.toml").read_text() == before


def test_the_demo_says_how_to_see_it(clearbar: CommandLine, tmp_path: Path) -> None:
    said = clearbar.anywhere("init", "--demo", tmp_path / "demo")
    assert f"clearbar --workspace {tmp_path / 'demo'} report" in said.out
    assert (tmp_path / "demo" / "usage").is_dir()


def test_the_demo_has_defences_in_its_docket(demo: CommandLine) -> None:
    defended = {each.workflow for each in DEFENCES}
    for workflow in defended:
        entries = demo("gate", "history", workflow, "--json").json["entries"]
        assert {entry["kind"] for entry in entries} == {"defence"}
