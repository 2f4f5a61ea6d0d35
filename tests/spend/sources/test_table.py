from __future__ import annotations

import gzip
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.sources import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def mapping(columns: dict[str, str] | None = None, **changes: Any) -> TableMapping:
    basic = {"started_at": "at", "input_tokens": "in", "output_tokens": "out"}
    return TableMapping("house", "*", {**basic, **(columns or {})}, **changes)


def test_two_equal_rows_of_a_file_are_two_charges(read: Callable[..., Any]) -> None:
    text = "at,in,out\n2026-01-05,5,6\n2026-01-05,5,6\n"
    records, _ = read("a.csv", text, mapping())
    assert len({record.identity for record in records}) == 2


def test_the_same_row_in_another_file_is_the_same_charge(read: Callable[..., Any]) -> None:
    first, _ = read("a.csv", "at,in,out\n2026-01-05,5,6\n2026-01-06,1,1\n", mapping())
    second, _ = read("b.csv", "at,in,out\n2026-01-06,1,1\n2026-01-05,5,6\n", mapping())
    assert {each.identity for each in first} == {each.identity for each in second}


def test_a_corrected_constant_does_not_make_other_charges(read: Callable[..., Any]) -> None:
    wrong, _ = read("a.csv", "at,in,out\n2026-01-05,5,6\n", mapping(constants={"provider": "x"}))
    right, _ = read("a.csv", "at,in,out\n2026-01-05,5,6\n", mapping(constants={"provider": "y"}))
    assert wrong[0].identity == right[0].identity


def test_a_mapped_identity_scopes_the_charge_by_the_table(read: Callable[..., Any]) -> None:
    text = "at,in,out,id\n2026-01-05,5,6,r7\n2026-01-05,5,6,chatcmpl-7\n"
    records, _ = read("a.csv", text, mapping({"identity": "id"}))
    assert [each.identity for each in records] == ["gateway:house:r7", "upstream:chatcmpl-7"]


def test_an_unknown_column_names_the_nearest(read: Callable[..., Any]) -> None:
    with pytest.raises(ClearbarError) as caught:
        read("a.csv", "at,in,output\n2026-01-05,5,6\n", mapping())
    assert caught.value.message == 'a.csv has no column "out"'
    assert "takes output_tokens from it" in caught.value.hint


def test_a_json_row_may_leave_out_what_another_tells(read: Callable[..., Any]) -> None:
    text = '{"at": 1767632430, "in": 5}\n{"at": 1767632430, "out": 6}\n'
    records, _ = read("a.jsonl", text, mapping())
    assert [(each.input_tokens, each.output_tokens) for each in records] == [(5, None), (None, 6)]


def test_times_without_an_offset_are_in_the_declared_zone(read: Callable[..., Any]) -> None:
    text = "at,in,out\n2026-07-05 12:00:00,5,6\n2026-07-05T10:00:00Z,5,6\n"
    records, _ = read("a.csv", text, mapping(timezone="Europe/Berlin"))
    assert records[0].started_at_us == records[1].started_at_us


def test_money_may_carry_a_sign_and_commas(read: Callable[..., Any]) -> None:
    text = 'at,in,out,usd\n2026-01-05,"1,000",6,"$1,204.50"\n'
    records, _ = read("a.csv", text, mapping({"cost_usd": "usd"}))
    assert (records[0].input_tokens, records[0].reported_cost_usd) == (1000, Decimal("1204.50"))


@pytest.mark.parametrize("usd", ["1.204,50", "1,5", "(3.00)", "free", "NaN", "1e99"])
def test_money_that_may_mean_something_else_is_refused(read: Callable[..., Any], usd: str) -> None:
    text = f'at,in,out,usd\n2026-01-05,5,6,"{usd}"\n'
    records, problems = read("a.csv", text, mapping({"cost_usd": "usd"}))
    assert records == []
    assert problems[0].line == 2


