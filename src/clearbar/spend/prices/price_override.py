"""A user's own dated price or discount: declared in clearbar.toml as `[[price]]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - part of the declared type
from decimal import Decimal  # noqa: TC003 - part of the declared type


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """Prices that stand before the price book; the last declared that matches wins."""

    provider: str
    """Glob over the provider; `*` for any."""
    model: str
    """Glob over the model as reported, or as the price book names it."""
    start: date | None = None
    end: date | None = None
    """First day on which it no longer holds."""
    service_tier: str | None = None
    """Only for charges served at this tier; None is for all."""
    usd_per_million: dict[str, Decimal] = field(default_factory=dict)
    """Meter -> US dollars per million units. A meter not named keeps the book's price."""
    usd_per_call: Decimal | None = None
    discount: Decimal | None = None
    """A share of the book's price, in [0, 1]: 0.22 makes every meter cost 78% of it."""
    source: str = ""
    """Where the price comes from: a contract, an invoice, a page. Shown by `spend trace`."""
    only: tuple[tuple[str, str], ...] = ()
    """(Dimension, glob) pairs: it holds for charges of an origin where all of them do."""
    name: str = ""
    """How a charge's `price_id` calls it: `plan:team`; empty is `override:NUMBER`."""
    covers: bool = False
    """Whether such charges were paid in advance: they cost nothing extra, and keep a list value."""
