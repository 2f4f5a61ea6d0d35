"""Days of a ledger as rows of FOCUS 1.2 or 1.4: account, sub-account, day, SKU, meter, tags. Pure.

`x_CostBasis` is on every row: `Billed` for a line of a bill, `Estimate` for what follows from a
price book or what a gateway computed, `Unpriced` where no cost is known (FOCUS allows no empty
cost: it is 0 there), `Reconciled` for what makes a dollar that both a bill and calls tell of count
once. All rows sum to what `clearbar spend` says.

Where the price book explains a cost to the last digit, each meter is a row with its unit price.
Otherwise all the day's use of a model is one row, priced as one day of it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.period import month_of
from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
    labels_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from clearbar.spend.charge import Origin
    from clearbar.spend.export.focus_columns import Version
    from clearbar.spend.export.rows import Beside, Group

    Explained = Callable[[str], Mapping[str, str]]
    """The id of a price -> what the price book says of it; nothing where it knows it no more."""

Row = dict[str, Any]

UNREPORTED: Final = "unreported"
_EXACT: Final = Context(prec=60)
_ZERO: Final = Decimal(0)
_PER_MILLION: Final = "usd_per_million."
_PER_CALL: Final = "usd_per_call"
_MILLION: Final = Decimal(10**6)
_TOKENS: Final = frozenset(
    (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS, *OUTPUT_METERS, "reasoning_tokens")
)
_UNITS: Final = {
    "calls": "Requests",
    "web_searches": "Requests",
    "file_searches": "Requests",
    "code_sessions": "Sessions",
    "input_characters": "Characters",
    "audio_seconds": "Seconds",
    "images": "Images",
}
_SERVICES: Final = {
    "anthropic": "Claude API",
    "aws": "Amazon Bedrock",
    "azure": "Azure OpenAI",
    "google": "Gemini API",
    "openai": "OpenAI API",
    "openrouter": "OpenRouter",
}
_COSTS: Final = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_BASES: Final = {
    "billed": "Billed",
    "priced": "Estimate",
    "estimated": "Estimate",
    "unpriced": "Unpriced",
}
_DETAILS: Final = {"service_tier": "x_ServiceTier", "speed": "x_Speed", "geo": "x_Geo"}


class _Part(NamedTuple):
    """One meter of a group: how much, in what unit, at what price."""

    meter: str
    quantity: Decimal
    unit: str
    pricing_quantity: Decimal
    pricing_unit: str
    unit_price: Decimal

    @property
    def cost(self) -> Decimal:
        return _EXACT.multiply(self.pricing_quantity, self.unit_price)


def of_group(group: Group, explained: Explained, version: Version) -> Iterator[Row]:
    """Yield the rows of charges of one day."""
    row = _charged(group, version)
    if group.charge_category != "usage":
        yield row
        return
    parts = _parts(group, explained) if group.basis in {"priced", "estimated"} else []
    if not parts or sum((part.cost for part in parts), _ZERO) != group.cost_usd:
        parts = [_whole(group)]
    for number, part in enumerate(parts):
        yield row | _metered(group, part) | ({} if number == 0 else {"x_RequestCount": _ZERO})


def of_beside(line: Beside, version: Version) -> Row:
    """Return the row of what a report counts beside the charges."""
    row = _row(line.day, line.origin, line.workflow, line.usage.cost_usd, version)
    told = "also told by others, and counted once"
    if line.kind == "correction":
        told = f"corrects {line.month}, which was closed"
        row["ChargeClass"] = "Correction"
    return row | {
        "ChargeCategory": "Adjustment",
        "ChargeDescription": told,
        "ChargeFrequency": "One-Time",
        "x_CostBasis": "Reconciled",
        "x_RequestCount": Decimal(line.usage.calls),
    }


def _charged(group: Group, version: Version) -> Row:
    row = _row(group.day, group.origin, group.workflow, group.cost_usd, version)
    commitment = labels_of(group.origin.labels).get("commitment", "")
    row |= {
        "ChargeCategory": group.charge_category.capitalize(),
        "ChargeFrequency": "Usage-Based" if group.charge_category == "usage" else "One-Time",
        "ChargeDescription": _description(group),
        "x_ChargeId": group.charge_ids[0] if group.charge_ids else None,
        "x_CostBasis": _BASES[group.basis],
        "x_PriceBook": group.price_version or None,
        "x_RequestCount": Decimal(group.calls),
    }
    if group.ended_at is not None:
        row["ChargePeriodEnd"] = max(group.ended_at.replace(tzinfo=UTC), row["ChargePeriodEnd"])
    if group.commitment_status or commitment:
        row |= {
            "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountId": commitment or UNREPORTED,
            "CommitmentDiscountStatus": group.commitment_status.capitalize() or None,
            "CommitmentDiscountType": "Commitment",
        }
    return row


def _row(day: date, origin: Origin, workflow: str, cost_usd: Decimal, version: Version) -> Row:
    """Return what every row has."""
    month = month_of(day)
    provider = origin.provider or UNREPORTED
    names = ("ProviderName", "PublisherName")
    if version == "1.4":
        names = ("ServiceProviderName", "HostProviderName")
    return {
        **dict.fromkeys(_COSTS, cost_usd),
        **dict.fromkeys((*names, "InvoiceIssuerName"), provider),
        "BillingAccountId": origin.account or UNREPORTED,
        "BillingAccountName": origin.account or None,
        "BillingCurrency": "USD",
        "BillingPeriodStart": _midnight(month.start),
        "BillingPeriodEnd": _midnight(month.end),
        "ChargePeriodStart": _midnight(day),
        "ChargePeriodEnd": _midnight(day + timedelta(days=1)),
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": _SERVICES.get(provider, provider),
        "SubAccountId": origin.project or None,
        "SubAccountName": origin.project or None,
        "Tags": _tags(origin),
        "x_Agent": origin.agent or None,
        "x_CalledBy": origin.service or None,
        "x_CredentialId": origin.credential or None,
        "x_Environment": origin.environment or None,
        "x_Evidence": origin.source,
        "x_PrincipalId": origin.principal or None,
        "x_Team": origin.team or None,
        "x_Workflow": workflow,
    }


def _metered(group: Group, part: _Part) -> Row:
    """Return what a row says of a meter and its price."""
    unused = group.commitment_status == "unused"
    committed = bool(group.commitment_status)
    details = {name: getattr(group, key) for key, name in _DETAILS.items() if getattr(group, key)}
    return {
        **dict.fromkeys(_COSTS, part.cost),
        "ConsumedQuantity": None if unused else part.quantity,
        "ConsumedUnit": None if unused else part.unit,
        "ContractedUnitPrice": part.unit_price,
        "ListUnitPrice": part.unit_price,
        "PricingCategory": "Committed" if committed else "Standard",
        "PricingQuantity": part.pricing_quantity,
        "PricingUnit": part.pricing_unit,
        "SkuId": group.origin.model or UNREPORTED,
        "SkuMeter": part.meter,
        "SkuPriceDetails": json.dumps(details, sort_keys=True) if details else None,
        "SkuPriceId": _price_id(group, part),
    }


def _price_id(group: Group, part: _Part) -> str:
    if part.meter == _WHOLE:
        return f"{group.origin.model or UNREPORTED}#{group.basis}"
    return f"{group.price_id}#{part.meter}"


_WHOLE: Final = "all"
"""The meter of a row that holds all of a day's use."""


