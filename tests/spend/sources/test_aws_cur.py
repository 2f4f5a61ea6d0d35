from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import aws_cur

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record

    Read = Callable[..., Any]

LINE = {
    "bill_payer_account_id": "111122223333",
    "bill_invoice_id": "",
    "line_item_usage_account_id": "444455556666",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-10-05T00:00:00.000Z",
    "line_item_usage_end_date": "2026-10-06T00:00:00.000Z",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "USE1-Claude4.6Sonnet-input-tokens",
    "line_item_usage_amount": "17.33",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": "0.0572",
    "line_item_iam_principal": "",
    "line_item_line_item_description": "",
    "pricing_unit": "1K tokens",
    "product": "{}",
    "tags": "{}",
}


def table(*lines: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(LINE))
    writer.writeheader()
    writer.writerows(LINE | line for line in lines)
    return stream.getvalue()


def one(read: Read, **changes: str) -> Record:
    records, problems = read("cur.csv", table(changes))
    assert problems == []
    return records[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("usage_type", "meter", "model", "tier"),
    [
        ("USE1-Claude4.6Sonnet-output-tokens", "output_tokens", "claude-sonnet-4-6", ""),
        (
            "USE1-Claude4.6Sonnet-cache-read-input-token-count-cross-region-global",
            "cache_read_tokens",
            "claude-sonnet-4-6",
            "",
        ),
        (
            "USE1-Claude3.7Sonnet-cache-write-1h-input-token-count",
            "cache_write_1h_tokens",
            "claude-3-7-sonnet",
            "",
        ),
        (
            "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-standard",
            "cache_write_tokens",
            "claude-opus-4-8",
            "",
        ),
        ("EUW1-Claude3Haiku-input-tokens-batch", "input_tokens", "claude-3-haiku", "batch"),
    ],
)
def test_a_usage_type_says_model_meter_and_tier(
    read: Read, usage_type: str, meter: str, model: str, tier: str
) -> None:
    record = one(read, line_item_usage_type=usage_type)
    assert getattr(record, meter) == 17330
    assert (record.origin.model, record.service_tier) == (f"anthropic.{model}", tier)


@pytest.mark.parametrize(
    "usage_type",
    [
        "USE1-x-reserved-1-month-input-tokens-per-minute-cross-region-geo",
        "USE1-Nova2.0Pro-input-image-token-count",
        "USE1-Guardrail-ContentPolicyUnitsConsumed",
        "USE1-ProvisionedThroughput-ModelUnits",
    ],
)
def test_what_is_not_by_the_token_of_text_has_money_and_no_tokens(
    read: Read, usage_type: str
) -> None:
    record = one(read, line_item_usage_type=usage_type)
    assert (record.input_tokens, record.output_tokens) == (None, None)
    assert record.reported_cost_usd == Decimal("0.0572")


def test_an_amount_that_is_no_whole_number_of_tokens_is_not_rounded(read: Read) -> None:
    assert one(read, line_item_usage_amount="0.0005").input_tokens is None


def test_a_model_sold_through_the_marketplace_is_named_by_its_product(read: Read) -> None:
    record = one(
        read,
        line_item_product_code="4b8gjjrvhpcz1ahbw1qgh3n9c",
        product='{"product_name": "Claude Opus 5.5 (Amazon Bedrock Edition)"}',
        line_item_usage_type="USW2-MP:USW2_CacheReadInputTokenCount-Units",
        line_item_line_item_description="AWS Marketplace software usage|Million Cache Read Tokens",
        pricing_unit="Units",
    )
    assert record.origin.model == "anthropic.claude-opus-5-5"
    assert record.cache_read_tokens == 17_330_000


@pytest.mark.parametrize(
    ("kind", "category", "status"),
    [
        ("Usage", "usage", ""),
        ("SavingsPlanCoveredUsage", "usage", "used"),
        ("SavingsPlanNegation", "adjustment", ""),
        ("SavingsPlanRecurringFee", "purchase", ""),
        ("EdpDiscount", "adjustment", ""),
        ("Refund", "adjustment", ""),
        ("Credit", "credit", ""),
        ("Tax", "tax", ""),
    ],
)
def test_each_type_of_line_has_its_category(
    read: Read, kind: str, category: str, status: str
) -> None:
    record = one(read, line_item_line_item_type=kind, line_item_unblended_cost="-1")
    assert (record.charge_category, record.commitment_status) == (category, status)
    assert record.reported_cost_usd == -1


