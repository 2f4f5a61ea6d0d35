"""A call and what encloses it count once, in whichever files and in whatever order they come."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.period import parse_period
from clearbar.spend.shapes.nesting import Traces, enclosing
from clearbar.spend.shapes.otel_spans import Span
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearbar.spend.usage import Usage

TRACE = "5b8efff798038103d269b633813fc60c"


def span(span_id: str, parent: str = "", output: int = 10, response_id: str = "") -> dict[str, Any]:
    told: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": output,
    }
    if response_id:
        told["gen_ai.response.id"] = response_id
    attributes = [
        {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
        for key, value in told.items()
    ]
    times = {"startTimeUnixNano": "1767632430708000123", "endTimeUnixNano": "1767632431708000123"}
    ids = {"traceId": TRACE, "spanId": span_id * 16, "parentSpanId": parent * 16}
    return {**ids, **times, "kind": 3, "attributes": attributes}


def counted(folder: Path, *files: list[dict[str, Any]]) -> Usage:
    (folder / "clearbar.toml").touch()
    with Workspace.find(str(folder)) as workspace:
        for number, spans in enumerate(files):
            path = folder / f"{number}.json"
            path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
            workspace.add([str(path)])
    with Workspace.find(str(folder)) as workspace:
        return workspace.spend(parse_period("all", workspace.as_of), "model").total


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_a_call_in_one_file_and_what_encloses_it_in_another_count_once(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [[span("a", output=99)], [span("b", "a")]]
    found = counted(tmp_path, *(files[each] for each in order))
    assert (found.calls, found.output_tokens) == (1, 10)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_two_calls_inside_one_in_three_files_count_twice(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [[span("a", output=20)], [span("b", "a")], [span("c", "a")]]
    found = counted(tmp_path, *(files[each] for each in order))
    assert (found.calls, found.output_tokens) == (2, 20)


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_an_enclosing_span_that_names_the_same_answer_is_the_same_call(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [[span("a", response_id="resp_1")], [span("b", "a", response_id="resp_1")]]
    found = counted(tmp_path, *(files[each] for each in order))
    assert (found.calls, found.output_tokens) == (1, 10)


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_an_enclosing_span_without_the_answers_id_gives_way_to_the_one_that_has_it(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [[span("a", output=99)], [span("b", "a", response_id="resp_1")]]
    found = counted(tmp_path, *(files[each] for each in order))
    assert (found.calls, found.output_tokens) == (1, 10)


def test_a_call_whose_parent_never_comes_counts_once(tmp_path: Path) -> None:
    found = counted(tmp_path, [span("b", "a")])
    assert (found.calls, found.output_tokens, found.calls_priced) == (1, 10, 1)


def node(here: str, parent: str, *, bills: bool) -> Span:
    told = {"output_tokens": 1} if bills else {}
    kind = "inference" if bills else ""
    return Span(("t", here), ("t", parent), kind, told, {}, 1, 1, failed=False, where={})


NAMES = st.sampled_from("abcdef")


@given(
    parents=st.dictionaries(NAMES, NAMES), billing=st.sets(NAMES), order=st.permutations("abcdef")
)
def test_whatever_encloses_whatever_every_order_finds_the_same_leaves(
    parents: dict[str, str], billing: set[str], order: list[str]
) -> None:
    def found(names: Iterable[str]) -> set[tuple[str, str]]:
        each = {("t", n): node(n, parents.get(n, ""), bills=n in billing) for n in names}
        return enclosing(each)

    assert found(order) == found("abcdef")


@given(
    parents=st.lists(st.integers(0, 5), min_size=6, max_size=6), billing=st.sets(st.integers(0, 5))
)
def test_a_call_is_left_out_where_another_stands_below_it_and_only_there(
    parents: list[int], billing: set[int]
) -> None:
    above = {n: parent for n, parent in enumerate(parents) if parent < n}  # a tree
    spans = {
        ("t", str(n)): node(str(n), str(above.get(n, "")), bills=n in billing) for n in range(6)
    }

    def is_below(n: int, outer: int) -> bool:
        return n in above and (above[n] == outer or is_below(above[n], outer))

    expected = {o for o in billing if any(is_below(n, o) for n in billing)}
    assert enclosing(spans) == {("t", str(n)) for n in expected}


def test_of_too_many_spans_the_traces_that_were_quiet_longest_are_finished_first() -> None:
    traces: Traces[Span] = Traces(most=2)
    for trace in ("x", "y", "x"):
        traces.add(node(trace, "", bills=True)._replace(key=(trace, str(id(trace)))))
    assert list(traces.too_many()) == []
    traces.add(node("z", "", bills=True)._replace(key=("z", "1")))
    assert [next(iter(each))[0] for each in traces.too_many()] == ["y"]


def test_a_chain_of_many_spans_takes_no_longer_than_it_is() -> None:
    spans = {("t", str(n)): node(str(n), str(n + 1), bills=True) for n in range(20_000)}
    assert len(enclosing(spans)) == 19_999


def test_a_span_that_is_its_own_parent_is_a_call() -> None:
    assert enclosing({("t", "a"): node("a", "a", bills=True)}) == set()
