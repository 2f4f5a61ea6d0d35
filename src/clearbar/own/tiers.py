"""The tier of a model: your own rules first, then the shipped table; unknown stays unknown."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - part of the type
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clearbar.core.glob import glob_pattern
from clearbar.own.workflow import TierRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.tools.tool import Tier

_SIGNS: Final = re.compile(r"[/:.~]")


@dataclass(frozen=True, slots=True)
class TierTable:
    """Which models count as frontier and which as small."""

    as_of: date
    """The day of the price lists that it was made from."""
    frontier_usd_per_million: int
    """List price of a million output tokens from which a model counts as frontier."""
    rules: tuple[TierRule, ...]
    """The first that matches wins."""


def tier_of(model: str, rules: Sequence[TierRule], table: TierTable) -> Tier:
    """Return the tier of a model by the first matching rule: of `rules`, then of the table.

    Before a model's own name may stand a router, a cloud and a region, and behind it a version or
    a service: `us.anthropic.claude-opus-4-6-v1:0`. So a glob is held against the whole name,
    against what follows a `/`, `:`, `.` or `~` in it, and against each of these up to a `:`.
    """
    parts = _parts(model.strip().lower())
    for rule in (*rules, *table.rules):
        pattern = glob_pattern(rule.model)
        if any(pattern.match(part) for part in parts):
            return rule.tier
    return "unknown"


def _parts(name: str) -> list[str]:
    starts = [0, *(sign.end() for sign in _SIGNS.finditer(name))]
    tails = [name[start:] for start in starts]
    return [part for tail in tails for part in {tail, tail.partition(":")[0]} if part]


@cache
def shipped_tiers() -> TierTable:
    """Return the table that comes with Clearbar."""
    text = files("clearbar.own").joinpath("tiers.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return TierTable(
        as_of=values["as_of"],
        frontier_usd_per_million=values["frontier_usd_per_million"],
        rules=tuple(
            TierRule(model, entry["tier"]) for entry in values["models"] for model in entry["names"]
        ),
    )
