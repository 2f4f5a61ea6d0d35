"""Usage of an API in two groupings, from files to the sum: null is a part of a grouping too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearbar.core.period import ALL
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST = 1_790_812_800
MINUTE, HOUR, DAY = 60, 3_600, 86_400
Parts = dict[str | None, int]


def of_openai(
    buckets: list[Parts], *, by: str = "project_id", width: int = DAY, first: int = 0
) -> dict[str, Any]:
    """Return a page of usage by a dimension, of one bucket after the other."""
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": FIRST + n * width,
                "end_time": FIRST + (n + 1) * width,
                "results": [
                    {
                        "object": "organization.usage.completions.result",
                        "input_tokens": tokens,
                        "output_tokens": 0,
                        "num_model_requests": tokens,
                        "project_id": None,
                        "api_key_id": None,
                        "user_id": None,
                        "batch": None,
                        **({"model": "gpt-4o-mini-2024-07-18"} if by != "model" else {}),
                        by: name,
                    }
                    for name, tokens in parts.items()
                ],
            }
            for n, parts in enumerate(buckets, first)
        ],
    }


def of_anthropic(
    buckets: list[Parts], *, by: str = "project_id", width: int = DAY, first: int = 0
) -> dict[str, Any]:
    """Return a page of the usage report, of one bucket after the other."""
    by = {"project_id": "workspace_id", "user_id": "account_id"}.get(by, by)
    return {
        "data": [
            {
                "starting_at": _moment(n * width),
                "ending_at": _moment((n + 1) * width),
                "results": [
                    {
                        "uncached_input_tokens": tokens,
                        "output_tokens": 0,
                        "workspace_id": None,
                        "api_key_id": None,
                        **({"model": "claude-opus-4-6"} if by != "model" else {}),
                        by: name,
                    }
                    for name, tokens in parts.items()
                ],
            }
            for n, parts in enumerate(buckets, first)
        ]
    }


def _moment(second: int) -> str:
    return f"{datetime.fromtimestamp(FIRST + second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def tokens(folder: Path, pages: dict[str, Any]) -> set[int]:
    """Return the tokens after reading the files in each order, one after the other."""
    orders = enumerate(permutations(pages))
    return {tokens_in_order(folder / str(n), pages, order) for n, order in orders}


def tokens_in_order(place: Path, pages: dict[str, Any], order: Sequence[str]) -> int:
    return tokens_after(place, *((name, pages[name]) for name in order))


def tokens_after(place: Path, *written: tuple[str, Any]) -> int:
    """Return the tokens after files were written and read, one after the other."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "clearbar.toml").touch()
    with Workspace(place) as workspace:
        for name, told in written:
            text = told if isinstance(told, str) else json.dumps(told)
            (place / name).write_text(text, encoding="utf-8")
            workspace.add([str(place / name)])
        return workspace.spend(ALL, "workflow").total.input_tokens