def test_tokens_of_discounts_and_credits_are_not_counted_again(read: Read) -> None:
    assert one(read, line_item_line_item_type="Credit").input_tokens is None


def test_payer_user_and_caller_are_account_project_and_principal(read: Read) -> None:
    arn = "arn:aws:sts::444455556666:assumed-role/claims/i-01"
    origin = one(read, line_item_iam_principal=arn, tags='{"resourceTags/team": "a"}').origin
    assert (origin.account, origin.project) == ("111122223333", "444455556666")
    assert origin.principal == "claims"
    assert "resourceTags/team=a" in origin.labels


def test_another_currency_is_kept_as_billed(read: Read) -> None:
    record = one(read, line_item_currency_code="CNY")
    assert (record.reported_cost_usd, record.reported_cost) == (None, Decimal("0.0572"))
    assert record.reported_currency == "CNY"


def test_a_later_report_of_an_open_month_replaces_the_earlier(read: Read) -> None:
    early = one(read)
    late = one(read, line_item_usage_amount="20", line_item_unblended_cost="0.066")
    invoiced = one(read, bill_invoice_id="I-1")
    assert early.identity == late.identity == invoiced.identity
    assert early.final < late.final < invoiced.final


def test_equal_lines_of_one_file_both_count(read: Read) -> None:
    records, _ = read("cur.csv", table({}, {}))
    assert len({record.identity for record in records}) == 2


def test_a_negative_line_is_another_than_the_one_it_takes_back(read: Read) -> None:
    assert one(read).identity != one(read, line_item_unblended_cost="-0.0572").identity


def test_lines_of_other_services_are_noted_once_and_are_no_problem(read: Read, notes: Read) -> None:
    other = {"line_item_product_code": "AmazonEC2"}
    records, problems = read("cur.csv", table({}, other, other))
    assert (len(records), problems) == (1, [])
    [note] = notes("cur.csv", table({}, other, other))
    assert note.what == "2 lines of other services were left out"


@pytest.mark.parametrize(
    "broken",
    [
        {"line_item_unblended_cost": ""},
        {"line_item_unblended_cost": "NaN"},
        {"line_item_unblended_cost": "1e30"},
        {"line_item_currency_code": "dollars"},
        {"line_item_usage_start_date": ""},
        {"line_item_usage_end_date": "2026-10-04T00:00:00Z"},
    ],
)
def test_what_cannot_be_trusted_is_kept_out(read: Read, broken: dict[str, str]) -> None:
    records, problems = read("cur.csv", table(broken))
    assert (len(records), len(problems)) == (0, 1)


def test_a_parquet_report_says_the_same(read: Read, tmp_path: Path) -> None:
    text = table({"tags": '{"team": "a"}'})
    records, _ = read("cur.csv", text)
    path = tmp_path / "cur.snappy.parquet"
    duckdb.sql(
        f"""COPY (SELECT * REPLACE (
            line_item_unblended_cost::DOUBLE AS line_item_unblended_cost,
            line_item_usage_amount::DOUBLE AS line_item_usage_amount,
            line_item_usage_start_date::TIMESTAMP AS line_item_usage_start_date,
            line_item_usage_end_date::TIMESTAMP AS line_item_usage_end_date,
            MAP {{'team': 'a'}} AS tags)
        FROM read_csv('{tmp_path / "cur.csv"}', all_varchar = true)) TO '{path}' (FORMAT parquet)"""  # noqa: S608 - paths of our own
    )
    file = open_source_file(path)
    assert aws_cur.recognises(file)
    [record] = aws_cur.read(file)
    assert not isinstance(record, Problem)
    for name in ("identity", "reported_cost_usd", "input_tokens", "origin", "started_at_us"):
        assert getattr(record, name) == getattr(records[0], name)
