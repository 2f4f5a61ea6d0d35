"""What was agreed beside prices: currencies, plans, capacity, machines, credits.

Nouns only; each is a table of clearbar.toml. What they cost by the day: `planned_lines.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - part of the declared type
from decimal import Decimal
from typing import Literal

Only = tuple[tuple[str, str], ...]
"""(Dimension of an origin, glob) pairs that all have to hold."""
Split = Literal["none", "list_value"]


@dataclass(frozen=True, slots=True)
class CurrencyRate:
    """What one unit of a currency is worth, from a day on until a later rate of it."""

    code: str
    """ISO 4217, upper case."""
    usd: Decimal
    start: date
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covering:
    """Which charges something that was paid in advance covers: those that cost nothing extra."""

    name: str
    provider: str = "*"
    model: str = "*"
    only: Only = ()
    service_tier: str | None = None
    """Only charges served at this tier; None is for all."""
    start: date | None = None
    end: date | None = None
    """The first day on which it no longer holds."""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Covering):
    """A subscription or seats at a flat price."""

    usd_per_month: Decimal | None = None
    """Of one seat; None where the fee stands in a bill that is read."""
    seats: int = 1
    billed_as: tuple[str, ...] | None = field(default=None, repr=False)
    """Globs over what a bill calls its line; empty: no bill has it; None: not declared. No part of
    what prices are made of, so it makes no other edition."""
    split: Split = "none"
    """Whether its fee goes to those who used it, by the list value of what they used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment(Covering):
    """Provisioned throughput: capacity that is paid by the hour, used or not."""

    usd_per_hour: Decimal | None = None
    """Of one unit; None where it stands in a bill that is read."""
    units: int = 1
    tokens_per_hour: int | None = None
    """What one unit can serve, input and output; None measures use by list value."""
    split: Split = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfHosted:
    """A model on machines of one's own. All rates are measured by the user, none is a default."""

    name: str
    model: str
    provider: str = "*"
    only: Only = ()
    usd_per_gpu_hour: Decimal
    gpus: int
    """That serve together at the rates below."""
    input_tokens_per_second: Decimal
    """While it reads input (prefill), on all GPUs together."""
    output_tokens_per_second: Decimal
    """While it writes output (decode)."""
    cached_tokens_per_second: Decimal | None = None
    """Input found in the cache; None takes as long as fresh input."""
    utilisation: Decimal
    """Share of the paid time in which it works, in (0, 1]."""
    overhead: Decimal = Decimal(0)
    """Operations and idle machines around it, as a share on top."""
    hours_per_day: Decimal | None = None
    """For which the machines are paid; None leaves out the line of the rest."""
    start: date | None = None
    end: date | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Money off, granted once, taken by the charges of some provider until it is used up."""

    name: str
    usd: Decimal
    start: date
    end: date | None = None
    provider: str = "*"
    model: str = "*"
    only: Only = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Agreements:
    """All of them, in the order of clearbar.toml."""

    currencies: tuple[CurrencyRate, ...] = ()
    plans: tuple[Plan, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    self_hosted: tuple[SelfHosted, ...] = ()
    credits: tuple[Credit, ...] = ()


NO_AGREEMENTS = Agreements()