@pytest.mark.parametrize("page", [of_openai, of_anthropic])
class TestANullInAGrouping:
    def test_alone_in_its_bucket_joins_no_groupings(self, tmp_path: Path, page: Any) -> None:
        parts = page([{None: 5, "w1": 3, "w2": 2}, {None: 4}, {"w1": 1}])
        wholes = page([{None: 10}, {None: 4}])
        assert tokens(tmp_path, {"parts.json": parts, "whole.json": wholes}) == {15}

    def test_beside_others_is_not_the_whole_of_the_day(self, tmp_path: Path, page: Any) -> None:
        parts = page([{None: 5, "w1": 3, "w2": 2}, {None: 1, "w1": 1}])
        assert tokens(tmp_path, {"parts.json": parts, "whole.json": page([{None: 10}])}) == {12}

    def test_that_is_the_sum_of_the_others_is_no_repetition(
        self, tmp_path: Path, page: Any
    ) -> None:
        assert tokens(tmp_path, {"parts.json": page([{None: 5, "w1": 3, "w2": 2}])}) == {10}

    def test_of_hours_is_a_part_of_the_day(self, tmp_path: Path, page: Any) -> None:
        hours = page([{None: 5}, {None: 3, "w1": 2}], width=HOUR)
        wholes = page([{None: 5}, {None: 5}], width=HOUR)
        assert tokens(tmp_path / "hours", {"hours.json": hours, "whole.json": wholes}) == {10}
        day = page([{None: 10}])
        assert tokens(tmp_path / "day", {"hours.json": hours, "day.json": day}) == {10}

    def test_of_other_hours_than_a_file_with_names_adds_to_it(
        self, tmp_path: Path, page: Any
    ) -> None:
        pages = {
            "first.json": page([{None: 4}, {None: 1}], width=HOUR),
            "later.json": page([{None: 2, "w1": 3}], width=HOUR, first=1),
        }
        assert tokens(tmp_path / "hours", pages) == {9}
        del pages["first.json"]
        pages["day.json"] = page([{None: 16}])
        assert tokens(tmp_path / "day", pages) == {16}

    def test_that_another_file_has_alone_is_a_part_of_it(self, tmp_path: Path, page: Any) -> None:
        parts = page([{None: 5, "w1": 3}])
        assert tokens(tmp_path, {"parts.json": parts, "whole.json": page([{None: 5}])}) == {8}

    def test_of_a_day_that_has_grown_counts_with_what_has_come_since(
        self, tmp_path: Path, page: Any
    ) -> None:
        grown = page([{None: 6, "w1": 4, "w2": 1}])
        pages = {"first.json": page([{None: 5}]), "grown.json": grown}
        assert tokens(tmp_path / "alone", pages) == {11}
        pages["first.json"] = page([{None: 5}, {"w1": 1}])
        assert tokens(tmp_path / "named", pages) == {12}

    @pytest.mark.parametrize("by", ["api_key_id", "user_id", "model", "service_tier"])
    def test_of_any_dimension_is_told_apart(self, tmp_path: Path, page: Any, by: str) -> None:
        parts = page([{None: 5, "batch": 3}, {None: 1}, {None: 4, "batch": 2}], by=by)
        wholes = page([{None: 8}, {None: 1}], by=by)
        assert tokens(tmp_path, {"parts.json": parts, "whole.json": wholes}) == {15}

    def test_of_lines_that_are_pages_is_known_of_all_of_them(
        self, tmp_path: Path, page: Any
    ) -> None:
        lines = [json.dumps(page([{None: 4}])), json.dumps(page([{"w1": 1}], first=1))]
        wholes = page([{None: 4}, {None: 1}])
        pages = {"parts.jsonl": "\n".join(lines), "whole.json": wholes}
        assert tokens(tmp_path, pages) == {5}


@pytest.mark.parametrize("page", [of_openai, of_anthropic])
class TestAFileThatIsReadAgain:
    def test_and_names_more_than_before_counts_once(self, tmp_path: Path, page: Any) -> None:
        grown = page([{None: 6, "w1": 4, "w2": 1}])
        assert tokens_after(tmp_path, ("u.json", page([{None: 5}])), ("u.json", grown)) == 11

    def test_and_names_more_on_a_later_day_counts_once(self, tmp_path: Path, page: Any) -> None:
        first, later = page([{None: 5}, {None: 4}]), page([{None: 5}, {None: 4}, {"w1": 3}])
        assert tokens_after(tmp_path, ("u.json", first), ("u.json", later)) == 12

    def test_and_has_new_lines_counts_once(self, tmp_path: Path, page: Any) -> None:
        first = json.dumps(page([{None: 5}]))
        more = f"{first}\n{json.dumps(page([{'w1': 3}], first=1))}\n"
        assert tokens_after(tmp_path, ("u.jsonl", first), ("u.jsonl", more)) == 8

    def test_and_tells_of_days_that_move_on_counts_each_once(
        self, tmp_path: Path, page: Any
    ) -> None:
        windows = [
            page([{None: 5}, {None: 4}]),
            page([{None: 4}, {"w1": 3}], first=1),
            page([{"w1": 3}, {None: 2}], first=2),
        ]
        assert tokens_after(tmp_path, *(("u.json", each) for each in windows)) == 14


@pytest.mark.parametrize("page", [of_openai, of_anthropic])
@pytest.mark.parametrize(
    ("width", "whole"), [(MINUTE, HOUR), (HOUR, 12 * HOUR), (30 * MINUTE, DAY)]
)
def test_buckets_of_one_grouping_are_within_longer_ones_of_another(
    tmp_path: Path, page: Any, width: int, whole: int
) -> None:
    parts = page([{None: 5}, {None: 3, "w1": 2}, {"w1": 4}], width=width, first=7)
    pages = {"parts.json": parts, "whole.json": page([{None: 14}], width=whole)}
    assert tokens(tmp_path, pages) == {14}


