"""Published prices that the price library lacks: a small dated file of factors on its own prices.

Never a guess: where a later price of the library does not confirm the factor, there is no price.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from clearbar.spend.prices.price_rate import FIRST_DAY, LAST_DAY, Rate, is_default_geo, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


@dataclass(frozen=True, slots=True)
class Gap:
    """One rule of price_gaps.toml: a context before the library knew it, or a place."""

    name: str
    provider: str
    factor: Decimal
    source: str
    context: str = ""
    until: date = LAST_DAY
    """The first day on which it no longer holds."""
    geo: str = ""
    models: frozenset[str] = frozenset()
    """Ids of the price book; for rules of place only."""


def gaps_text() -> str:
    """Return the shipped file."""
    return files("clearbar.spend").joinpath("price_gaps.toml").read_text(encoding="utf-8")


def shipped_gaps() -> tuple[Gap, ...]:
    """Return the shipped rules in their order."""
    return gaps_of(gaps_text())


@cache
def gaps_of(text: str) -> tuple[Gap, ...]:
    """Return the rules of a file in their order."""
    return tuple(
        Gap(
            name=rule["name"],
            provider=rule["provider"],
            factor=Decimal(rule["factor"]),
            source=rule["source"],
            context=rule.get("context", ""),
            until=rule.get("until", LAST_DAY),
            geo=rule.get("geo", ""),
            models=frozenset(rule.get("models", ())),
        )
        for rule in tomllib.loads(text).get("gap", ())
    )


def in_context(
    price_model: str, rates: Sequence[Rate], context: str, gaps: Sequence[Gap] | None = None
) -> list[Rate]:
    """Return the rates of a context, with those from before the library knew it."""
    known = [rate for rate in rates if rate.context == context]
    provider = price_model.partition("/")[0]
    rules = shipped_gaps() if gaps is None else gaps
    gap = next((g for g in rules if (g.provider, g.context) == (provider, context)), None)
    if not context or gap is None or not known:
        return known
    standard = [rate for rate in rates if not rate.context]
    return [*_before(gap, standard, known), *known]


def in_place(
    price_model: str, rates: Sequence[Rate], geo: str, gaps: Sequence[Gap] | None = None
) -> list[Rate]:
    """Return the rates of a place of inference.

    Where a provider is known to charge by place, an unknown place has no rate. Elsewhere a named
    place leaves the list price, as an estimate: regional uplifts are not in the price book.
    """
    if is_default_geo(geo):
        return list(rates)
    provider, _, model = price_model.partition("/")
    known = shipped_gaps() if gaps is None else gaps
    rules = [gap for gap in known if gap.geo and gap.provider == provider]
    if not rules:
        return [replace(rate, estimated=True) for rate in rates]
    place = geo.strip().lower()
    rule = next((gap for gap in rules if gap.geo == place and model in gap.models), None)
    return [_uplifted(rate, rule) for rate in rates] if rule else []


def _before(gap: Gap, standard: Sequence[Rate], known: Sequence[Rate]) -> list[Rate]:
    first = min(rate.start for rate in known)
    factors = _confirmed_factors(gap.factor, first, standard, known)
    parts = (rate.between(FIRST_DAY, min(first, gap.until)) for rate in standard)
    return [_factored(part, gap, factors) for part in parts if part]


def _confirmed_factors(
    factor: Decimal, first: date, standard: Sequence[Rate], known: Sequence[Rate]
) -> dict[str, Decimal]:
    """Return meter -> factor or 1, for meters of which the first known prices say exactly that."""
    seen: defaultdict[str, set[Decimal | None]] = defaultdict(set)
    for later in (rate for rate in known if rate.start == first):
        for rate in standard:
            if _overlap(rate, later, first):
                for meter, price in later.prices.items():
                    seen[meter].add(_relation(rate.prices.get(meter), price, factor))
    single = {meter: next(iter(found)) for meter, found in seen.items() if len(found) == 1}
    return {meter: found for meter, found in single.items() if found is not None}


def _overlap(rate: Rate, other: Rate, day: date) -> bool:
    sizes = max(rate.over, other.over) < min(rate.up_to, other.up_to)
    hours = max(rate.from_second, other.from_second) < min(rate.to_second, other.to_second)
    return rate.start <= day < rate.end and sizes and hours


def _relation(price: Decimal | None, later: Decimal, factor: Decimal) -> Decimal | None:
    if price is not None and later == scaled(price, factor):
        return factor
    return Decimal(1) if later == price else None


def _factored(rate: Rate, gap: Gap, factors: Mapping[str, Decimal]) -> Rate:
    prices = {
        meter: scaled(price, factors[meter])
        for meter, price in rate.prices.items()
        if meter in factors
    }
    name = f"{rate.price_id}+{gap.name}"
    return replace(rate, price_id=name, context=gap.context, prices=prices)


def _uplifted(rate: Rate, gap: Gap) -> Rate:
    prices = {
        meter: scaled(price, gap.factor) if meter.endswith("_tokens") else price
        for meter, price in rate.prices.items()
    }
    return replace(rate, price_id=f"{rate.price_id}+{gap.name}", prices=prices)