def _whole(group: Group) -> _Part:
    """Return all the day's use as one: of tokens if there were any, else of requests."""
    tokens = sum(n for meter, n in group.meters.items() if meter in _TOKENS - {"reasoning_tokens"})
    quantity, unit = (tokens, "Tokens") if tokens else (group.calls, "Requests")
    return _Part(_WHOLE, Decimal(quantity), unit, Decimal(1), "Days", group.cost_usd)


def _parts(group: Group, explained: Explained) -> list[_Part]:
    """Return each meter at its unit price; those without a price cost nothing."""
    prices = _unit_prices(explained(group.price_id)) if group.price_id else {}
    if not prices:
        return []
    amounts = dict(group.meters)
    reasoning = amounts.pop("reasoning_tokens", 0)
    if reasoning and "reasoning_tokens" in prices:
        amounts["output_tokens"] = amounts.get("output_tokens", 0) - reasoning
        amounts["reasoning_tokens"] = reasoning
    if "calls" in prices:
        amounts["calls"] = group.calls
    return [_part(meter, amount, prices.get(meter, _ZERO)) for meter, amount in amounts.items()]


def _part(meter: str, amount: int, price_usd: Decimal) -> _Part:
    """Return a meter at the price of one: tokens are priced by the million."""
    quantity = Decimal(amount)
    if meter in _TOKENS:
        millions = quantity.scaleb(-6, _EXACT)
        return _Part(
            meter,
            quantity,
            "Tokens",
            millions,
            "1000000 Tokens",
            _EXACT.multiply(price_usd, _MILLION),
        )
    unit = _UNITS.get(meter, "Units")
    return _Part(meter, quantity, unit, quantity, unit, price_usd)


def _unit_prices(price: Mapping[str, str]) -> dict[str, Decimal]:
    """Return meter -> price of one in US dollars, from what the price book says of a rate."""
    found = {
        key.removeprefix(_PER_MILLION): Decimal(text).scaleb(-6, _EXACT)
        for key, text in price.items()
        if key.startswith(_PER_MILLION)
    }
    if _PER_CALL in price:
        found["calls"] = Decimal(price[_PER_CALL])
    return found


def _description(group: Group) -> str:
    model = group.origin.model or "a model that is not told"
    if group.grain == "bill":
        sku = labels_of(group.origin.labels)
        return sku.get("usage_type") or sku.get("sku") or f"billed for {model}"
    return f"{model} used by {group.workflow}"


def _tags(origin: Origin) -> str | None:
    labels = labels_of(origin.labels)
    return json.dumps(labels, sort_keys=True, ensure_ascii=False) if labels else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
