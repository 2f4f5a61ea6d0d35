"""A user's own dated prices, put before those of the price book."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clearbar.spend.prices.price_rate import AUDIO, FIRST_DAY, LAST_DAY, Rate, scaled, tier_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clearbar.spend.charge import Origin
    from clearbar.spend.prices.price_override import PriceOverride

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
    agreements: str = "",
) -> tuple[Numbered, ...]:
    """Return the overrides that name such charges on some day, in their order.

    `agreements` are the numbers of those that hold for the charge's origin alone.
    """
    book_provider, _, book_model = (price_model or "").partition("/")
    own = agreements.split()
    return tuple(
        (number, override)
        for number, override in enumerate(overrides, 1)
        if _matches(override.provider, provider, book_provider)
        and _matches(override.model, model, price_model or "", book_model)
        and (override.service_tier is None or tier_of(override.service_tier) == service_tier)
        and (not override.only or str(number) in own)
    )


def agreements_of(overrides: Sequence[PriceOverride], origin: Origin) -> str:
    """Return the numbers of the overrides that name more than a provider and model, and hold."""
    return " ".join(
        str(number)
        for number, override in enumerate(overrides, 1)
        if override.only and names(override.only, origin)
    )


def names(only: Sequence[tuple[str, str]], origin: Origin) -> bool:
    """Return whether an origin has dimensions that all these globs match; none matches nothing."""
    return all(
        (value := getattr(origin, dimension)) and fnmatchcase(value.lower(), glob.lower())
        for dimension, glob in only
    )


def name_of(number: int, override: PriceOverride) -> str:
    """Return how the price of a charge calls an override."""
    return override.name or f"override:{number}"


def with_overrides(
    rates: Sequence[Rate], overrides: Sequence[Numbered], listed: Sequence[Rate] | None = None
) -> list[Rate]:
    """Return the rates in force: on each day, the last override that holds comes first.

    `listed` are the rates by which what is covered has its list value; None takes the same.
    """
    if not overrides:
        return list(rates)
    listed = rates if listed is None else listed
    edges = {FIRST_DAY, LAST_DAY}
    edges.update(day for rate in (*rates, *listed) for day in (rate.start, rate.end))
    edges.update(day for _, rule in overrides for day in (rule.start, rule.end) if day)
    days = sorted(edges)
    return [
        rate
        for start, end in pairwise(days)
        for rate in _span(rates, overrides, listed, start, end)
    ]


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
    name, covers = name_of(number, override), override.covers
    if base is None:
        return Rate(price_id=name, context="", prices=prices, covered=covers)
    estimated = base.estimated and not override.usd_per_million
    name = f"{base.price_id}+{name}"
    return replace(base, price_id=name, prices=prices, estimated=estimated, covered=covers)


def _span(
    rates: Sequence[Rate],
    overrides: Sequence[Numbered],
    listed: Sequence[Rate],
    start: date,
    end: date,
) -> list[Rate]:
    """Return the rates of a span in which neither the book nor the overrides change."""
    winner = next((item for item in reversed(overrides) if _holds(item[1], start)), None)
    covers = winner is not None and winner[1].covers
    parts = [part for rate in (listed if covers else rates) if (part := rate.between(start, end))]
    if winner is None:
        return parts
    stated = covers or winner[1].usd_per_million or winner[1].usd_per_call is not None
    if not parts and stated:
        return [replace(contract_rate(winner, None), start=start, end=end)]
    return [contract_rate(winner, part) for part in parts]


def _holds(override: PriceOverride, day: date) -> bool:
    return (override.start or FIRST_DAY) <= day < (override.end or LAST_DAY)


def _matches(glob: str, *names: str) -> bool:
    return any(fnmatchcase(name.lower(), glob.lower()) for name in names if name) or glob == "*"
