from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.spend.files.candidates import candidates, mapping_for
from clearbar.spend.files.table_mapping import TableMapping

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.jsonl", "deep/c.csv", ".clearbar/facts.db", "deep/.git/d.jsonl"):
        path = tmp_path / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "exports"


def names(*paths: str, base: Path) -> list[str]:
    return [found.path.relative_to(base).as_posix() for found in candidates(paths, base)]


def test_a_folder_means_all_files_below_it_in_a_stable_order(exports: Path) -> None:
    assert names(".", base=exports) == ["a.jsonl", "b.jsonl", "deep/c.csv"]


def test_our_own_files_and_those_of_git_are_passed_over(exports: Path) -> None:
    assert not {".clearbar/facts.db", "deep/.git/d.jsonl"} & set(names(".", base=exports))


def test_a_glob_means_the_files_that_match(exports: Path) -> None:
    assert names("*.jsonl", base=exports) == ["a.jsonl", "b.jsonl"]


def test_a_glob_that_matches_a_folder_means_the_files_in_it(exports: Path) -> None:
    assert names("de*", base=exports) == ["deep/c.csv"]


def test_a_file_named_twice_is_read_once(exports: Path) -> None:
    assert names("a.jsonl", "./a.jsonl", "*.jsonl", base=exports) == ["a.jsonl", "b.jsonl"]


def test_a_file_behind_a_link_is_read_once(exports: Path) -> None:
    (exports / "link.jsonl").symlink_to(exports / "a.jsonl")
    assert names(".", base=exports) == ["a.jsonl", "b.jsonl", "deep/c.csv"]


def test_a_link_to_nowhere_in_a_folder_is_passed_over(exports: Path) -> None:
    (exports / "link.jsonl").symlink_to(exports / "gone")
    assert names(".", base=exports) == ["a.jsonl", "b.jsonl", "deep/c.csv"]


def test_only_a_file_that_was_named_has_to_be_readable(exports: Path) -> None:
    found = candidates(["a.jsonl", "deep"], exports)
    assert [(each.path.name, each.named) for each in found] == [("a.jsonl", True), ("c.csv", False)]


def test_the_size_of_each_file_is_known(exports: Path) -> None:
    [found] = candidates(["a.jsonl"], exports)
    assert found.size == len("a.jsonl")


@pytest.mark.parametrize("path", ["nowhere", "*.parquet", "a.jsonl/b", ""])
def test_a_path_that_means_no_file_is_refused_or_the_folder_itself(
    exports: Path, path: str
) -> None:
    if not path:
        assert names(path, base=exports) == names(".", base=exports)
        return
    with pytest.raises(ClearbarError) as caught:
        candidates([path], exports)
    assert caught.value.hint


def test_a_pipe_is_refused_and_not_read_as_empty(exports: Path) -> None:
    os.mkfifo(exports / "pipe")
    with pytest.raises(ClearbarError, match="no regular file"):
        candidates(["pipe"], exports)


def table(files: str) -> TableMapping:
    return TableMapping("exports", files, {})


def test_the_first_declared_table_whose_glob_takes_a_file_maps_it(tmp_path: Path) -> None:
    tables = [table("exports/*.parquet"), table("exports/*.csv"), table("exports/c*")]
    assert mapping_for(tmp_path / "exports" / "c.csv", tables, tmp_path) is tables[1]


def test_a_file_that_no_glob_takes_has_no_mapping(tmp_path: Path) -> None:
    assert mapping_for(tmp_path / "c.csv", [table("exports/*")], tmp_path) is None


def test_a_glob_may_be_absolute(tmp_path: Path) -> None:
    wanted = table(str(tmp_path / "elsewhere" / "*.csv"))
    assert mapping_for(tmp_path / "elsewhere" / "c.csv", [wanted], tmp_path / "here") is wanted


def test_a_workspace_whose_own_name_looks_like_a_glob_finds_its_tables(tmp_path: Path) -> None:
    base = tmp_path / "costs [2026]"
    assert mapping_for(base / "exports" / "c.csv", [table("exports/*.csv")], base) is not None


def test_the_home_of_nobody_does_not_exist(exports: Path) -> None:
    with pytest.raises(ClearbarError, match="does not exist"):
        candidates(["~nobody-by-this-name/a.jsonl"], exports)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ClearbarError, match="Permission denied"):
        candidates(["."], exports)
