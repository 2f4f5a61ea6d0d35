"""Costs of an API in two groupings, from files to the sum: null is a line of a grouping too."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.money import plain
from clearbar.core.period import ALL
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 1_790_812_800
SECONDS = 86_400
Parts = dict[str | None, int]


def of_openai(days: list[Parts]) -> dict[str, Any]:
    """Return a page of costs by project, of one day after the other."""
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": FIRST + n * SECONDS,
                "end_time": FIRST + (n + 1) * SECONDS,
                "results": [
                    {
                        "object": "organization.costs.result",
                        "amount": {"value": usd, "currency": "usd"},
                        "line_item": None,
                        "project_id": project,
                    }
                    for project, usd in parts.items()
                ],
            }
            for n, parts in enumerate(days)
        ],
    }


def of_anthropic(days: list[Parts]) -> dict[str, Any]:
    """Return a page of the cost report by workspace, of one day after the other."""
    return {
        "data": [
            {
                "starting_at": f"2026-10-{n:02d}T00:00:00Z",
                "ending_at": f"2026-10-{n + 1:02d}T00:00:00Z",
                "results": [
                    {"amount": f"{usd}00", "currency": "USD", "workspace_id": workspace}
                    for workspace, usd in parts.items()
                ],
            }
            for n, parts in enumerate(days, 1)
        ],
    }


def costs(folder: Path, pages: dict[str, Any]) -> list[str]:
    """Return the cost after reading the files in each order, one after the other."""
    found = []
    for number, order in enumerate(permutations(pages)):
        place = folder / str(number)
        place.mkdir(parents=True)
        (place / "clearbar.toml").touch()
        with Workspace(place) as workspace:
            for name in order:
                (place / name).write_text(json.dumps(pages[name]), encoding="utf-8")
                workspace.add([str(place / name)])
            found.append(plain(workspace.spend(ALL, "workflow").total.cost_usd))
    return found


@pytest.mark.parametrize("page", [of_openai, of_anthropic])
@pytest.mark.parametrize("whole", ["a_whole.json", "z_whole.json"])
class TestANullInAGrouping:
    def test_it_is_not_the_whole_of_the_day(self, tmp_path: Path, page: Any, whole: str) -> None:
        parts = page([{None: 5, "w1": 3, "w2": 2}])
        assert costs(tmp_path, {"parts.json": parts, whole: page([{None: 10}])}) == ["10", "10"]

    def test_on_another_day_it_joins_no_groupings(
        self, tmp_path: Path, page: Any, whole: str
    ) -> None:
        parts = page([{"w1": 6, "w2": 4}, {None: 1, "w1": 1}])
        assert costs(tmp_path, {"parts.json": parts, whole: page([{None: 10}])}) == ["12", "12"]

    def test_alone_it_is_the_whole_of_its_day(self, tmp_path: Path, page: Any, whole: str) -> None:
        parts = page([{"w1": 6, "w2": 4}, {None: 1}])
        wholes = page([{None: 10}, {None: 1}])
        assert costs(tmp_path, {"parts.json": parts, whole: wholes}) == ["11", "11"]

    def test_that_another_file_has_alone_is_a_part_of_it(
        self, tmp_path: Path, page: Any, whole: str
    ) -> None:
        parts = page([{None: 5, "w1": 3}])
        assert costs(tmp_path, {"parts.json": parts, whole: page([{None: 5}])}) == ["8", "8"]

    def test_of_a_day_that_has_grown_counts_with_what_has_come_since(
        self, tmp_path: Path, page: Any, whole: str
    ) -> None:
        grown = page([{None: 6, "w1": 4, "w2": 1}])
        assert costs(tmp_path, {"first.json": page([{None: 5}]), whole: grown}) == ["11", "11"]
        again = page([{None: 5, "w1": 4}])
        pages = {"first.json": page([{None: 5, "w1": 3}]), whole: again}
        assert costs(tmp_path / "again", pages) == ["9", "9"]
