"""Recorded scores from tables: what counts, what is left out, and what looks broken."""

from __future__ import annotations

import csv
import gzip
import json
import math
import random
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError, Problem
from clearbar.trial.recorded import recorded_scores
from clearbar.trial.recorded.recorded_score import RecordedScore
from clearbar.trial.recorded.recorded_scores import Columns, gather, read_recorded_scores, worth
from clearbar.trial.recorded.suspicion import RATE, suspicions, without_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.trial.recorded.recorded_scores import RecordedScores

HEADER = "case,tool,score,cost_usd,cluster,label"


def table(folder: Path, *lines: str, header: str = HEADER) -> RecordedScores:
    path = folder / "scores.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return read_recorded_scores(path)


def problems(scores: RecordedScores) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.what) for problem in scores.problems]


def test_a_row_says_what_a_tool_scored_and_what_it_cost(tmp_path: Path) -> None:
    (row,) = table(tmp_path, "1,haiku,0.5,0.0012,doc,1").rows
    assert (row.case, row.tool, row.score, row.cost_usd) == ("1", "haiku", 0.5, Decimal("0.0012"))
    assert (row.cluster, row.label, row.line) == ("doc", 1.0, 2)


def test_a_label_stands_above_the_score(tmp_path: Path) -> None:
    unlabelled, labelled = table(tmp_path, "1,a,0.5,,,", "2,a,1,,,0").rows
    assert (worth(unlabelled), worth(labelled)) == (0.5, 0)


def test_an_empty_cell_is_not_a_zero(tmp_path: Path) -> None:
    (row,) = table(tmp_path, "1,haiku,1,,,").rows
    assert (row.cost_usd, row.cluster, row.label) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (",a,1,,,", "no case"),
        ("1,,1,,,", "no tool"),
        ("1,a,,,,", "no score"),
        ("1,a,good,,,", "score is not a number"),
        ("1,a,1.5,,,", "score is not from 0 to 1"),
        ("1,a,-0.1,,,", "score is not from 0 to 1"),
        ("1,a,NaN,,,", "score is not from 0 to 1"),
        ("1,a,1e999999,,,", "score is not from 0 to 1"),
        ("1,a,sNaN,,,", "score is not a number"),
        ("1,a,1,,,7", "label is not from 0 to 1"),
        ("1,a,1,-1,,", "cost_usd is negative"),
        ("1,a,1,cheap,,", "cost_usd is not a number"),
    ],
)
def test_a_bad_row_is_a_problem_and_the_rest_goes_on(line: str, what: str, tmp_path: Path) -> None:
    scores = table(tmp_path, line, "2,a,1,,,")
    assert problems(scores) == [(2, what)]
    assert len(scores.rows) == 1


def test_a_row_without_a_score_is_counted_for_its_tool(tmp_path: Path) -> None:
    assert table(tmp_path, "1,a,,,,", "2,a,,,,", "3,b,1,,,").missing == {"a": 2}