@pytest.mark.parametrize("page", [of_openai, of_anthropic])
def test_minutes_of_one_hour_in_two_files_add_up(tmp_path: Path, page: Any) -> None:
    first = page([{None: 10}], width=MINUTE)
    later = page([{None: 20, "w1": 5}], width=MINUTE, first=30)
    assert tokens(tmp_path, {"first.json": first, "later.json": later}) == {35}


def test_what_one_kind_of_usage_is_grouped_by_says_nothing_of_another(tmp_path: Path) -> None:
    completions = json.dumps(of_openai([{None: 8}]))
    images = of_openai([{None: 4}])
    images["data"][0]["results"] = [
        {
            "object": "organization.usage.images.result",
            "images": 4,
            "num_model_requests": 4,
            "size": "1024x1024",
            "source": "image.generation",
        }
    ]
    both = f"{completions}\n{json.dumps(images)}\n"
    assert tokens_after(tmp_path, ("u.jsonl", completions), ("u.jsonl", both)) == 8


def test_a_grouping_by_what_is_no_dimension_is_another(tmp_path: Path) -> None:
    windows = of_anthropic([{"0-200k": 5, "200k-1M": 3}], by="context_window")
    assert tokens(tmp_path, {"windows.json": windows, "whole.json": of_anthropic([{None: 8}])}) == {
        8
    }


def test_calls_that_are_not_of_a_batch_are_of_a_grouping_by_it(tmp_path: Path) -> None:
    parts = of_openai([{None: 5}, {None: 1}])
    results = parts["data"][0]["results"]
    parts["data"][0]["results"] = [{**results[0], "batch": each} for each in (True, False)]
    wholes = of_openai([{None: 10}, {None: 1}])
    assert tokens(tmp_path, {"parts.json": parts, "whole.json": wholes}) == {11}


def cut(page: dict[str, Any], kept: Sequence[bool]) -> dict[str, Any]:
    """Return a page with some of its buckets."""
    return {**page, "data": [each for each, keep in zip(page["data"], kept, strict=True) if keep]}


USED = st.dictionaries(st.sampled_from([None, "w1", "w2"]), st.integers(1, 9), min_size=1)


@pytest.mark.slow
@pytest.mark.parametrize("page", [of_openai, of_anthropic])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(),
    buckets=st.lists(USED, min_size=1, max_size=4),
    width=st.sampled_from([HOUR, 12 * HOUR, DAY]),
)
def test_in_whatever_groupings_files_and_order_usage_is_told_each_token_counts_once(
    tmp_path_factory: pytest.TempPathFactory,
    page: Any,
    data: st.DataObject,
    buckets: list[Parts],
    width: int,
) -> None:
    wholes = [sum(parts.values()) for parts in buckets]
    keyed = [data.draw(st.integers(0, each)) for each in wholes]
    by_key = [{None: n - k, "k1": k} for n, k in zip(wholes, keyed, strict=True)]
    days: dict[int, int] = {}
    for n, whole in enumerate(wholes):
        days[n * width // DAY] = days.get(n * width // DAY, 0) + whole
    by_project = page(buckets, width=width)
    in_first = [data.draw(st.booleans()) for _ in buckets]
    beside = {
        "whole.json": page([{None: each} for each in wholes], width=width),
        "key.json": page(
            [{key: n for key, n in parts.items() if n} for parts in by_key],
            by="api_key_id",
            width=width,
        ),
        "day.json": page([{None: each} for each in days.values()]),
    }
    pages = {
        "first.json": cut(by_project, in_first),
        "second.json": cut(by_project, [not each for each in in_first]),
        **{name: beside[name] for name in data.draw(st.sets(st.sampled_from(sorted(beside))))},
    }
    pages = {name: told for name, told in pages.items() if told["data"]}
    order = data.draw(st.permutations(sorted(pages)))
    place = tmp_path_factory.mktemp("told") / "in_order"
    assert tokens_in_order(place, pages, order) == sum(wholes)
