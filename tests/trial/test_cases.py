from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.trial import cases as cases_module
from clearbar.trial.case_rows import MAX_CHARACTERS
from clearbar.trial.cases import case_digest, cases_digest, cluster_of, days_of, read_cases, split
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.trial.cases import CasesRead

    Read = Callable[..., CasesRead]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function: content (text, bytes or rows) -> what a file of it holds."""

    def read_content(content: Any, name: str = "cases.jsonl") -> CasesRead:
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_cases(path)

    return read_content


def made(number: int, cluster: str | None = None) -> Case:
    return Case(str(number), f"input {number}", cluster=cluster)


def whats(found: CasesRead) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.what) for problem in found.problems]


def test_a_line_of_json_is_a_case(read: Read) -> None:
    row = {"id": "a", "input": "2+2", "reference": "4", "cluster": "sums", "at": "2026-10-01"}
    (case,) = read([row | {"answers": {"haiku": "4", "rules": "5"}}]).cases
    assert case == Case(
        "a",
        "2+2",
        "4",
        "sums",
        {"haiku": "4", "rules": "5"},
        datetime(2026, 10, 1, tzinfo=UTC),
        "cases.jsonl",
        1,
    )


def test_a_row_of_csv_is_a_case_and_an_empty_cell_is_no_value(read: Read) -> None:
    text = "id,input,reference,cluster,at,answer.haiku,answer.opus\na,2+2,4,,1760000000,4,\n"
    (case,) = read(text, "cases.csv").cases
    assert (case.reference, case.cluster, dict(case.answers)) == ("4", None, {"haiku": "4"})
    assert case.at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize("name", ["cases.parquet", "cases.parquet.gz", "anything"])
def test_parquet_is_known_by_its_content_gzipped_or_not(
    read: Read, tmp_path: Path, name: str
) -> None:
    made_of = "SELECT 7 AS id, 'hello' AS input, 1.5 AS reference, 3.0::DOUBLE AS cluster"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({made_of}) TO '{tmp_path}/made' (FORMAT parquet)")
    content = (tmp_path / "made").read_bytes()
    (case,) = read(gzip.compress(content) if name.endswith(".gz") else content, name).cases
    assert (case.id, case.input, case.reference, case.cluster) == ("7", "hello", "1.5", "3")


def test_gzipped_lines_and_a_list_in_one_document_are_read(read: Read) -> None:
    rows = [{"input": "a"}, {"input": "b"}]
    assert len(read(gzip.compress(b'{"input": "a"}\n{"input": "b"}\n'), "x.gz").cases) == 2
    assert [case.line for case in read(json.dumps(rows), "cases.json").cases] == [1, 2]


def test_values_that_are_json_are_written_out(read: Read) -> None:
    row = {"input": [{"role": "user", "content": "hi"}], "reference": {"b": 1.50, "a": True}}
    (case,) = read([row]).cases
    assert case.input == '[{"content":"hi","role":"user"}]'
    assert case.reference == '{"a":true,"b":1.5}'


def test_a_case_that_holds_a_list_called_data_stays_one_case(read: Read) -> None:
    assert len(read([{"input": "x", "data": [1, 2]}]).cases) == 1


def test_a_missing_id_is_a_digest_of_the_content(read: Read) -> None:
    one, other = read([{"input": "a"}, {"input": "a", "reference": "r"}]).cases
    assert one.id.startswith("content:")
    assert one.id != other.id
    assert read([{"input": "a"}]).cases[0].id == one.id


def test_identical_rows_count_once(read: Read) -> None:
    row = {"id": "a", "input": "x", "reference": "y"}
    found = read([row, row])
    assert (len(found.cases), found.problems) == (1, ())
    assert found.digest == read([row]).digest


def test_rows_that_differ_only_in_who_answered_are_one_case(read: Read) -> None:
    core = {"id": "a", "input": "x"}
    rows = [
        core | {"answers": {"haiku": "1"}, "at": "2026-02-01"},
        core | {"answer.opus": "2", "at": "2026-01-01"},
    ]
    (case,) = read(rows).cases
    assert dict(case.answers) == {"haiku": "1", "opus": "2"}
    assert case.at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [{"input": "y"}, {"reference": "r"}, {"cluster": "c"}, {"answers": {"haiku": "other"}}],
)
def test_rows_of_one_id_that_contradict_each_other_are_all_left_out(
    read: Read, other: dict[str, object]
) -> None:
    row = {"id": "a", "input": "x", "answers": {"haiku": "1"}}
    found = read([row, row | other, {"id": "b", "input": "z"}])
    assert [case.id for case in found.cases] == ["b"]
    assert [line for line, _ in whats(found)] == [1, 2]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"id": "a"}, "no input"),
        ({"input": "  "}, "no input"),
        ({"input": "x", "at": "yesterday"}, "at is no time that can be read"),
        ({"input": "x", "answers": "haiku"}, "answers is no JSON"),
        ({"input": "x", "answers": [1]}, "answers is no table"),
        (
            {"input": "x", "answers": {"a": "1"}, "answer.a": "2"},
            "answers and answer.TOOL contradict each other",
        ),
        (
            {"input": "x" * (MAX_CHARACTERS + 1)},
            f"input has more than {MAX_CHARACTERS:,} characters",
        ),
        ([1], "not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_problem_and_the_rest_goes_on(
    read: Read, row: object, what: str
) -> None:
    lines = f'{json.dumps(row)}\n{{"input": "good"}}\n'
    found = read(lines)
    assert ([case.input for case in found.cases], whats(found)) == (["good"], [(1, what)])


def test_a_broken_line_is_a_problem(read: Read) -> None:
    found = read('{"input": "a"}\n{"input": \n{"input": "b"}\n')
    assert (len(found.cases), whats(found)) == (2, [(2, "not JSON")])


def test_answers_may_stand_in_a_csv_cell_as_json(read: Read) -> None:
    found = read('input,answers\nx,"{""haiku"": ""1"", ""none"": null}"\n', "cases.csv")
    assert dict(found.cases[0].answers) == {"haiku": "1"}


def test_a_csv_without_the_column_input_says_so(read: Read) -> None:
    with pytest.raises(ClearbarError, match=r"cases\.csv has no column input"):
        read("id,question\n1,x\n", "cases.csv")


def test_a_column_that_stands_in_the_header_twice_is_no_guess(read: Read) -> None:
    with pytest.raises(ClearbarError, match='"input" stands in the header twice'):
        read("input,input\n1,x\n", "cases.csv")


def test_text_that_is_not_utf_8_is_a_problem_where_it_stands(read: Read) -> None:
    found = read(b"id,input\n1,caf\xe9\n2,tea\n", "cases.csv")
    assert ([case.id for case in found.cases], whats(found)) == (["2"], [(2, "not UTF-8 text")])


def test_a_replacement_character_that_was_meant_is_kept(read: Read) -> None:
    text = "id,input\n1,caf\N{REPLACEMENT CHARACTER}\n"
    assert read(text, "cases.csv").cases[0].input.endswith("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("name", ["cases.jsonl.gz", "cases.csv.gz", "cases.parquet.gz"])
def test_a_damaged_file_is_no_sample_of_itself(read: Read, tmp_path: Path, name: str) -> None:
    start = {"cases.jsonl.gz": b'{"input": "a"}\n', "cases.csv.gz": b"input\n"}.get(name, b"PAR1")
    # What compresses badly, so that the cut is past the first bytes that are looked at.
    noise = random.Random(0).randbytes(200_000).hex().encode()
    whole = gzip.compress(start + noise)
    with pytest.raises(ClearbarError):
        read(whole[: len(whole) - 40_000], name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_more_cases_than_a_trial_can_take_are_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases_module, "MAX_CASES", 2)
    with pytest.raises(ClearbarError, match="more cases than a trial can take"):
        read([{"input": str(number)} for number in range(3)])


def test_the_digest_does_not_depend_on_the_order(read: Read) -> None:
    rows = [{"id": str(number), "input": f"x{number}"} for number in range(5)]
    assert read(rows).digest == read(rows[::-1]).digest


@pytest.mark.parametrize(
    "other",
    [
        Case("2", "x", "r", "c", {"t": "a"}),
        Case("1", "y", "r", "c", {"t": "a"}),
        Case("1", "x", None, "c", {"t": "a"}),
        Case("1", "x", "r", None, {"t": "a"}),
        Case("1", "x", "r", "c", {}),
    ],
)
def test_the_digest_changes_with_all_that_a_case_says(other: Case) -> None:
    case = Case("1", "x", "r", "c", {"t": "a"})
    assert case_digest(case) != case_digest(other)
    assert cases_digest([case]) != cases_digest([other])


def test_where_a_case_stands_in_its_file_changes_no_digest() -> None:
    assert case_digest(Case("1", "x", line=1)) == case_digest(Case("1", "x", line=9, file="f"))


def test_the_same_cases_come_in_the_same_order() -> None:
    cases = [made(number) for number in range(50)]
    assert split(cases, 3).certify == split(cases[::-1], 3).certify
    assert split(cases, 3).certify != split(cases, 4).certify
    assert split(cases, 3).certify != tuple(cases)


@given(st.sets(st.integers(0, 500), min_size=2), st.integers(0, 3), st.floats(0, 0.9))
def test_cases_that_are_added_do_not_reorder_the_others(
    numbers: set[int], seed: int, share: float
) -> None:
    cases = [made(number) for number in numbers]
    fewer, more = split(cases[1:], seed, share), split(cases, seed, share)
    assert [case for case in more.certify if case != cases[0]] == list(fewer.certify)
    assert [case for case in more.train if case != cases[0]] == list(fewer.train)


def test_one_case_of_a_cluster_certifies() -> None:
    cases = [made(number, f"user {number % 7}") for number in range(70)]
    chosen = split(cases, 0).certify
    assert sorted(cluster_of(case) for case in chosen) == [f"cluster\x1fuser {k}" for k in range(7)]


def test_which_case_of_a_cluster_certifies_depends_on_the_seed() -> None:
    cases = [made(number, "one") for number in range(20)]
    assert len({split(cases, seed).certify[0].id for seed in range(30)}) > 5


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=60), st.floats(0, 0.9))
def test_no_cluster_is_both_trained_on_and_certified_with(
    pairs: list[tuple[int, int]], share: float
) -> None:
    cases = [made(number, f"c{cluster}" if cluster else None) for number, cluster in pairs]
    folds = split(cases, 0, share)
    assert not {cluster_of(c) for c in folds.train} & {cluster_of(c) for c in folds.certify}


def test_a_fold_depends_neither_on_the_seed_nor_on_a_smaller_share() -> None:
    cases = [made(number) for number in range(400)]
    trained = {case.id for case in split(cases, 1, 0.5).train}
    assert {case.id for case in split(cases, 2, 0.5).train} == trained
    assert {case.id for case in split(cases, 2, 0.25).train} < trained
    assert 150 < len(trained) < 250


def test_without_a_share_nothing_is_trained_on() -> None:
    assert split([made(1)], 0).train == ()


def test_a_case_of_its_own_is_no_cluster_of_that_name() -> None:
    assert len(split([made(1), made(2, "1")], 0).certify) == 2


def test_the_window_of_the_cases_is_from_the_first_to_the_last_moment() -> None:
    days = [datetime(2026, 10, day, tzinfo=UTC) for day in (3, 1, 2)]
    dated = [Case(str(day), "x", at=day) for day in days]
    assert days_of([*dated, made(1)]) == (days[1], days[0])
    assert days_of([made(1)]) is None
