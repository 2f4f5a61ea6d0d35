from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import gcp_billing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., Any]

INPUT = "Generate content input token count gemini 2.5 flash short input text"


def row(**changes: Any) -> dict[str, Any]:
    return {
        "billing_account_id": "01AB02-CD03EF-040506",
        "service": {"id": "C7E2", "description": "Vertex AI"},
        "sku": {"id": "S-1", "description": INPUT},
        "usage_start_time": "2026-10-05 09:00:00 UTC",
        "usage_end_time": "2026-10-05 10:00:00 UTC",
        "export_time": "2026-10-06 03:00:00 UTC",
        "project": {"id": "intake-prod"},
        "labels": [{"key": "team", "value": "claims"}],
        "cost": 0.3,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "usage": {"amount": 1000000.0, "unit": "count"},
        "credits": [],
        "invoice": {"month": "202610"},
        "cost_type": "regular",
    } | changes


def several(read: Read, *rows: dict[str, Any]) -> list[Record]:
    records, problems = read("rows.jsonl", "".join(f"{json.dumps(each)}\n" for each in rows))
    assert problems == []
    return records  # type: ignore[no-any-return]


def sku(description: str) -> dict[str, Any]:
    return {"sku": {"id": "S-2", "description": description}}


def test_credits_are_lines_of_their_own_and_cost_and_credits_sum_to_what_is_paid(
    read: Read,
) -> None:
    given = [{"type": "DISCOUNT", "amount": -0.03}, {"type": "PROMOTION", "amount": -0.07}]
    line, *others = several(read, row(credits=given))
    assert [record.charge_category for record in others] == ["credit", "credit"]
    paid = sum(record.reported_cost_usd or 0 for record in (line, *others))
    assert paid == Decimal("0.2")
    assert len({record.identity for record in (line, *others)}) == 3


def test_late_rows_are_added_and_the_same_row_in_another_export_is_not(read: Read) -> None:
    first, late = several(read, row(), row(export_time="2026-10-08 03:00:00 UTC", cost=0.003))
    [again] = several(read, row())
    assert first.identity != late.identity
    assert first.identity == again.identity


def test_equal_rows_of_one_file_both_count(read: Read) -> None:
    assert len({record.identity for record in several(read, row(), row())}) == 2


@pytest.mark.parametrize(
    ("description", "meter", "model"),
    [
        (INPUT, "input_tokens", "gemini-2.5-flash"),
        ("Generate content output token count gemini 2.5 flash lite", "output_tokens", None),
        ("Generate content cached input token count gemini 2.5 pro", "cache_read_tokens", None),
    ],
)
def test_a_sku_that_names_tokens_fills_its_meter(
    read: Read, description: str, meter: str, model: str | None
) -> None:
    [record] = several(read, row(**sku(description)))
    assert getattr(record, meter) == 1000000
    assert model in (None, record.origin.model)


@pytest.mark.parametrize(
    ("description", "unit"),
    [
        ("Grounding with Google Search gemini 2.5 flash token", "count"),
        ("Gemini 2.5 Flash context caching storage input tokens", "count"),
        (INPUT, "characters"),
        ("Gemini provisioned throughput input token", "count"),
    ],
)
def test_what_is_not_certainly_tokens_has_money_only(
    read: Read, description: str, unit: str
) -> None:
    [record] = several(read, row(**sku(description), usage={"amount": 5, "unit": unit}))
    assert (record.input_tokens, record.cache_read_tokens) == (None, None)
    assert record.reported_cost_usd == Decimal("0.3")


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({"cost_type": "regular"}, "usage"),
        ({"cost_type": "tax"}, "tax"),
        ({"cost_type": "rounding_error"}, "adjustment"),
        ({"adjustment_info": {"id": "a", "type": "USAGE_CORRECTION"}}, "adjustment"),
    ],
)
def test_each_type_of_cost_has_its_category(
    read: Read, changes: dict[str, Any], category: str
) -> None:
    [record] = several(read, row(**changes))
    assert record.charge_category == category
    assert (record.input_tokens is None) == (category != "usage")


def test_another_currency_is_kept_with_the_rate_that_was_taken(read: Read) -> None:
    [record] = several(read, row(currency="EUR", currency_conversion_rate=0.92))
    assert (record.reported_cost_usd, record.reported_cost) == (None, Decimal("0.3"))
    assert "currency_conversion_rate=0.92" in record.origin.labels


def test_the_invoices_month_is_kept_beside_the_day_of_use(read: Read) -> None:
    [record] = several(read, row(invoice={"month": "202611"}))
    assert "invoice_month=202611" in record.origin.labels
    assert record.started_at_us == 1791190800000000


def test_rows_of_other_services_are_noted_once_and_are_no_problem(read: Read, notes: Read) -> None:
    other = row(service={"description": "Compute Engine"}, sku={"description": "N2"})
    lines = "".join(f"{json.dumps(each)}\n" for each in (row(), other, other))
    records, problems = read("rows.json", lines)
    assert (len(records), problems) == (1, [])
    [note] = notes("rows.json", lines)
    assert note.what == "2 lines of other services were left out"


@pytest.mark.parametrize(
    "broken",
    [
        {"cost": None},
        {"cost": "much"},
        {"currency": ""},
        {"usage_start_time": ""},
        {"usage_end_time": "2026-10-05 08:00:00 UTC"},
        {"credits": [{"amount": "none"}]},
    ],
)
def test_a_row_is_taken_with_all_its_credits_or_not_at_all(
    read: Read, broken: dict[str, Any]
) -> None:
    records, problems = read("rows.jsonl", json.dumps(row(**broken)))
    assert (records, len(problems)) == ([], 1)


def test_a_parquet_extract_says_the_same(read: Read, tmp_path: Path) -> None:
    given = [{"type": "DISCOUNT", "amount": -0.03}]
    told = several(read, row(credits=given))
    path = tmp_path / "rows.parquet"
    source = tmp_path / "rows.jsonl"
    duckdb.sql(f"COPY (FROM read_json('{source}')) TO '{path}' (FORMAT parquet)")
    file = open_source_file(path)
    assert gcp_billing.recognises(file)
    found = [item for item in gcp_billing.read(file) if isinstance(item, Record)]
    for name in ("identity", "reported_cost_usd", "input_tokens", "origin"):
        assert [getattr(r, name) for r in found] == [getattr(r, name) for r in told]


def test_credits_are_read_as_an_extract_of_bigquery_nests_them(read: Read) -> None:
    nested = {"list": [{"element": {"type": "DISCOUNT", "amount": -0.03}}]}
    _, credit = several(read, row(credits=nested))
    assert credit.reported_cost_usd == Decimal("-0.03")


def test_a_line_that_is_no_object_is_kept_out(read: Read) -> None:
    records, [problem] = read("rows.jsonl", f"{json.dumps(row())}\n5\n")
    assert (len(records), problem.what, problem.line) == (1, "not a JSON object", 2)
