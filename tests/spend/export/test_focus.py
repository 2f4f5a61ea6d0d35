"""Rows of FOCUS: exact products, marked estimates, and the rules of versions 1.2 and 1.4."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.charge import Origin
from clearbar.spend.export.focus import of_beside, of_group
from clearbar.spend.export.focus_columns import COLUMNS, OWN, Version
from clearbar.spend.export.rows import Beside, Group
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from tests.spend.export.conftest import Exported

DAY = date(2026, 10, 5)
ORIGIN = Origin("litellm", provider="openai", model="gpt-4o", project="p", labels="|team=legal|")
PRICES = {
    "usd_per_million.input_tokens": "2.5",
    "usd_per_million.output_tokens": "10",
    "usd_per_million.web_searches": "10000",
    "source": "a book",
}
VERSIONS: tuple[Version, ...] = ("1.2", "1.4")
MANDATORY = (
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart"),
    *("ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost"),
    *("ServiceCategory", "ServiceName", "ChargeFrequency", "ServiceSubcategory"),
)
"""Of both versions, the columns that the specification wants in every row, never empty."""
NAMED = {
    "1.2": ("ProviderName", "PublisherName"),
    "1.4": ("ServiceProviderName", "HostProviderName"),
}
MANDATORY_MAYBE_EMPTY = (
    *("BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"),
)
OF_1_4 = frozenset(
    {
        *("AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId"),
        *("AllocatedResourceName", "AllocatedTags", "AvailabilityZone", "BilledCost"),
        *("BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency"),
        *("BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId"),
        *("CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription"),
        *("ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory"),
        *("CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity"),
        *("CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit"),
        *("CommitmentProgramEligibilityDetails", "ConsumedQuantity", "ConsumedUnit"),
        *("ContractApplied", "ContractedCost", "ContractedUnitPrice", "EffectiveCost"),
        *("HostProviderName", "InvoiceDetailId", "InvoiceId", "InvoiceIssuerName", "ListCost"),
        *("ListUnitPrice", "PricingCategory", "PricingCurrency"),
        *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
        *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "RegionId"),
        *("RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory"),
        *("ServiceName", "ServiceProviderName", "ServiceSubcategory", "SkuId", "SkuMeter"),
        *("SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType"),
        "Tags",
    }
)
"""All 65 columns of the dataset Cost and Usage of FOCUS 1.4, from its specification."""
NULL_WITHOUT_A_PRICE = (
    *("ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "PricingQuantity"),
    *("PricingUnit", "ConsumedQuantity", "ConsumedUnit", "SkuMeter", "SkuPriceDetails"),
)


def group(**values: Any) -> Group:
    given: dict[str, Any] = {
        "day": DAY,
        "origin": ORIGIN,
        "workflow": "letters",
        "grain": "call",
        "basis": "priced",
        "cost_usd": Decimal("0.0035"),
        "calls": 3,
        "meters": {"input_tokens": 1000, "output_tokens": 100},
        "price_id": "openai/gpt-4o#0",
        "price_version": "book 1",
    }
    return Group(**(given | values))


def rows(told: Group, **prices: str) -> list[dict[str, Any]]:
    return list(of_group(told, lambda _: PRICES | prices, "1.4"))


def test_each_meter_is_a_row_with_its_unit_price() -> None:
    tokens_in, tokens_out = rows(group())
    assert tokens_in["SkuMeter"] == "input_tokens"
    assert (tokens_in["ConsumedQuantity"], tokens_in["ConsumedUnit"]) == (1000, "Tokens")
    assert (tokens_in["PricingQuantity"], tokens_in["PricingUnit"]) == (
        Decimal("0.001"),
        "1000000 Tokens",
    )
    assert (tokens_in["ListUnitPrice"], tokens_in["ListCost"]) == (
        Decimal("2.5"),
        Decimal("0.0025"),
    )
    assert tokens_out["BilledCost"] == Decimal("0.001")


def test_requests_are_counted_in_one_of_the_rows() -> None:
    assert sum(row["x_RequestCount"] for row in rows(group())) == 3


def test_a_meter_that_is_no_token_is_priced_by_one() -> None:
    told = group(meters={"web_searches": 2}, cost_usd=Decimal("0.02"))
    [row] = rows(told)
    assert (row["ConsumedUnit"], row["PricingUnit"], row["ListUnitPrice"]) == (
        "Requests",
        "Requests",
        Decimal("0.01"),
    )


def test_reasoning_with_a_price_of_its_own_is_no_output_too() -> None:
    meters = {"output_tokens": 100, "reasoning_tokens": 40}
    told = group(meters=meters, cost_usd=Decimal("0.0014"))
    found = rows(told, **{"usd_per_million.reasoning_tokens": "20"})
    assert [(row["SkuMeter"], row["ConsumedQuantity"]) for row in found] == [
        ("output_tokens", 60),
        ("reasoning_tokens", 40),
    ]


def test_a_price_of_a_call_is_a_row_of_its_own() -> None:
    told = group(cost_usd=Decimal("0.0335"))
    assert rows(told, usd_per_call="0.01")[-1]["SkuMeter"] == "calls"


def test_a_cost_that_no_price_explains_is_one_row_for_the_day() -> None:
    [row] = rows(group(basis="estimated", cost_usd=Decimal("0.01")))
    assert (row["PricingQuantity"], row["PricingUnit"]) == (1, "Days")
    assert (row["ListUnitPrice"], row["BilledCost"]) == (Decimal("0.01"), Decimal("0.01"))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (1100, "Tokens")


def test_a_day_without_tokens_is_counted_in_requests() -> None:
    [row] = rows(group(meters={}, basis="unpriced", cost_usd=Decimal(0), price_id=""))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (3, "Requests")


@pytest.mark.parametrize(
    ("basis", "marked"),
    [("billed", "Billed"), ("priced", "Estimate"), ("estimated", "Estimate")],
)
def test_every_row_says_what_its_cost_rests_on(basis: str, marked: str) -> None:
    assert {row["x_CostBasis"] for row in rows(group(basis=basis))} == {marked}


def test_a_cost_that_is_not_known_is_marked_as_such() -> None:
    [row] = rows(group(basis="unpriced", cost_usd=Decimal(0)))
    assert (row["x_CostBasis"], row["BilledCost"]) == ("Unpriced", 0)


def test_a_line_of_a_bill_keeps_its_category_period_and_commitment() -> None:
    origin = Origin("focus", provider="azure", labels="|commitment=ptu-1|sku=x|")
    values = {"grain": "bill", "basis": "billed", "ended_at": datetime(2026, 11, 1)}  # noqa: DTZ001 - as the engine gives it
    [row] = rows(group(origin=origin, charge_category="purchase", charge_ids=("c1",), **values))
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == ("Purchase", "One-Time")
    assert row["ChargePeriodEnd"].isoformat() == "2026-11-01T00:00:00+00:00"
    assert (row["CommitmentDiscountId"], row["x_ChargeId"]) == ("ptu-1", "c1")


def test_what_is_unused_of_a_commitment_consumed_nothing() -> None:
    values = {"grain": "bill", "basis": "billed", "meters": {}, "calls": 0}
    [row] = rows(group(commitment_status="unused", **values))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (None, None)
    assert (row["CommitmentDiscountStatus"], row["PricingCategory"]) == ("Unused", "Committed")


def test_what_is_reconciled_is_an_adjustment_and_a_late_change_a_correction() -> None:
    line = Beside("reconciled", DAY, ORIGIN, "", Usage(cost_usd=Decimal(-1)))
    row = of_beside(line, "1.4")
    assert (row["ChargeCategory"], row["x_CostBasis"]) == ("Adjustment", "Reconciled")
    assert row.get("ChargeClass") is None
    late = of_beside(Beside("correction", DAY, ORIGIN, "", Usage(), "2026-09"), "1.4")
    assert late["ChargeClass"] == "Correction"
    assert "2026-09" in late["ChargeDescription"]


def test_tags_are_the_labels_and_nothing_else() -> None:
    assert json.loads(rows(group())[0]["Tags"]) == {"team": "legal"}


def test_context_that_sets_the_price_is_in_its_details() -> None:
    details = rows(group(service_tier="batch", geo="eu"))[0]["SkuPriceDetails"]
    assert json.loads(details) == {"x_Geo": "eu", "x_ServiceTier": "batch"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_has_the_mandatory_columns_and_none_that_it_does_not_know(
    version: Version,
) -> None:
    columns = set(COLUMNS[version])
    assert {*MANDATORY, *NAMED[version], *MANDATORY_MAYBE_EMPTY} <= columns
    assert all(name.startswith("x_") for name in OWN)
    others = {name for other in VERSIONS if other != version for name in NAMED[other]}
    assert not columns & others


def test_the_columns_of_1_4_are_those_of_its_specification() -> None:
    assert len(OF_1_4) == 65
    assert set(COLUMNS["1.4"]) - set(OWN) <= OF_1_4


def broken_rules(row: dict[str, str], version: Version) -> list[str]:
    """Return which of the rules that version 1.4 words more strictly a row breaks."""
    usage = row["ChargeCategory"] in {"Usage", "Purchase"} and not row["ChargeClass"]
    rules = {
        "mandatory columns say something": all(row[name] for name in (*MANDATORY, *NAMED[version])),
        "no price, no quantity": bool(row["SkuPriceId"])
        or not any(row[name] for name in NULL_WITHOUT_A_PRICE),
        "usage has a price": row["ChargeCategory"] != "Usage"
        or not usage
        or all(row[name] for name in ("SkuId", "SkuPriceId", "ListUnitPrice", "PricingQuantity")),
        "list cost is the product": not row["ListUnitPrice"]
        or Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
        == Decimal(row["ListCost"]),
        "contracted cost is the product": not row["ContractedUnitPrice"]
        or Decimal(row["ContractedUnitPrice"]) * Decimal(row["PricingQuantity"])
        == Decimal(row["ContractedCost"]),
        "tax and credit are effective as billed": row["ChargeCategory"] not in {"Tax", "Credit"}
        or row["EffectiveCost"] == row["BilledCost"],
        "a quantity has a unit": bool(row["ConsumedQuantity"]) == bool(row["ConsumedUnit"])
        and bool(row["PricingQuantity"]) == bool(row["PricingUnit"]),
        "a status has a commitment": not row["CommitmentDiscountStatus"]
        or bool(row["CommitmentDiscountId"]),
        "a commitment has a category and a type": not row["CommitmentDiscountId"]
        or bool(row["CommitmentDiscountCategory"] and row["CommitmentDiscountType"]),
        "time goes on": row["ChargePeriodStart"] < row["ChargePeriodEnd"],
        "tags are an object": not row["Tags"] or isinstance(json.loads(row["Tags"]), dict),
    }
    return [name for name, holds in rules.items() if not holds]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_keeps_the_rules(exported: Exported, version: Version) -> None:
    found = [broken_rules(row, version) for row in exported(f"focus-{version}")]
    assert found
    assert [rules for rules in found if rules] == []


def test_no_row_is_an_unmarked_estimate(exported: Exported) -> None:
    for version in VERSIONS:
        told = {row["x_CostBasis"] for row in exported(f"focus-{version}")}
        assert told == {"Billed", "Estimate", "Unpriced", "Reconciled"}


def test_the_sum_of_what_is_billed_is_the_bill(exported: Exported) -> None:
    billed = [row for row in exported("focus-1.4") if row["x_CostBasis"] == "Billed"]
    total = sum(Decimal(row["BilledCost"]) for row in billed)
    assert total == Decimal("100.350000000000000000000001")
