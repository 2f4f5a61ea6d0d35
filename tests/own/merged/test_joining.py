"""Which merged change spend belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from clearbar.own.merged.change import Change
from clearbar.own.merged.joining import HOW, Joined, Used, join
from clearbar.spend.charge import Origin, label_text
from clearbar.spend.usage import Usage

ROOT = PurePosixPath("/home/dev/shop")


def change(branch: str, began: int, merged: int, *folders: str, sha: str = "") -> Change:
    """Return a change of days of September."""
    began_at, merged_at = (datetime(2026, 9, day, 12, tzinfo=UTC) for day in (began, merged))
    name = sha or f"{branch}{merged}"
    return Change(name, name, branch, began_at, merged_at, frozenset({"", *folders}))


def used(branch: str, day: int, cwd: str = "/home/dev/shop", usd: int = 1) -> Used:
    """Return a dollar's use, or more, on a branch."""
    origin = Origin(
        "claude_code", project="shop", labels=label_text({"cwd": cwd, "branch": branch})
    )
    return Used(origin, date(2026, 9, day), Usage(calls=1, cost_usd=Decimal(usd)))


def joined(changes: list[Change], *rows: Used) -> Joined:
    return join(changes, rows, ROOT, "origin/main")


def spent(found: Joined) -> dict[str, int]:
    return {change.sha: int(usage.cost_usd) for change, usage in found.changes}


def how(found: Joined) -> set[str]:
    return {name for name, usage in found.coverage.items() if usage.calls}


def test_use_on_a_branch_belongs_to_its_merge() -> None:
    assert spent(joined([change("a", 1, 5), change("b", 1, 5)], used("b", 3))) == {"b5": 1}


def test_use_on_a_branch_that_is_merged_twice_belongs_to_the_next_merge() -> None:
    changes = [change("a", 1, 5), change("a", 6, 9)]
    assert spent(joined(changes, used("a", 5), used("a", 6, usd=2))) == {"a5": 1, "a9": 2}


def test_use_on_a_branch_after_its_last_merge_is_not_joined() -> None:
    found = joined([change("a", 1, 5)], used("a", 6))
    assert (spent(found), how(found)) == ({}, {"not_merged"})


def test_use_on_a_branch_that_was_never_merged_is_not_joined() -> None:
    found = joined([change("a", 1, 5)], used("b", 3))
    assert (spent(found), how(found)) == ({}, {"not_merged"})


def test_use_on_the_main_branch_belongs_to_the_one_change_of_its_folder() -> None:
    changes = [change("a", 1, 5, "cart"), change("b", 1, 5, "docs")]
    found = joined(changes, used("main", 3, cwd="/home/dev/shop/cart"))
    assert (spent(found), how(found)) == ({"a5": 1}, {"folder"})


def test_use_that_fits_several_changes_is_not_joined() -> None:
    changes = [change("a", 1, 5, "cart"), change("b", 1, 5, "docs")]
    found = joined(changes, used("main", 3))
    assert (spent(found), how(found)) == ({}, {"several"})


def test_use_on_a_branch_that_was_squashed_is_joined_by_folder_and_time() -> None:
    found = joined([change("", 5, 5, "cart")], used("feature/x", 4, "/home/dev/shop/cart"))
    assert (spent(found), how(found)) == ({"5": 1}, {"folder"})


def test_use_before_a_change_was_begun_is_not_joined_to_it() -> None:
    found = joined([change("a", 4, 5, "cart")], used("main", 3, "/home/dev/shop/cart"))
    assert how(found) == {"not_merged"}


def test_use_of_another_machine_is_told_by_the_name_of_the_folder() -> None:
    found = joined([change("a", 1, 5)], used("a", 3, cwd="C:\\work\\shop"))
    assert spent(found) == {"a5": 1}


def test_use_elsewhere_is_not_joined() -> None:
    found = joined([change("a", 1, 5)], used("a", 3, cwd="/home/dev/other"))
    assert (spent(found), how(found)) == ({}, {"elsewhere"})


def test_a_change_that_nobody_paid_for_is_not_among_those_joined() -> None:
    assert joined([change("a", 1, 5)]).changes == ()


BRANCHES = st.sampled_from(["a", "b", "main", ""])
DAYS = st.integers(1, 28)
CHANGES = st.lists(
    st.builds(
        lambda branch, began, more, folder, n: change(
            branch if branch != "main" else "", began, min(began + more, 28), folder, sha=str(n)
        ),
        BRANCHES,
        DAYS,
        st.integers(0, 9),
        st.sampled_from(["cart", "docs"]),
        st.integers(),
    ),
    max_size=6,
    unique_by=lambda each: each.sha,
)
ROWS = st.lists(
    st.builds(
        used,
        BRANCHES,
        DAYS,
        st.sampled_from(["/home/dev/shop", "/home/dev/shop/cart", "/srv", ""]),
        st.integers(0, 9),
    ),
    max_size=8,
)


@given(CHANGES, ROWS)
def test_the_coverage_sums_to_all_use_and_what_is_joined_to_its_changes(
    changes: list[Change], rows: list[Used]
) -> None:
    changes.sort(key=lambda each: each.merged_at)
    found = joined(changes, *rows)
    assert sum(found.coverage.values(), Usage()) == sum((row.usage for row in rows), Usage())
    onto = sum((usage for _, usage in found.changes), Usage())
    assert onto == found.coverage["branch"] + found.coverage["folder"]
    assert found.coverage.keys() == HOW.keys()
