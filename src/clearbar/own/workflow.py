"""The nouns of ownership: a workflow is a bet with an owner, a metric, a bar and a way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal  # noqa: TC003 - part of the declared type
from typing import Final, Literal

from clearbar.tools.tool import DataClass, Tier  # noqa: TC001 - part of the declared type

Stakes = Literal["high", "normal", "low"]

UNATTRIBUTED: Final = "(unattributed)"
"""The one line of what no rule took."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What proves that a workflow works."""

    name: str
    unit: str
    """What one outcome is: ticket, letter, merged change."""
    source: str
    """Where the scores come from, in words or as a path (`from` in clearbar.toml)."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The level to clear: absolute (`at_least`), or relative (`within` of the tool `of`)."""

    at_least: float | None = None
    within: float | None = None
    of: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class MatchRule:
    """All conditions must hold: field (a dimension, or `label.KEY`) -> globs, any of which may."""

    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    line: int | None = None
    """Line in clearbar.toml."""

    def __str__(self) -> str:
        return " and ".join(f"{key} = {' | '.join(globs)}" for key, globs in self.conditions)


@dataclass(frozen=True, slots=True)
class TierRule:
    """A user's own tier for the models that match a glob."""

    model: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class Workflow:
    """A named process that uses AI. None means: not declared, which is a gap."""

    name: str
    owner: str | None = None
    purpose: str | None = None
    metric: Metric | None = None
    bar: Bar | None = None
    stakes: Stakes = "normal"
    budget_usd_month: Decimal | None = None
    worth_usd: Decimal | None = None
    """Worth of one good outcome, where the outcome itself does not say."""
    data_class: DataClass = "internal"
    next_step: str | None = None
    kill_rules: tuple[str, ...] = ()
    review_days: int | None = None
    """How long a defence holds; None takes the policy's."""
    match_rules: tuple[MatchRule, ...] = field(default=())
    """Empty: charges whose caller named this workflow."""
    line: int | None = None
    """Line in clearbar.toml."""
