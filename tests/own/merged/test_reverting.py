"""What takes merged work back, and what brings it back again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.own.merged.repository import Repository

from clearbar.own.merged.change import Commit, changes_of, steps_of
from clearbar.own.merged.history import read_history
from clearbar.own.merged.reverting import turns_of

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


def told(repository: Repository, since: date = SINCE) -> dict[str, Change]:
    """Return the changes by their commit, without the first of the repository."""
    changes = read_history(repository.folder, None, since).changes
    return {each.sha: each for each in changes if each.merged_at > on(1)}


def test_a_revert_is_no_change_of_its_own(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    repository.revert(commit, on(4))
    [change] = told(repository).values()
    assert (change.sha, change.turns) == (commit, (on(4),))


def test_a_reverted_merge_says_when(repository: Repository) -> None:
    repository.branch("feature/cart", "cart.py", on(3))
    merge = repository.merge("feature/cart", on(5))
    repository.revert(merge, on(6))
    [change] = told(repository).values()
    assert (change.sha, change.reverted_at) == (merge, on(6))


def test_a_reverted_squash_merge_says_when(repository: Repository) -> None:
    repository.branch("feature/cart", "cart.py", on(3))
    repository.git("merge", "-q", "--squash", "feature/cart", at=on(4))
    repository.git("commit", "-q", "-m", "Count the cart (#12)", at=on(4))
    squashed = repository.git("rev-parse", "HEAD", at=on(4))
    repository.revert(squashed, on(5))
    [change] = told(repository).values()
    assert (change.sha, change.reverted_at) == (squashed, on(5))


def test_one_commit_of_a_merge_that_is_reverted_takes_the_change_back(
    repository: Repository,
) -> None:
    first = repository.branch("feature/cart", "cart.py", on(3))
    merge = repository.merge("feature/cart", on(5))
    repository.revert(first, on(6))
    assert told(repository)[merge].reverted_at == on(6)


def test_a_revert_that_is_merged_from_a_branch_takes_back_too(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    repository.git("checkout", "-q", "-b", "revert-1-cart", at=on(4))
    repository.revert(commit, on(4))
    repository.git("checkout", "-q", "main", at=on(4))
    repository.merge("revert-1-cart", on(5), "Merge pull request #2 from example/revert-1-cart")
    [change] = told(repository).values()
    assert (change.sha, change.reverted_at) == (commit, on(5))


def test_a_revert_of_a_revert_restores_the_change(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    repository.revert(repository.revert(commit, on(4)), on(5))
    [change] = told(repository).values()
    assert (change.reverted_at, change.turns) == (None, (on(4), on(5)))


def test_a_change_that_is_reverted_for_good_is_taken_back(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    again = repository.revert(repository.revert(commit, on(4)), on(5))
    repository.revert(again, on(6))
    assert told(repository)[commit].turns == (on(4), on(5), on(6))


def test_a_change_that_two_reverts_name_stands_again_when_both_are_undone(
    repository: Repository,
) -> None:
    commit = repository.commit("cart.py", on(3))
    said = f'Revert "cart"\n\nThis reverts commit {commit}.'
    one, two = (repository.commit("cart.py", on(day), said) for day in (4, 5))
    undone = 'Revert "Revert"\n\nThis reverts commit {}.'
    repository.commit("cart.py", on(6), undone.format(one))
    assert told(repository)[commit].turns == (on(4),)
    repository.commit("cart.py", on(7), undone.format(two))
    assert told(repository)[commit].turns == (on(4), on(7))


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("This reverts commits {0}..{2}.", "12"),
        ("This reverts commits {0}^..{2}.", "012"),
        ("This reverts commits {0}, {1} and {2}.", "012"),
        ("This reverts commit {0}.\n\nThis reverts commit {1}.", "01"),
        ("This reverts commit {0:.10} (Count the cart, 2026-09-03).", "0"),
        ("This reverts commit {0}, reversing\nchanges made to {1}.", "0"),
        ("This reverts commit {0}. Not {1}, which stays.", "0"),
        ("This reverts commits deadbeef..{1}.", "1"),
        ("This reverts commits {1}..{1}.", "1"),
        ("This reverts commit deadbeef.", ""),
        ("This reverts commits {1}..deadbeef.", ""),
        ("It is like {0}.", ""),
    ],
)
def test_a_message_names_one_commit_or_several(
    repository: Repository, words: str, taken: str
) -> None:
    commits = [repository.commit(f"{name}.py", on(3, hour)) for hour, name in enumerate("abc")]
    repository.commit("a.py", on(4), "Revert some\n\n" + words.format(*commits))
    changes = told(repository)
    assert [sha for sha in commits if changes[sha].reverted_at] == [commits[int(n)] for n in taken]


def test_a_revert_of_what_is_older_than_the_first_day_is_no_change(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    repository.revert(commit, on(9))
    assert told(repository, date(2026, 9, 8)) == {}


def test_work_that_also_takes_something_back_is_a_change(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    said = f"Count the cart in another way\n\nThis reverts commit {commit}."
    better = repository.commit("cart.py", on(4), said)
    changes = told(repository)
    assert (changes[commit].reverted_at, changes[better].reverted_at) == (on(4), None)


def test_what_a_branch_took_back_of_itself_is_its_own_affair(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "feature/cart", at=on(3))
    tried = repository.commit("tried.py", on(3))
    repository.revert(tried, on(3, 13))
    repository.commit("cart.py", on(3, 14))
    repository.git("checkout", "-q", "main", at=on(3))
    merge = repository.merge("feature/cart", on(4))
    assert told(repository)[merge].turns == ()


def test_a_squash_that_lists_a_revert_on_its_branch_is_a_change(repository: Repository) -> None:
    elsewhere = "f" * 40
    said = f'Count the cart (#7)\n\n* Revert "try"\n\nThis reverts commit {elsewhere}.'
    commit = repository.commit("cart.py", on(3), said)
    assert told(repository).keys() == {commit}


def test_turns_of_the_same_second_have_an_order(repository: Repository) -> None:
    commit = repository.commit("cart.py", on(3))
    repository.revert(repository.revert(commit, on(3)), on(3))
    change = told(repository)[commit]
    assert change.merged_at < change.turns[0] < change.turns[1]


def made(reverts: list[int | None]) -> list[Commit]:
    """Return a history in which each commit reverts an earlier one, or none."""
    found: list[Commit] = []
    for at, back in enumerate(reverts):
        message = "work" if back is None else f"Revert\n\nThis reverts commit {found[back].sha}."
        parents = (found[-1].sha,) if found else ()
        found.append(Commit(f"{at:040x}", parents, on(1), on(1), message))
    return found


@st.composite
def histories(draw: st.DrawFn) -> list[int | None]:
    ends = range(draw(st.integers(1, 12)))
    return [draw(st.none() | st.integers(0, at - 1)) if at else None for at in ends]


def stands(reverts: list[int | None], at: int) -> bool:
    """Return whether no later commit that stands reverts it: the rule, written another way."""
    return not any(
        back == at and stands(reverts, later)
        for later, back in enumerate(reverts)
        if later > at and back is not None
    )


@given(histories())
def test_a_change_stands_unless_something_that_stands_takes_it_back(
    reverts: list[int | None],
) -> None:
    commits = made(reverts)
    trunk = [each.sha for each in reversed(commits)]
    changes = {each.sha: each for each in changes_of({c.sha: c for c in commits}, trunk, {})}
    assert changes.keys() == {
        c.sha for c, back in zip(commits, reverts, strict=True) if back is None
    }
    for at, commit in enumerate(commits):
        if commit.sha in changes:
            change = changes[commit.sha]
            assert (change.reverted_at is None) == stands(reverts, at)
            times = (change.merged_at, *change.turns)
            assert all(before < after for before, after in pairwise(times))


def test_a_history_that_was_made_to_be_slow_is_read_in_time() -> None:
    chain = made([None, *range(5_000)])
    steps = steps_of({each.sha: each for each in chain}, [each.sha for each in reversed(chain)])
    assert max(map(len, turns_of(steps))) <= 50
