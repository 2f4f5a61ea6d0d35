from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.shapes import bill_lines
from clearbar.spend.sources import focus
from clearbar.spend.sources.focus import version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., Any]

ROW = {
    "BilledCost": "1.5",
    "EffectiveCost": "7",
    "BillingAccountId": "billing-1",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "NULL",
    "ChargeDescription": "",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "CommitmentDiscountId": "",
    "CommitmentDiscountStatus": "",
    "ConsumedQuantity": "120",
    "ConsumedUnit": "1K Tokens",
    "InvoiceId": "",
    "PrincipalId": "",
    "ProviderName": "Microsoft",
    "ResourceId": "",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Azure OpenAI",
    "SkuMeter": "",
    "SubAccountId": "sub-1",
    "Tags": "",
    "x_UsageType": "",
}


def table(*rows: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(ROW))
    writer.writeheader()
    writer.writerows(ROW | row for row in rows)
    return stream.getvalue()


def one(read: Read, **changes: str) -> Record:
    records, problems = read("focus.csv", table(changes))
    assert problems == []
    return records[0]  # type: ignore[no-any-return]


def test_the_sample_of_the_specification_is_read(shared_data: Path) -> None:
    file = open_source_file(shared_data / "formats" / "focus" / "focus_sample.csv")
    items = list(focus.read(file))
    records = [item for item in items if isinstance(item, Record)]
    [note] = [item for item in items if isinstance(item, Note)]
    assert len(records) + 1 == len(items) == 10
    assert sum(r.reported_cost_usd or 0 for r in records) == Decimal("-0.15189756178")
    assert note.what == "991 lines of other services were left out"
    assert note.hint.startswith("FOCUS 1.0")


@pytest.mark.parametrize("name", ["azure_EA_ActualCost_Small", "azure_EA_AmortizedCost_Small"])
def test_an_azure_export_in_its_own_columns_is_refused_with_a_way_out(
    shared_data: Path, name: str
) -> None:
    file = open_source_file(shared_data / "formats" / "focus" / f"{name}.csv")
    assert focus.recognises(file)
    [problem] = focus.read(file)
    assert isinstance(problem, Problem)
    assert "FOCUS" in problem.hint


@pytest.mark.parametrize(
    ("columns", "version"),
    [
        ({"ProviderName"}, "1.0"),
        ({"ProviderName", "SkuMeter"}, "1.1"),
        ({"ProviderName", "SkuMeter", "PricingCurrency"}, "1.2"),
        ({"ProviderName", "ServiceProviderName", "InvoiceId"}, "1.3"),
        ({"ServiceProviderName", "InvoiceId"}, "1.4"),
    ],
)
def test_the_columns_tell_the_version(columns: set[str], version: str) -> None:
    assert version_of(columns) == version


def test_the_cost_is_the_billed_and_not_the_effective_one(read: Read) -> None:
    assert one(read).reported_cost_usd == Decimal("1.5")


def test_a_commitment_counts_on_its_purchase_and_what_it_covers_costs_nothing(read: Read) -> None:
    rows = [
        {"ChargeCategory": "Purchase", "BilledCost": "1000", "EffectiveCost": "0"},
        {"BilledCost": "0", "EffectiveCost": "700", "CommitmentDiscountStatus": "Used"},
        {"BilledCost": "0", "EffectiveCost": "300", "CommitmentDiscountStatus": "Unused"},
    ]
    records, _ = read("focus.csv", table(*rows))
    assert sum(record.reported_cost_usd for record in records) == 1000
    assert [record.commitment_status for record in records] == ["", "used", "unused"]
    assert [record.charge_category for record in records] == ["purchase", "usage", "usage"]


@pytest.mark.parametrize(
    ("changes", "meter", "number"),
    [
        ({"SkuMeter": "gpt-4o input"}, "input_tokens", 120_000),
        ({"SkuMeter": "gpt-4o cached input"}, "cache_read_tokens", 120_000),
        ({"SkuMeter": "output", "ConsumedUnit": "Tokens"}, "output_tokens", 120),
        (
            {
                "x_UsageType": "USE1-Claude4.6Sonnet-cache-read-input-token-count",
                "ConsumedUnit": "1K tokens",
            },
            "cache_read_tokens",
            120_000,
        ),
    ],
)
def test_tokens_are_taken_where_unit_and_meter_say_so(
    read: Read, changes: dict[str, str], meter: str, number: int
) -> None:
    assert getattr(one(read, **changes), meter) == number