def test_cached_tokens_inside_are_taken_out_of_the_input(read: Callable[..., Any]) -> None:
    columns = {"cache_read_tokens": "cached"}
    text = "at,in,out,cached\n2026-01-05,100,6,60\n"
    inside, _ = read("a.csv", text, mapping(columns, cached_tokens="inside"))
    beside, _ = read("a.csv", text, mapping(columns, cached_tokens="beside"))
    assert (inside[0].input_tokens, beside[0].input_tokens) == (40, 100)


def test_reasoning_beside_the_output_is_added_to_it(read: Callable[..., Any]) -> None:
    text = "at,in,out,think\n2026-01-05,100,6,60\n"
    declared = mapping({"reasoning_tokens": "think"}, reasoning_tokens="beside")
    records, _ = read("a.csv", text, declared)
    assert (records[0].output_tokens, records[0].reasoning_tokens) == (66, 60)


def test_a_table_of_costs_alone_has_missing_usage(read: Callable[..., Any]) -> None:
    declared = TableMapping("bill", "*", {"started_at": "at", "cost_usd": "usd"})
    records, _ = read("a.csv", "at,usd\n2026-01-05,7.5\n", declared)
    assert (records[0].usage, records[0].reported_cost_usd) == ("missing", Decimal("7.5"))


def test_a_billed_cost_says_so(read: Callable[..., Any]) -> None:
    declared = mapping({"cost_usd": "usd"}, cost_basis="billed")
    records, _ = read("a.csv", "at,in,out,usd\n2026-01-05,1,1,7.5\n", declared)
    assert (records[0].reported_basis, records[0].evidence) == ("billed", "provider")


def test_a_table_may_be_compressed(read: Callable[..., Any]) -> None:
    content = gzip.compress(b"at,in,out\n2026-01-05,5,6\n")
    records, _ = read("a.csv.gz", content, mapping())
    assert records[0].input_tokens == 5


def test_labels_and_dimensions_come_from_columns(read: Callable[..., Any]) -> None:
    declared = mapping({"team": "t", "provider": "p"}, labels={"channel": "c"})
    records, _ = read("a.csv", "at,in,out,t,p,c\n2026-01-05,5,6,Support,Bedrock,mail\n", declared)
    origin = records[0].origin
    assert (origin.team, origin.provider, origin.labels) == ("Support", "aws", "|channel=mail|")


def test_a_file_without_rows_holds_nothing(read: Callable[..., Any]) -> None:
    assert read("a.csv", "at,in,out\n", mapping()) == ([], [])


def test_only_a_file_with_a_mapping_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("at,in,out\n")
    file = open_source_file(path)
    assert not table.recognises(file)
    with pytest.raises(ClearbarError, match="no mapping"):
        list(table.read(file))


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def test_a_parquet_file_is_read_by_its_rows(tmp_path: Path) -> None:
    query = """
        SELECT TIMESTAMP '2026-07-05 12:00:00' AS at, 5 AS "in", 6.0::DOUBLE AS out, 'a' AS "x ""y"
        UNION ALL SELECT TIMESTAMP '2026-07-05 13:00:00', 7, NULL, 'b'"""
    file = open_source_file(parquet(tmp_path / "a[1]*.parquet", query), mapping({"team": 'x "y'}))
    rows = [item for item in table.read(file) if not isinstance(item, Problem)]
    assert [(row.line, row.input_tokens, row.output_tokens, row.origin.team) for row in rows] == [
        (1, 5, 6, "a"),
        (2, 7, None, "b"),
    ]


def test_moments_with_a_zone_and_days_in_parquet_are_understood(tmp_path: Path) -> None:
    for kind in ("TIMESTAMPTZ '2026-07-05 00:00:00+00'", "DATE '2026-07-05'", "1783209600"):
        query = f'SELECT {kind} AS at, 5 AS "in", 6 AS out'
        file = open_source_file(parquet(tmp_path / "a.parquet", query), mapping())
        (row,) = table.read(file)
        assert not isinstance(row, Problem)
        assert row.started_at_us == 1_783_209_600_000_000


def test_a_damaged_parquet_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableFile):
        list(table.read(open_source_file(path, mapping())))


def test_reading_other_formats_does_not_load_the_engine() -> None:
    program = "import clearbar.spend.sources, sys; sys.exit('duckdb' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
