"""The nouns of a dry run: what a trial would take, tool by tool, said before any money is spent.

Never here: rules, network, disk, clock, randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.money import plain
from clearbar.trial.certifying.certificate_words import bar_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from clearbar.own.workflow import Bar
    from clearbar.tools.tool import Tier

FORECAST_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "workflow": "Name of the workflow.",
        "bar": "The bar that its tools have to clear, in words.",
        "certify": "The error rate: at most the share of such trials that certify wrongly.",
        "cases": "Cases that a tool can be tried on: at most one of each cluster.",
        "budget_usd": "What the trial may spend, as text; null where no limit is set.",
        "ceiling_usd": "The most that it can cost, as text; null where that is not known.",
        "tools": "In the order of trying: cheapest first.",
        "tools[].tool": "Name of the tool.",
        "tools[].tier": "`frontier`, `small`, `none` (no model at all) or `unknown`.",
        "tools[].usd_per_case": "Expected price of a case, as text; null where not known.",
        "tools[].least_cases": "Straight passes that would do; null where no number of the cases "
        "can.",
        "tools[].likely_cases": "About how many cases it takes if the tool is as good as hoped.",
        "tools[].ceiling_usd": "What all cases would cost, as text; null where not known.",
        "tools[].note": "Why it will not be tried, or what else there is to know.",
        "warnings": "What is wrong with the cases or the tools, in words.",
    }
)
"""Every field of `forecast_json`."""


@dataclass(frozen=True, slots=True)
class ToolForecast:
    """What deciding on one tool would take."""

    tool: str
    tier: Tier
    usd_per_case: Decimal | None
    """Expected price of a case in use; None where it is not known."""
    least_cases: int | None
    """Straight passes that would certify it; None where it cannot be certified on these cases."""
    likely_cases: int | None
    """At the hoped mean; None where that does not clear."""
    ceiling_usd: Decimal | None
    """Of all cases; None where the price of one is not known."""
    note: str = ""
    """Why it will not be tried, or what else there is to know."""


@dataclass(frozen=True, slots=True)
class TrialForecast:
    """What a trial would take."""

    workflow: str
    bar: Bar
    metric: str
    certify: float
    cases: int
    tools: tuple[ToolForecast, ...]
    """In the order of trying."""
    ceiling_usd: Decimal | None
    """The most that the trial can cost: within its budget where it has one."""
    budget_usd: Decimal | None = None
    warnings: tuple[str, ...] = ()


def forecast_json(forecast: TrialForecast) -> dict[str, object]:
    """Return a forecast as JSON values; `FORECAST_DOCS` says what each field means."""
    return {
        "workflow": forecast.workflow,
        "bar": bar_text(forecast.bar, forecast.metric),
        "certify": forecast.certify,
        "cases": forecast.cases,
        "budget_usd": _money(forecast.budget_usd),
        "ceiling_usd": _money(forecast.ceiling_usd),
        "tools": [
            {
                "tool": each.tool,
                "tier": each.tier,
                "usd_per_case": _money(each.usd_per_case),
                "least_cases": each.least_cases,
                "likely_cases": each.likely_cases,
                "ceiling_usd": _money(each.ceiling_usd),
                "note": each.note,
            }
            for each in forecast.tools
        ],
        "warnings": list(forecast.warnings),
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