def test_what_cannot_be_read_of_a_row_still_says_that_the_tool_was_asked(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,good,,,", "2,a,1,-5,,", "3,a,1,,,", "3,a,0,,,", "4,a,1,,,")
    assert [row.case for row in scores.rows] == ["4"]
    assert sorted(row.case for row in scores.unscored) == ["1", "2", "3"]


def test_a_score_that_is_known_stands_beside_a_try_that_is_not(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,,,,", "1,a,1,,,")
    assert ([row.score for row in scores.rows], scores.unscored) == ([1], ())


def test_lost_scores_are_part_of_what_is_recorded(tmp_path: Path) -> None:
    assert table(tmp_path, "1,a,1,,,", "2,a,,,,").digest != table(tmp_path, "1,a,1,,,").digest


def test_a_score_beside_an_end_of_the_scale_by_rounding_is_that_end(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,1.0000000000000002,,,", "2,a,-1e-17,,,", "3,a,1.0000001,,,")
    assert [row.score for row in scores.rows] == [1, 0]
    assert problems(scores) == [(4, "score is not from 0 to 1")]


def test_empty_cells_of_a_data_frame_are_not_recorded(tmp_path: Path) -> None:
    path, none = tmp_path / "scores.parquet", math.nan
    columns = {"case": [1.0, 2.0], "tool": ["a", "a"], "score": [1.0, 0.5]}
    pl.DataFrame({**columns, "cost_usd": [none, 0.1], "label": [none, 1.0]}).write_parquet(path)
    first, second = read_recorded_scores(path).rows
    assert (first.case, first.cost_usd, first.label) == ("1", None, None)
    assert (second.case, second.cost_usd, second.label) == ("2", Decimal("0.1"), 1)


def test_a_case_is_the_same_whether_its_number_is_whole_or_text(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    lines = ('{"case": 1, "tool": "a", "score": 1}', '{"case": "1", "tool": "b", "score": 1}')
    path.write_text("\n".join((*lines, '{"case": 1.0, "tool": "c", "score": 1}')))
    assert {row.case for row in read_recorded_scores(path).rows} == {"1"}


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\x01\x02"])
def test_a_file_without_a_table_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(ClearbarError, match=r"scores.csv (holds no table|has no column)"):
        read_recorded_scores(path)


def test_true_and_false_are_scores(tmp_path: Path) -> None:
    assert [row.score for row in table(tmp_path, "1,a,true,,,", "2,a,False,,,").rows] == [1, 0]


def test_identical_rows_count_once(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,1,0.1,,", "1,a,1,0.1,,")
    assert (len(scores.rows), scores.problems) == (1, ())


def test_rows_that_contradict_each_other_are_all_problems(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,1,,,", "1,a,0,,,", "2,a,1,,,")
    what = "another row says something else of this tool and case"
    assert problems(scores) == [(2, what), (3, what)]
    assert [row.case for row in scores.rows] == ["2"]


def test_a_case_cannot_be_in_two_clusters(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,1,,x,", "1,b,1,,y,", "2,a,1,,x,", "2,b,1,,,")
    what = "another row puts this case into another cluster"
    assert problems(scores) == [(2, what), (3, what)]
    assert len(scores.rows) == 2


def test_columns_of_other_names_are_told_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("sample_id,model,score\n1,a,1\n", encoding="utf-8")
    with pytest.raises(ClearbarError, match='no column "case"') as error:
        read_recorded_scores(path)
    assert error.value.hint == "it has sample_id, model, score: say which holds the case"
    scores = read_recorded_scores(path, Columns(case="sample_id", tool="model"))
    assert [(row.case, row.tool) for row in scores.rows] == [("1", "a")]


def test_a_told_column_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("case,tool,score,subject\n1,a,1,x\n", encoding="utf-8")
    with pytest.raises(ClearbarError, match='Did you mean "subject"'):
        read_recorded_scores(path, Columns(category="subjects"))


def test_a_column_that_is_called_nothing_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("case,tool,score,cluster\n1,a,1,x\n", encoding="utf-8")
    (row,) = read_recorded_scores(path, Columns(cluster="")).rows
    assert row.cluster is None


ROWS = [
    {"case": "1", "tool": "a", "score": 0.5, "cost_usd": 0.25, "success": True},
    {"case": "2", "tool": "a", "score": 1.0, "cost_usd": None, "success": False},
]


def write_parquet(path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES ('1', 'a', 0.5, 0.25, true), "
            "('2', 'a', 1.0, NULL, false)) t(\"case\", tool, score, cost_usd, success)) "
            "TO ? (FORMAT parquet)",
            [str(path)],
        )


def write(path: Path) -> None:
    if path.suffix == ".parquet":
        write_parquet(path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.parquet"])
def test_all_kinds_of_tables_say_the_same(name: str, packed: bool, tmp_path: Path) -> None:  # noqa: FBT001
    path = tmp_path / name
    write(path)
    if packed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    scores = read_recorded_scores(path)
    assert [(row.case, row.score, row.cost_usd, row.status) for row in scores.rows] == [
        ("1", 0.5, Decimal("0.25"), "ok"),
        ("2", 1.0, None, "error"),
    ]


def test_damaged_lines_are_problems(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"case": "1", "tool": "a", "score": 1}\n{oops\n', encoding="utf-8")
    scores = read_recorded_scores(path)
    assert len(scores.rows) == 1
    assert [problem.line for problem in scores.problems] == [2]


def test_success_has_to_be_yes_or_no(tmp_path: Path) -> None:
    scores = table(tmp_path, "1,a,1,perhaps", header="case,tool,score,success")
    assert problems(scores) == [(2, "success is neither true nor false")]


def test_a_file_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_scores, "MAX_ROWS", 1)
    with pytest.raises(ClearbarError, match="more than 1 rows"):
        gather([row("1"), row("2")], "file")


def test_problems_of_another_reader_are_kept() -> None:
    problem = Problem("damaged", line=3)
    assert gather([problem, row("1")], "file").problems == (problem,)


def row(case: str, tool: str = "a", score: float | None = 1.0, **more: str) -> RecordedScore:
    return RecordedScore(case, tool, score, **more)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            row,
            st.sampled_from("123"),
            st.sampled_from("ab"),
            st.sampled_from([0.0, 1.0, 2.0, None]),
        ),
        max_size=12,
    ),
    st.integers(),
)
def test_order_and_repetition_of_rows_change_nothing(rows: list[RecordedScore], seed: int) -> None:
    chance = random.Random(seed)
    other = chance.sample(rows, len(rows)) + rows[: len(rows) // 2]
    one, two = gather(rows, "x"), gather(other, "x")
    assert one.digest == two.digest
    assert set(one.rows) == set(two.rows)
    assert one.missing == two.missing


def broken(n: int = 100, low: float = 0.02) -> list[RecordedScore]:
    """Return two tools in five categories; the better one scores next to nothing in one."""
    chance = random.Random(7)
    return [
        row(f"{kind}/{i}", tool, float(chance.random() < share), category=kind)
        for kind in "abcde"
        for i in range(n)
        for tool, share in (("good", low if kind == "c" else 0.9), ("fair", 0.7))
    ]


def test_a_category_in_which_a_good_tool_scores_nothing_is_named() -> None:
    (found,) = suspicions(broken())
    assert (found.tool, found.category, found.n) == ("good", "c", 100)
    assert found.chance < RATE
    assert "on 100 cases of c, where other tools score" in str(found)


def test_clusters_serve_where_there_is_no_category() -> None:
    rows = [replace(each, cluster=each.category, category=None) for each in broken()]
    assert [each.category for each in suspicions(rows)] == ["c"]


def test_a_few_cases_are_not_enough_to_doubt_a_category() -> None:
    assert suspicions(broken(n=10)) == ()


def test_half_of_what_others_score_is_weak_but_not_broken() -> None:
    assert suspicions(broken(low=0.4)) == ()


def test_a_tool_that_is_weak_everywhere_is_not_broken_anywhere() -> None:
    rows = [replace(each, score=0.0) if each.tool == "good" else each for each in broken()]
    assert suspicions(rows) == ()


def test_a_category_that_is_hard_for_all_is_not_broken() -> None:
    rows = [replace(each, score=0.0) if each.category == "c" else each for each in broken()]
    assert suspicions(rows) == ()


def test_a_tool_alone_has_nothing_to_be_compared_with() -> None:
    assert suspicions([each for each in broken() if each.tool == "good"]) == ()


def test_failures_do_not_make_a_category_look_broken() -> None:
    rows = [
        replace(each, status="error") if (each.tool, each.category) == ("good", "c") else each
        for each in broken()
    ]
    assert suspicions(rows) == ()


def test_tools_that_are_half_as_good_in_a_category_are_rarely_named() -> None:
    chance = random.Random(3)
    named = 0
    for _ in range(300):
        rows = [
            row(f"{kind}/{i}", tool, float(chance.random() < share), category=kind)
            for kind in "ab"
            for i in range(30)
            for tool, share in (("one", 0.4 if kind == "a" else 0.8), ("other", 0.8))
        ]
        named += bool(suspicions(rows))
    assert named <= 3


def test_a_tool_without_any_tokens_is_named() -> None:
    rows = [
        replace(row("1", "none"), input_tokens=0, output_tokens=0),
        replace(row("1", "some"), input_tokens=0, output_tokens=0),
        replace(row("2", "some"), input_tokens=5),
        row("1", "unknown"),
    ]
    assert without_tokens(rows) == ("none",)


@pytest.mark.slow
def test_the_broken_subject_of_a_real_set_is_named_and_nothing_else(shared_data: Path) -> None:
    path = shared_data / "scores/mmlu_gsm8k_pair/samples.csv.gz"
    scores = read_recorded_scores(path, Columns(case="sample_id", tool="model"))
    (found,) = suspicions(scores.rows)
    assert (found.tool, found.category) == ("gpt-4-1106-preview", "high_school_mathematics")
    assert found.mean == pytest.approx(0.0296, abs=1e-4)
