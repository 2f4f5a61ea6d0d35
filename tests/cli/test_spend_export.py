from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def spent_usd(filled: CommandLine, *period: str) -> Decimal:
    return Decimal(filled("spend", *period, "--json").json["total"]["cost_usd"])


def test_without_a_file_the_rows_go_to_standard_output(filled: CommandLine) -> None:
    said = filled("spend", "export", "2026-08")
    rows = list(csv.DictReader(said.out.splitlines()))
    assert (said.code, len(rows)) == (0, 1)
    assert Decimal(rows[0]["cost_usd"]) == spent_usd(filled, "2026-08")


@pytest.mark.parametrize("form", ["csv", "parquet", "focus-1.2", "focus-1.4"])
def test_a_file_is_written_and_its_rows_are_told(filled: CommandLine, form: str) -> None:
    path = filled.folder / "out"
    said = filled("spend", "export", "--format", form, "--output", path)
    assert said.code == 0
    assert f"rows written to {path}" in said.out
    assert path.stat().st_size > 0


def test_json_says_what_was_written(filled: CommandLine) -> None:
    path = filled.folder / "out.csv"
    told = filled("spend", "export", "--by", "day", "--output", path, "--json").json
    assert told == {"file": str(path), "format": "csv", "rows": 3}


def test_json_without_a_file_names_the_way_out(filled: CommandLine) -> None:
    said = filled("spend", "export", "--json")
    assert said.code == 1
    assert "--output FILE" in said.err


def test_an_unknown_format_names_those_there_are(filled: CommandLine) -> None:
    said = filled("spend", "export", "--format", "focus")
    assert said.code == 2
    assert "focus-1.2, focus-1.4" in said.err


def test_help_says_what_a_row_rests_on(filled: CommandLine) -> None:
    assert "x_CostBasis" in filled.anywhere("spend", "export", "--help").out


def test_the_group_lists_it(filled: CommandLine) -> None:
    assert "export" in filled.anywhere("spend", "--help").out
