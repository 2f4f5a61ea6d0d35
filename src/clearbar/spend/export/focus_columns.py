"""The columns of FOCUS that an export has, by version, in alphabetical order; then its own.

From the specification: those of features that a ledger of AI has nothing of are left out, as the
specification allows (capacity reservations, prices in another currency, split cost allocation,
several types of accounts).
"""

from __future__ import annotations

from typing import Final, Literal

Version = Literal["1.2", "1.4"]

_COMMON: Final = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
)
_NAMES: Final[dict[Version, tuple[str, ...]]] = {
    "1.2": ("ProviderName", "PublisherName"),
    "1.4": ("HostProviderName", "ServiceProviderName"),
}
OWN: Final = (
    "x_Agent",
    "x_CalledBy",
    "x_ChargeId",
    "x_CostBasis",
    "x_CredentialId",
    "x_Environment",
    "x_Evidence",
    "x_PriceBook",
    "x_PrincipalId",
    "x_RequestCount",
    "x_Team",
    "x_Workflow",
)
"""Columns that FOCUS does not have. `x_CostBasis` says of every row how far it can be trusted."""

COLUMNS: Final[dict[Version, tuple[str, ...]]] = {
    version: (*sorted((*_COMMON, *names)), *OWN) for version, names in _NAMES.items()
}
DECIMALS: Final = frozenset(
    {
        "BilledCost",
        "ConsumedQuantity",
        "ContractedCost",
        "ContractedUnitPrice",
        "EffectiveCost",
        "ListCost",
        "ListUnitPrice",
        "PricingQuantity",
        "x_RequestCount",
    }
)
MOMENTS: Final = frozenset(
    {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}
)
