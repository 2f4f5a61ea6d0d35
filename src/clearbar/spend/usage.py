"""Sums over charges: what a row of any report holds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Context, Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over some charges. Evidence classes are counted beside each other, never mixed."""

    calls: int = 0
    input_tokens: int = 0
    """Fresh input of every kind: neither read from a cache nor written to one."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """Of every lifetime."""
    output_tokens: int = 0
    """Of every kind, reasoning included."""
    cost_usd: Decimal = Decimal(0)
    """Of the charges whose cost is known; `calls_unpriced` says how many are not."""
    calls_billed: int = 0
    calls_priced: int = 0
    calls_estimated: int = 0
    calls_unpriced: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        cached = self.cache_read_tokens + self.cache_write_tokens
        return self.input_tokens + cached + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        sums = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return Usage(**sums, cost_usd=_EXACT.add(self.cost_usd, other.cost_usd))

    def __neg__(self) -> Usage:
        counts = {name: -getattr(self, name) for name in _COUNTS}
        return Usage(**counts, cost_usd=self.cost_usd.copy_negate())


USAGE_FIELDS: Final = tuple(field.name for field in fields(Usage))
"""The order in which every query returns its sums."""
_COUNTS: Final = tuple(name for name in USAGE_FIELDS if name != "cost_usd")
_EXACT: Final = Context(prec=60)
"""Enough that no sum of costs is ever rounded: they have 24 places."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A named line of a spend report."""

    key: str
    usage: Usage
