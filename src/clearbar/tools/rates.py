"""What a call costs by the dated price book: the ledger's rule for one charge, call by call.

The ledger prices millions of charges by one join (`spend.pricing`); a trial has to know after every
answer what it has spent. A test holds the two equal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from clearbar.spend.prices.price_rate import Kind, Rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.prices.book import PriceBook
    from clearbar.tools.tool import TokenUsage

_INPUTS: Final = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
)


class Rates:
    """The rates of a price book, each looked up once."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._known: dict[tuple[str, ...], tuple[Rate, ...]] = {}

    def in_force(
        self, provider: str, model: str, service_tier: str = "", speed: str = "", geo: str = ""
    ) -> tuple[Rate, ...]:
        """Return the rates of such calls, which never overlap; none: not priced."""
        stated = (provider, model, service_tier, speed, geo)
        if stated not in self._known:
            price_model = self._book.resolve([(provider, model)])[provider, model]
            kind = Kind(provider, model, price_model, service_tier, speed, geo)
            _, rates = next(self._book.rates_in_force([kind]))
            self._known[stated] = tuple(rates)
        return self._known[stated]


def cost_by(rates: Sequence[Rate], usage: TokenUsage, at: datetime) -> Decimal | None:
    """Return the exact cost in USD of one call at a time; None where a used meter has no price."""
    tokens = {name: getattr(usage, name) or 0 for name in _INPUTS}
    rate = _rate_at(rates, at, sum(tokens.values()))
    output, reasoning = usage.output_tokens, usage.reasoning_tokens or 0
    if rate is None or usage.input_tokens is None or output is None or reasoning > output:
        return None
    tokens |= _outputs(rate, output, reasoning)
    used = {name: count for name, count in tokens.items() if count}
    if not used.keys() <= rate.prices.keys():
        return None
    with localcontext() as exact:
        exact.prec = 60
        fee = rate.prices.get("calls", Decimal(0))
        return sum((rate.prices[name] * count for name, count in used.items()), fee)


def _outputs(rate: Rate, output: int, reasoning: int) -> dict[str, int]:
    """Return the output by meters that have a price: reasoning only where it has one of its own."""
    if "reasoning_tokens" not in rate.prices:
        return {"output_tokens": output}
    return {"output_tokens": output - reasoning, "reasoning_tokens": reasoning}


def _rate_at(rates: Sequence[Rate], at: datetime, size: int) -> Rate | None:
    moment = at.astimezone(UTC)
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    for rate in rates:
        on_day = rate.on(moment.date())
        at_hour = rate.from_second <= second < rate.to_second
        if on_day and at_hour and rate.over < size <= rate.up_to:
            return rate
    return None
