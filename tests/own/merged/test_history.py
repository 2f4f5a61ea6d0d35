"""What a repository tells of merged work."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from tests.own.merged.repository import Repository

from clearbar.core.errors import ClearbarError
from clearbar.own.merged.change import branch_named
from clearbar.own.merged.history import branches, read_history

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.own.merged.change import Change

SINCE = date(2026, 9, 1)


def on(day: int, hour: int = 12) -> datetime:
    """Return an hour of a day of September."""
    return datetime(2026, 9, day, hour, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop", on(1))


def changes(repository: Repository) -> list[Change]:
    return read_history(repository.folder, None, SINCE).changes


def test_branches_are_listed_the_newest_work_first(repository: Repository) -> None:
    repository.branch("feature/cart", "cart/total.py", on(3))
    assert branches(repository.folder) == ["feature/cart", "main"]


def test_a_folder_without_a_repository_has_no_branches(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="is no git repository"):
        branches(tmp_path)


def test_a_merged_branch_is_one_change(repository: Repository) -> None:
    first = repository.branch("feature/cart", "cart/total.py", on(3))
    merge = repository.merge("feature/cart", on(5))
    change = changes(repository)[-1]
    assert (change.sha, change.task, change.branch) == (merge, first, "feature/cart")
    assert (change.began_at, change.merged_at) == (on(3), on(5))


def test_a_change_touches_the_folders_of_its_files_and_those_above(repository: Repository) -> None:
    repository.branch("feature/cart", "src/cart/total.py", on(3))
    repository.merge("feature/cart", on(5))
    assert changes(repository)[-1].folders == {"", "src", "src/cart"}


def test_a_commit_on_the_main_branch_is_a_change_without_a_branch(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(4), "Count the cart (#12)")
    change = changes(repository)[-1]
    assert (change.sha, change.task, change.branch) == (commit, commit, "")


def test_what_is_older_than_the_first_day_is_left_out(repository: Repository) -> None:
    repository.commit("cart.py", on(9))
    found = read_history(repository.folder, None, date(2026, 9, 5)).changes
    assert [change.merged_at for change in found] == [on(9)]


def test_days_without_a_merge_have_no_changes(repository: Repository) -> None:
    assert read_history(repository.folder, None, date(2026, 10, 1)).changes == []


def test_the_first_commit_of_a_merge_does_not_depend_on_the_first_day(
    repository: Repository,
) -> None:
    first = repository.branch("feature/cart", "cart.py", on(3))
    repository.merge("feature/cart", on(9))
    [change] = read_history(repository.folder, None, date(2026, 9, 8)).changes
    assert (change.task, change.began_at) == (first, on(3))


def test_a_branch_that_is_merged_again_brings_only_what_is_new(repository: Repository) -> None:
    one = repository.branch("develop", "cart.py", on(3))
    repository.merge("develop", on(4))
    repository.git("checkout", "-q", "develop", at=on(5))
    two = repository.commit("total.py", on(5))
    repository.git("checkout", "-q", "main", at=on(5))
    repository.merge("develop", on(6))
    assert [change.task for change in changes(repository)[1:]] == [one, two]


def test_a_commit_that_was_picked_from_another_branch_is_the_same_work(
    repository: Repository,
) -> None:
    fixed = repository.branch("release", "cart.py", on(3))
    repository.git("cherry-pick", "-x", fixed, at=on(4))
    assert changes(repository)[-1].task == fixed
    assert read_history(repository.folder, "release", SINCE).changes[-1].task == fixed


def test_the_same_patch_without_a_word_of_where_it_is_from_is_other_work(
    repository: Repository,
) -> None:
    fixed = repository.branch("release", "cart.py", on(3))
    repository.git("cherry-pick", fixed, at=on(4))
    assert changes(repository)[-1].task != fixed


def test_work_that_is_rebased_onto_the_main_branch_is_a_change_for_each_commit(
    repository: Repository,
) -> None:
    repository.git("checkout", "-q", "-b", "feature/cart", at=on(3))
    for path in ("cart.py", "total.py"):
        repository.commit(path, on(3))
    repository.git("checkout", "-q", "main", at=on(4))
    repository.commit("other.py", on(4))
    repository.git("rebase", "-q", "main", "feature/cart", at=on(5))
    repository.git("checkout", "-q", "main", at=on(5))
    repository.git("merge", "-q", "--ff-only", "feature/cart", at=on(5))
    assert [len(changes(repository)), changes(repository)[-1].branch] == [4, ""]


def test_another_branch_can_count_as_the_main_one(repository: Repository) -> None:
    repository.branch("release", "notes.md", on(3))
    history = read_history(repository.folder, "release", SINCE)
    assert (history.branch, len(history.changes)) == ("release", 2)


def test_a_folder_below_the_top_is_the_same_repository(repository: Repository) -> None:
    repository.commit("cart/total.py", on(3))
    assert read_history(repository.folder / "cart", None, SINCE).root == repository.folder


@pytest.mark.parametrize(
    ("message", "branch"),
    [
        ("Merge branch 'feature/a' into main", "feature/a"),
        ("Merge branch 'fix-1' into 'main'\n\nFix\n\nSee merge request group/shop!7", "fix-1"),
        ("Merge pull request #12 from example/feature/b", "feature/b"),
        ("Merged in feature/c (pull request #3)", "feature/c"),
        ("Merge remote-tracking branch 'origin/d'", "d"),
        ("Merged PR 12: Count the cart", ""),
        ("Count the cart (#12)", ""),
        ("", ""),
    ],
)
def test_hosts_name_the_branch_of_a_merge_in_their_own_words(message: str, branch: str) -> None:
    assert branch_named(message) == branch


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="is no git repository"):
        read_history(tmp_path, None, SINCE)


def test_a_branch_that_is_not_there_is_refused(repository: Repository) -> None:
    with pytest.raises(ClearbarError, match="has no such branch"):
        read_history(repository.folder, "nowhere", SINCE)


def test_a_branch_whose_name_looks_like_an_option_runs_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    with pytest.raises(ClearbarError):
        read_history(repository.folder, f"--output={tmp_path / 'written'}", SINCE)
    assert not (tmp_path / "written").exists()


def test_a_repository_without_a_main_branch_asks_for_one(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "other", str(tmp_path)], check=True)
    with pytest.raises(ClearbarError, match="no branch called main"):
        read_history(tmp_path, None, SINCE)


def test_programs_that_a_repository_names_are_not_run(repository: Repository) -> None:
    witness = repository.folder / "ran"
    hook = repository.folder / "run.sh"
    hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
    hook.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "core.pager"):
        repository.git("config", name, str(hook), at=on(2))
    repository.commit("cart.py", on(3))
    witness.unlink(missing_ok=True)
    changes(repository)
    assert not witness.exists()


def test_what_is_missing_of_a_repository_is_not_fetched_by_a_program_it_names(
    repository: Repository, tmp_path: Path
) -> None:
    witness = tmp_path / "ran"
    repository.commit("cart.py", on(3))
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", str(tmp_path)),
        ("remote.origin.uploadpack", f"touch {witness}; false"),
    ):
        repository.git("config", name, value, at=on(3))
    tree = repository.git("rev-parse", "HEAD^{tree}", at=on(3))
    (repository.folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(ClearbarError) as refused:
        changes(repository)
    assert not witness.exists()
    assert "whole clone" in refused.value.hint


def test_a_message_cannot_pretend_to_be_a_commit(repository: Repository) -> None:
    forged = "work\x1e" + "f" * 40 + "\x1f\x1f1\x1f1\x1fmine\x1f"
    commit = repository.commit("cart.py", on(4), forged)
    assert [each.sha for each in changes(repository)][1:] == [commit]


def test_a_repository_cannot_choose_the_encoding_of_its_history(repository: Repository) -> None:
    repository.git("config", "i18n.logOutputEncoding", "UTF-16", at=on(3))
    assert len(changes(repository)) == 1


@pytest.mark.parametrize(
    ("author", "committer"),
    [
        ("nobody", "a <a@example.com> 1788600000 +0000"),
        ("a <a@example.com> 99999999999999 +0000", "a <a@example.com> 99999999999999 +0000"),
    ],
)
def test_a_time_that_is_none_does_not_end_the_reading(
    repository: Repository, author: str, committer: str
) -> None:
    tree, parent = (repository.git("rev-parse", name, at=on(2)) for name in ("HEAD^{tree}", "HEAD"))
    raw = f"tree {tree}\nparent {parent}\nauthor {author}\ncommitter {committer}\n\nwork\n"
    file = repository.folder / "raw"
    file.write_text(raw)
    words = ("hash-object", "-t", "commit", "-w", "--literally", "raw")
    repository.git("update-ref", "refs/heads/main", repository.git(*words, at=on(2)), at=on(2))
    found = changes(repository)[-1]
    assert found.began_at <= found.merged_at
    assert len(changes(repository)) == 2


def test_a_bare_repository_has_the_name_of_its_clones(
    repository: Repository, tmp_path: Path
) -> None:
    bare = tmp_path / "elsewhere" / "shop.git"
    repository.git("clone", "-q", "--bare", str(repository.folder), str(bare), at=on(3))
    found = read_history(bare, None, SINCE)
    assert (found.root, len(found.changes)) == (bare.with_suffix(""), 1)


def test_a_history_without_end_is_not_held(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.own.merged.history._MAX_BYTES", 50)
    with pytest.raises(ClearbarError, match="too long to read"):
        changes(repository)
