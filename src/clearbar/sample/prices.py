"""List prices as constants, so that the truth of the sample rests on no price book.

The prices are the vendors' published standard list prices as of 2026-11-01. All of them were
constant over the ninety days of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

NONE: Final = Decimal("NaN")
"""No such price. A use of it would spoil every sum at once."""

CacheLifetime = Literal["5m", "1h", "unknown"]


class Model(NamedTuple):
    """A model, and the party that bills for it."""

    provider: str
    name: str


class Tokens(NamedTuple):
    """The tokens of one call, in disjoint meters."""

    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        """All input: the number that selects the size tier."""
        return self.fresh + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens."""

    fresh: Decimal
    output: Decimal
    cache_read: Decimal = NONE
    cache_write: Decimal = NONE
    """For five minutes, or for a lifetime that is not stated."""
    cache_write_1h: Decimal = NONE


def _rates(fresh: str, output: str, *cache: str) -> Rates:
    return Rates(Decimal(fresh), Decimal(output), *map(Decimal, cache))


OPUS: Final = Model("anthropic", "claude-opus-4-6")
SONNET: Final = Model("anthropic", "claude-sonnet-4-5-20250929")
HAIKU: Final = Model("anthropic", "claude-haiku-4-5-20251001")
GPT_5: Final = Model("openai", "gpt-5-2025-08-07")
GPT_5_1: Final = Model("openai", "gpt-5.1-2025-11-13")
GPT_5_MINI: Final = Model("openai", "gpt-5-mini-2025-08-07")
GPT_4O_MINI: Final = Model("openai", "gpt-4o-mini-2024-07-18")
EMBEDDING: Final = Model("openai", "text-embedding-3-small")
GEMINI_PRO: Final = Model("google", "gemini-2.5-pro")
MISTRAL_LARGE: Final = Model("mistral", "mistral-large-2411")
QWEN: Final = Model("ollama", "qwen3:14b")
RERANKER: Final = Model("ollama", "acme-reranker-v2")

LIST_PRICES: Final = {
    OPUS: _rates("5", "25", "0.50", "6.25", "10"),
    SONNET: _rates("3", "15", "0.30", "3.75", "6"),
    HAIKU: _rates("1", "5", "0.10", "1.25", "2"),
    GPT_5: _rates("1.25", "10", "0.125"),
    GPT_5_1: _rates("1.25", "10", "0.125"),
    GPT_5_MINI: _rates("0.25", "2", "0.025"),
    GPT_4O_MINI: _rates("0.15", "0.60", "0.075"),
    EMBEDDING: _rates("0.02", "0"),
    GEMINI_PRO: _rates("1.25", "10", "0.125"),
    MISTRAL_LARGE: _rates("2", "6"),
}

LONG_CONTEXT_PRICES: Final = {
    SONNET: _rates("6", "22.50", "0.60", "7.50", "12"),
    GEMINI_PRO: _rates("2.50", "15", "0.25"),
}
"""For the whole request, when its input is longer than `LONG_CONTEXT_TOKENS`."""

LONG_CONTEXT_TOKENS: Final = 200_000

OWN_PRICES: Final = {QWEN: _rates("0.05", "0.20")}
"""What clearbar.toml declares for its in-house model."""

CONTRACT_SHARE: Final = {MISTRAL_LARGE: Decimal("0.90")}
"""What the vendor's bill charges, as a share of the list price, in whole micro-dollars."""

_MICRO_DOLLAR: Final = Decimal("0.000001")


def cost_usd(model: Model, tokens: Tokens, lifetime: CacheLifetime = "unknown") -> Decimal | None:
    """Return the exact cost of a call; None for a model that nobody has priced."""
    rates = LIST_PRICES.get(model) or OWN_PRICES.get(model)
    if rates is None:
        return None
    if tokens.input > LONG_CONTEXT_TOKENS:
        rates = LONG_CONTEXT_PRICES.get(model, rates)
    write = rates.cache_write_1h if lifetime == "1h" else rates.cache_write
    prices = (rates.fresh, rates.cache_read, write, rates.output)
    used = ((n, price) for n, price in zip(tokens, prices, strict=True) if n)
    cost = sum((n * price for n, price in used), Decimal(0)).scaleb(-6)
    share = CONTRACT_SHARE.get(model)
    return cost if share is None else (cost * share).quantize(_MICRO_DOLLAR)
