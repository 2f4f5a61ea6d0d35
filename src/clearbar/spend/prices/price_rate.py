"""The noun of pricing: a rate is what a model costs in one context, interval, hour and size."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.spend.charge import METERS

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICED: Final = (*METERS, "reasoning_tokens", "calls")
"""What can have a price: every meter, reasoning where it differs from output, and a call."""
AUDIO: Final = "audio_seconds"
"""The one meter whose price is kept per hour: a 3600th of it is no finite decimal."""

FIRST_DAY: Final = date(1, 1, 1)
LAST_DAY: Final = date(9999, 12, 31)
DAY_SECONDS: Final = 86_400
WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
ALL_WEEKDAYS: Final = (1 << len(WEEKDAYS)) - 1
NO_SIZE: Final = -1
MAX_SIZE: Final = 10**18

PLACES: Final = Decimal("1e-24")
"""Unit prices are rounded once, to this step, where a discount leaves more digits."""


class Kind(NamedTuple):
    """What decides which rates a charge can have; its texts are never null."""

    provider: str
    model: str
    """Both as reported."""
    price_model: str | None
    """The model as the price book names it; None where it does not know it."""
    service_tier: str
    speed: str
    geo: str
    agreements: str = ""
    """Numbers of the rules that hold for its origin alone, as `PriceBook.agreements_of` says."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Prices in US dollars that hold for one model under stated conditions."""

    price_id: str
    context: str
    """`processing=batch`, `service_tier=flex`, `speed=fast`; empty for the standard price."""
    prices: Mapping[str, Decimal]
    """Key of `PRICED` -> US dollars per unit; `audio_seconds` per hour. Absent: no price."""
    start: date = FIRST_DAY
    end: date = LAST_DAY
    """The first UTC day on which it no longer holds."""
    from_second: int = 0
    to_second: int = DAY_SECONDS
    """Seconds of the UTC day between which it holds, the second excluded."""
    over: int = NO_SIZE
    """It holds where the total input is more than this many tokens, cached ones included."""
    up_to: int = MAX_SIZE
    weekdays: int = ALL_WEEKDAYS
    """The days of the week (UTC) on which it holds, a bit for each, the lowest for Monday."""
    least_seconds: int = 0
    """Audio shorter than this is billed as this long."""
    estimated: bool = False
    """Whether something that may change the price is known to be missing from it."""
    covered: bool = False
    """Whether the charge was paid in advance; the prices are then those of its list value."""

    @property
    def varies(self) -> bool:
        """Whether calls of one day can cost different amounts per unit."""
        whole_range = (self.over, self.up_to) == (NO_SIZE, MAX_SIZE)
        return not (self.all_day and whole_range) or self.least_seconds > 0

    @property
    def all_day(self) -> bool:
        """Whether it holds at every hour of its days."""
        return (self.from_second, self.to_second) == (0, DAY_SECONDS)

    @property
    def hours_text(self) -> str:
        """The hours of the UTC day in which it holds; empty for all."""
        if self.all_day:
            return ""
        ends = (self.from_second, self.to_second)
        return "-".join(f"{second // 3600:02d}:{second // 60 % 60:02d}" for second in ends)

    @property
    def weekdays_text(self) -> str:
        """The days of the week on which it holds, as `Mon-Fri` or `Mon, Sat-Sun`; empty for all."""
        if self.weekdays == ALL_WEEKDAYS:
            return ""
        bits = "".join(str(self.weekdays >> day & 1) for day in range(len(WEEKDAYS)))
        runs = [(found.start(), found.end() - 1) for found in re.finditer("1+", bits)]
        names = [name.capitalize()[:3] for name in WEEKDAYS]
        return ", ".join("-".join(dict.fromkeys((names[a], names[b]))) for a, b in runs)

    def on(self, day: date) -> bool:
        """Return whether it holds on a UTC day, at some hour of it."""
        return self.start <= day < self.end and bool(self.weekdays >> day.weekday() & 1)

    def between(self, start: date, end: date) -> Rate | None:
        """Return the part of it that holds in [start, end), or None."""
        first, last = max(self.start, start), min(self.end, end)
        return replace(self, start=first, end=last) if first < last else None


def context_of(service_tier: str, speed: str) -> str:
    """Return the context that the price book knows a tier and a speed by; empty is standard."""
    tier = tier_of(service_tier)
    parts = [f"processing={tier}" if tier == "batch" else f"service_tier={tier}"] if tier else []
    pace = speed.strip().lower()
    if pace not in _STANDARD:
        parts.append(f"speed={pace}")
    return "&".join(parts)


def tier_of(service_tier: str) -> str:
    """Return the tier by its one name; empty for all names of the standard tier."""
    tier = service_tier.strip().lower()
    return "" if tier in _STANDARD else _TIER_NAMES.get(tier, tier)


def is_default_geo(geo: str) -> bool:
    """Return whether this place of inference has the list price."""
    return geo.strip().lower() in _STANDARD


_STANDARD: Final = frozenset(
    {"", "standard", "default", "auto", "on_demand", "not_available", "global"}
)
_TIER_NAMES: Final = {"on_demand_priority": "priority", "on_demand_flex": "flex"}


@cache
def scaled(price: Decimal, factor: Decimal) -> Decimal:
    """Return price times factor, exact to `PLACES`."""
    with localcontext() as exact:
        exact.prec = 80
        product = price * factor
        if product.as_tuple().exponent >= PLACES.as_tuple().exponent:  # type: ignore[operator]
            return product
        return product.quantize(PLACES, rounding=ROUND_HALF_EVEN)
