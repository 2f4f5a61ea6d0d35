"""An export holds what `clearbar spend` says, to the last decimal, and leads back to the bytes."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.spend.export.conftest import calls, make, total_usd

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.period import ALL
from clearbar.spend.export.write import whole, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spend.export.conftest import Exported

PERIODS = ("all", "2026-10", "2026-10-05", "2026-10-06", "2026-10-01", "2026-09")


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize(
    ("form", "by", "column"),
    [
        ("csv", "charge", "cost_usd"),
        ("csv", "day", "cost_usd"),
        ("focus-1.2", None, "BilledCost"),
        ("focus-1.4", None, "EffectiveCost"),
    ],
)
def test_the_rows_sum_to_what_spend_says_to_the_last_decimal(
    exported: Exported, form: str, by: str | None, column: str, period: str
) -> None:
    assert total_usd(exported(form, period, by), column) == exported.spent_usd(period)


@pytest.mark.parametrize(("form", "column"), [("csv", "workflow"), ("focus-1.4", "x_Workflow")])
def test_the_rows_of_each_workflow_sum_to_its_line_in_spend(
    exported: Exported, form: str, column: str
) -> None:
    cost = "cost_usd" if form == "csv" else "BilledCost"
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in exported(form):
        sums[row[column]] += Decimal(row[cost] or 0)
    report = exported.workspace.spend(ALL, "workflow")
    assert sums["letters"] == next(r.usage.cost_usd for r in report.rows if r.key == "letters")


@pytest.mark.parametrize("by", ["charge", "day"])
def test_calls_are_counted_as_often_as_spend_counts_them(exported: Exported, by: str) -> None:
    calls = sum(int(row["calls"]) for row in exported("csv", "all", by))
    assert calls == exported.workspace.spend(ALL, "workflow").total.calls == 15


def test_what_a_bill_and_calls_both_tell_is_taken_off_in_rows_of_their_own(
    exported: Exported,
) -> None:
    rows = exported("csv", "2026-10-05")
    kinds = {row["kind"] for row in rows}
    billed = total_usd([row for row in rows if row["grain"] == "bill"])
    assert (kinds, billed) == ({"charge", "reconciled"}, Decimal("0.5"))
    assert total_usd(rows) == Decimal("0.5")


def test_what_arrives_after_a_month_was_closed_is_a_correction_in_the_open_one(
    own: Exported,
) -> None:
    october = own.period("2026-10")
    before = own.spent_usd("2026-10")
    own.workspace.close_month(october)
    late = own.folder / "late.jsonl"
    late.write_text(json.dumps({**calls()[0], "request_id": "chatcmpl-late"}))
    own.workspace.add([str(late)])
    assert own.spent_usd("2026-10") == before
    for period in ("all", "2026-10", "2026-11"):
        for form, column in (("csv", "cost_usd"), ("focus-1.4", "BilledCost")):
            assert total_usd(own(form, period), column) == own.spent_usd(period)
    [row] = own("csv", "2026-11")
    assert (row["kind"], row["corrects_month"]) == ("correction", "2026-10")
    [row] = own("focus-1.4", "2026-11")
    assert row["ChargeClass"] == "Correction"


def test_each_charge_leads_to_its_line_and_to_its_trace(exported: Exported) -> None:
    row = next(row for row in exported() if row["kind"] == "charge" and row["grain"] == "call")
    trace = exported.workspace.trace(row["charge_id"])
    assert row["identity"] == trace.identity
    assert row["uri"].endswith("log.jsonl")
    assert (row["price_id"], row["price_version"]) == (trace.price_id, trace.price_version)
    assert int(row["line"]) == trace.witnesses[0].line


def test_a_cost_that_is_not_known_is_empty_and_not_zero(exported: Exported) -> None:
    for by in ("charge", "day"):
        unpriced = [row for row in exported("csv", "all", by) if row["basis"] == "unpriced"]
        assert {row["cost_usd"] for row in unpriced} == {""}
        assert "EUR" in {row.get("reported_currency", "EUR") for row in unpriced}


def test_names_with_separators_and_quotes_survive(exported: Exported) -> None:
    bills = [row for row in exported() if row["grain"] == "bill"]
    assert {'cost, centre=4"2' in row["labels"] for row in bills} == {True}


@pytest.mark.parametrize(
    ("form", "by", "column"),
    [
        ("parquet", "charge", "cost_usd"),
        ("parquet", "day", "cost_usd"),
        ("focus-1.2", None, "BilledCost"),
        ("focus-1.4", None, "BilledCost"),
    ],
)
def test_a_parquet_file_holds_the_same_as_the_table(
    exported: Exported, form: str, by: str | None, column: str
) -> None:
    path = exported.write(form, "out.parquet", by=by)
    shown = exported("csv" if form == "parquet" else form, by=by)
    with duckdb.connect() as connection:
        told = connection.execute(
            f'SELECT sum("{column}"), count(*), any_value(typeof("{column}")) FROM read_parquet(?)',  # noqa: S608 - a column of our own
            [str(path)],
        ).fetchall()
    assert told == [(exported.spent_usd(), len(shown), "DECIMAL(38,24)")]


def test_a_file_is_as_others_make_it_and_nothing_is_left_beside_it(exported: Exported) -> None:
    path = exported.write("csv", "out.csv")
    other = exported.folder / "other.csv"
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    assert not list(exported.folder.glob(".out*"))


def test_a_file_that_is_there_stays_as_it_was_when_the_export_fails(
    own: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own.folder / "out.csv"
    path.write_text("before")

    def broken(_: str) -> dict[str, str]:
        raise ClearbarError("broken off")

    monkeypatch.setattr(own.workspace.book, "explain", broken)
    with pytest.raises(ClearbarError, match="broken off"):
        own.write("focus-1.4", "out.csv")
    assert path.read_text() == "before"
    assert not list(own.folder.glob(".out*"))


def test_a_folder_that_is_not_there_is_said_so(exported: Exported) -> None:
    with pytest.raises(ClearbarError, match="cannot be written"):
        exported.write("csv", "nowhere/out.csv")


def test_parquet_needs_a_file(exported: Exported) -> None:
    with pytest.raises(ClearbarError, match="needs a name"):
        exported("parquet")


@pytest.mark.parametrize(("form", "by"), [("focus-1.3", None), ("csv", "week")])
def test_an_unknown_format_or_grain_names_those_there_are(
    exported: Exported, form: str, by: str | None
) -> None:
    with pytest.raises(UnknownName) as caught:
        exported(form, by=by)
    assert caught.value.hint.startswith("one of ")


def test_focus_has_no_rows_by_the_charge(exported: Exported) -> None:
    with pytest.raises(ClearbarError, match="by the day"):
        exported("focus-1.2", by="charge")


def test_an_empty_ledger_exports_a_header(tmp_path: Path, prices: Path) -> None:
    with make(tmp_path, prices).workspace as workspace:
        for form in ("csv", "focus-1.2", "focus-1.4"):
            stream = io.StringIO()
            assert workspace.export(ALL, form, None, None, stream) == 0
            assert len(stream.getvalue().splitlines()) == 1


def test_an_export_is_the_same_each_time(exported: Exported) -> None:
    for form in ("csv", "focus-1.4"):
        assert exported(form) == exported(form)


def test_an_export_in_focus_is_no_bill_to_be_read_again(own: Exported) -> None:
    before = own.spent_usd()
    path = own.write("focus-1.4", "out.csv")
    summary = own.workspace.add([str(path)])
    assert (summary.new, summary.quarantined) == (0, 1)
    assert own.spent_usd() == before


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_that_is_a_formula_is_not_run_by_a_spreadsheet(name: str) -> None:
    stream = io.StringIO()
    write_csv(stream, ["team"], [{"team": name}])
    [_, [cell]] = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert cell == f"'{name}"


@pytest.mark.parametrize(
    ("value", "cell"), [(Decimal("-1.5"), "-1.5"), (-3, "-3"), ("-", "-"), ("a=b", "a=b")]
)
def test_numbers_and_plain_names_stay_as_they_are(value: object, cell: str) -> None:
    stream = io.StringIO()
    write_csv(stream, ["of"], [{"of": value}])
    assert stream.getvalue() == f"of\n{cell}\n"


def test_what_a_link_names_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "october.csv", tmp_path / "latest.csv"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with whole(link) as staged:
        staged.write_text("new")
    assert link.is_symlink()
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("new", 0o600)


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ClearbarError, match="no regular file"), whole(pipe):
        pass
    assert pipe.is_fifo()
