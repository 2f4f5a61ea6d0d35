"""A user's own dated prices, put before those of the price book."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clearbar.spend.price_rate import AUDIO, FIRST_DAY, LAST_DAY, Rate, scaled, tier_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clearbar.spend.price_override import PriceOverride

Numbered = tuple[int, "PriceOverride"]
"""An override with its place in clearbar.toml, from 1."""

_PER_MILLION: Final = Decimal("0.000001")
_HOUR_PER_MILLION_SECONDS: Final = Decimal("0.0036")


def overrides_for(
    overrides: Sequence[PriceOverride],
    provider: str,
    model: str,
    price_model: str | None,
    service_tier: str,
) -> tuple[Numbered, ...]:
    """Return the overrides that name such charges on some day, in their order."""
    book_provider, _, book_model = (price_model or "").partition("/")
    return tuple(
        (number, override)
        for number, override in enumerate(overrides, 1)
        if _matches(override.provider, provider, book_provider)
        and _matches(override.model, model, price_model or "", book_model)
        and (override.service_tier is None or tier_of(override.service_tier) == service_tier)
    )


def with_overrides(rates: Sequence[Rate], overrides: Sequence[Numbered]) -> list[Rate]:
    """Return the rates in force: on each day, the last override that holds comes first."""
    if not overrides:
        return list(rates)
    edges = {FIRST_DAY, LAST_DAY}
    edges.update(day for rate in rates for day in (rate.start, rate.end))
    edges.update(day for _, rule in overrides for day in (rule.start, rule.end) if day)
    days = sorted(edges)
    return [rate for start, end in pairwise(days) for rate in _span(rates, overrides, start, end)]


def contract_rate(numbered: Numbered, base: Rate | None) -> Rate:
    """Return a rate with an override's prices; what it does not name stays as in `base`."""
    number, override = numbered
    prices = dict(base.prices) if base else {}
    if override.discount is not None:
        share = 1 - override.discount
        prices = {meter: scaled(price, share) for meter, price in prices.items()}
    if "output_tokens" in override.usd_per_million:
        prices.pop("reasoning_tokens", None)
    for meter, per_million in override.usd_per_million.items():
        unit = _HOUR_PER_MILLION_SECONDS if meter == AUDIO else _PER_MILLION
        prices[meter] = scaled(per_million, unit)
    if override.usd_per_call is not None:
        prices["calls"] = override.usd_per_call
    name = f"override:{number}"
    if base is None:
        return Rate(price_id=name, context="", prices=prices)
    estimated = base.estimated and not override.usd_per_million
    return replace(base, price_id=f"{base.price_id}+{name}", prices=prices, estimated=estimated)


def _span(
    rates: Sequence[Rate], overrides: Sequence[Numbered], start: date, end: date
) -> list[Rate]:
    """Return the rates of a span in which neither the book nor the overrides change."""
    parts = [part for rate in rates if (part := rate.between(start, end))]
    winner = next((item for item in reversed(overrides) if _holds(item[1], start)), None)
    if winner is None:
        return parts
    if not parts and (winner[1].usd_per_million or winner[1].usd_per_call is not None):
        return [replace(contract_rate(winner, None), start=start, end=end)]
    return [contract_rate(winner, part) for part in parts]


def _holds(override: PriceOverride, day: date) -> bool:
    return (override.start or FIRST_DAY) <= day < (override.end or LAST_DAY)


def _matches(glob: str, *names: str) -> bool:
    return any(fnmatchcase(name.lower(), glob.lower()) for name in names if name) or glob == "*"