def test_tokens_of_an_unknown_kind_are_left_out(read: Read) -> None:
    record = one(read)
    assert (record.input_tokens, record.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("category", "service", "is_ai"),
    [
        ("AI and Machine Learning", "Azure Machine Learning", True),
        ("Other", "Claude Sonnet 4.6 (Amazon Bedrock Edition)", True),
        ("Other", "Amazon Bedrock", True),
        ("Compute", "Virtual Machines", False),
        ("Storage", "Amazon Simple Storage Service", False),
    ],
)
def test_what_is_ai_is_told_by_category_or_by_name(
    read: Read, notes: Read, category: str, service: str, *, is_ai: bool
) -> None:
    rows = table({"ServiceCategory": category, "ServiceName": service})
    records, problems = read("focus.csv", rows)
    assert (len(records), problems) == (int(is_ai), [])
    assert len(notes("focus.csv", rows)) == int(not is_ai)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("Microsoft", "azure"),
        ("AWS", "aws"),
        ("Amazon Web Services, Inc.", "aws"),
        ("Google Cloud", "google"),
        ("OpenAI", "openai"),
    ],
)
def test_a_provider_is_called_as_everywhere(read: Read, name: str, provider: str) -> None:
    assert one(read, ProviderName=name).origin.provider == provider


def test_who_and_where_are_kept(read: Read) -> None:
    arn = "arn:aws:sts::1:assumed-role/claims/i-1"
    origin = one(read, Tags='{"team": "a"}', PrincipalId=arn, ResourceId="/x/y/chat").origin
    assert (origin.account, origin.project, origin.principal) == ("billing-1", "sub-1", "claims")
    assert origin.labels == "|resource=chat|service=Azure OpenAI|team=a|"


def test_tags_that_cannot_be_read_cost_no_money(read: Read) -> None:
    record = one(read, Tags="{broken")
    assert record.reported_cost_usd == Decimal("1.5")
    assert "tags=unreadable" in record.origin.labels


def test_a_correction_is_a_line_in_the_month_that_it_names(read: Read) -> None:
    before = one(read, BillingPeriodStart="2026-11-01T00:00:00Z", ChargeClass="Correction")
    assert "charge_class=Correction" in before.origin.labels
    assert before.identity != one(read).identity


def test_a_newer_export_replaces_and_an_invoice_settles_it(read: Read) -> None:
    early, late = one(read), one(read, ConsumedQuantity="130", BilledCost="1.6")
    invoiced = one(read, InvoiceId="I-1")
    assert early.identity == late.identity == invoiced.identity
    assert early.final < late.final < invoiced.final


def test_equal_rows_of_one_file_both_count(read: Read) -> None:
    records, _ = read("focus.csv", table({}, {}))
    assert len({record.identity for record in records}) == 2


def test_another_currency_is_kept_as_billed(read: Read) -> None:
    record = one(read, BillingCurrency="EUR")
    assert (record.reported_cost_usd, record.reported_cost) == (None, Decimal("1.5"))


def test_null_may_be_a_word(read: Read) -> None:
    assert one(read, ResourceId="NULL", SkuMeter="null").origin.labels == "|service=Azure OpenAI|"


@pytest.mark.parametrize(
    "broken",
    [
        {"BilledCost": ""},
        {"BilledCost": "Infinity"},
        {"BillingCurrency": "NULL"},
        {"ChargeCategory": "Gift"},
        {"ChargePeriodStart": "soon"},
        {"ChargePeriodEnd": "2026-10-04T00:00:00Z"},
    ],
)
def test_what_cannot_be_trusted_is_kept_out(read: Read, broken: dict[str, str]) -> None:
    records, problems = read("focus.csv", table(broken))
    assert (records, len(problems)) == ([], 1)


def test_an_export_of_ones_own_is_no_bill(read: Read) -> None:
    text = table({}).replace("x_UsageType", "x_CostBasis")
    records, [problem] = read("focus.csv", text)
    assert (records, problem.what) == ([], "an export of Clearbar's own, no bill")


def test_a_parquet_file_says_the_same(read: Read, tmp_path: Path) -> None:
    [told], _ = read("focus.csv", table({"Tags": '{"team": "a"}'}))
    path, source = tmp_path / "focus.parquet", tmp_path / "focus.csv"
    duckdb.sql(
        f"""COPY (SELECT * REPLACE (
            BilledCost::DOUBLE AS BilledCost,
            ChargePeriodStart::TIMESTAMPTZ AS ChargePeriodStart,
            ChargePeriodEnd::TIMESTAMP AS ChargePeriodEnd,
            nullif(ChargeClass, 'NULL') AS ChargeClass,
            MAP {{'team': 'a'}} AS Tags)
        FROM read_csv('{source}', all_varchar = true)) TO '{path}' (FORMAT parquet)"""  # noqa: S608 - paths of our own
    )
    file = open_source_file(path)
    assert focus.recognises(file)
    [record] = focus.read(file)
    assert isinstance(record, Record)
    for name in ("identity", "reported_cost_usd", "origin", "started_at_us", "final"):
        assert getattr(record, name) == getattr(told, name)


def test_what_rows_share_may_be_forgotten_and_worked_out_again(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"SubAccountId": f"sub-{number % 3}"} for number in range(9)]
    before, _ = read("focus.csv", table(*rows))
    monkeypatch.setattr(bill_lines, "_MAX_KINDS", 1)
    assert read("focus.csv", table(*rows))[0] == before


def test_more_tokens_than_a_thousand_million_are_a_number_like_any_other(read: Read) -> None:
    record = one(read, SkuMeter="input", ConsumedUnit="Tokens", ConsumedQuantity="3000000000")
    assert record.input_tokens == 3_000_000_000
