"""Charges far outside the costs that are usual for their workflow and model: flagged, kept. Pure.

Costs are compared as logarithms, eight steps to a doubling. A charge is far out when it lies more
than three times the distance of the quartiles above the upper one (Tukey, Exploratory Data
Analysis, 1977: his outer fence). The distance counts as one doubling at least: a workflow whose
calls all cost the same does not flag a call that costs a little more. With fewer than a hundred
charges nothing is usual yet.

Of costs that follow a lognormal law, whatever its spread, at most one charge in a hundred thousand
is flagged by chance, and one in a million where there are a thousand charges:
`tests/spend/test_anomalies.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clearbar.core.money import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from clearbar.spend.charge import Origin

STEPS: Final = 8
"""To a doubling."""
LEAST_CHARGES: Final = 100
_FENCE: Final = 3
_LEAST_DISTANCE: Final = STEPS

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anomalies": "Charges far outside what is usual, the greatest effect first.",
        "anomalies[].charge_id": "By which `clearbar spend trace` follows it.",
        "anomalies[].day": "The UTC day on which it began.",
        "anomalies[].workflow": "The workflow whose costs it was compared with.",
        "anomalies[].model": "The model whose costs it was compared with.",
        "anomalies[].source": "The format that it was read from.",
        "anomalies[].basis": "How far its cost can be trusted.",
        "anomalies[].cost_usd": "Its cost, as text; it counts in every sum.",
        "anomalies[].usual_usd": "The median cost of such charges, as text.",
        "anomalies[].effect_usd": "What it costs beyond the median, as text.",
        "effect_usd": "The sum of the effects, as text.",
        "compared": "Groups of workflow and model with charges enough to compare.",
        "too_few": "Groups with fewer than 100 charges, in which nothing is flagged.",
    }
)
"""Every field of `anomalies_json`."""


class Usual(NamedTuple):
    """What is usual in a group of charges, as steps of the logarithm of dollars."""

    median: int
    fence: int
    """A charge of a higher step is far out."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A charge far outside what is usual for its workflow and model."""

    charge_id: str
    day: date
    workflow: str
    origin: Origin
    basis: str
    cost_usd: Decimal
    usual_usd: Decimal

    @property
    def effect_usd(self) -> Decimal:
        """What it costs beyond the median of its kind."""
        return self.cost_usd - self.usual_usd

    def json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "charge_id": self.charge_id,
            "day": str(self.day),
            "workflow": self.workflow,
            "model": self.origin.model,
            "source": self.origin.source,
            "basis": self.basis,
            "cost_usd": plain(self.cost_usd),
            "usual_usd": plain(self.usual_usd),
            "effect_usd": plain(self.effect_usd),
        }


@dataclass(frozen=True, slots=True)
class Anomalies:
    """What was found, and how much there was to compare."""

    found: tuple[Anomaly, ...]
    """The greatest effect first."""
    compared: int
    too_few: int

    @property
    def effect_usd(self) -> Decimal:
        """The sum of the effects."""
        return sum((each.effect_usd for each in self.found), Decimal(0))


def usual(steps: Mapping[int, int]) -> Usual | None:
    """Return what is usual among charges, given step -> how many; None where they are too few."""
    count = sum(steps.values())
    if count < LEAST_CHARGES:
        return None
    lower, median, upper = (_at(steps, share * (count - 1) / 4) for share in (1, 2, 3))
    return Usual(median, upper + _FENCE * max(upper - lower, _LEAST_DISTANCE))


def dollars(step: int) -> Decimal:
    """Return the cost in the middle of a step, to four digits."""
    return Decimal(f"{2 ** ((step + 0.5) / STEPS):.4g}")


def step_of(cost_usd: Decimal) -> int:
    """Return the step of a cost above zero."""
    return math.floor(math.log2(cost_usd) * STEPS)


def anomalies_json(anomalies: Anomalies) -> dict[str, Any]:
    """Return JSON values."""
    return {
        "anomalies": [each.json() for each in anomalies.found],
        "effect_usd": plain(anomalies.effect_usd),
        "compared": anomalies.compared,
        "too_few": anomalies.too_few,
    }


def greatest_first(found: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """Return anomalies in the order in which people should look at them."""
    return tuple(sorted(found, key=lambda each: (-each.effect_usd, each.charge_id)))


def _at(steps: Mapping[int, int], place: float) -> int:
    """Return the step of the charge at a place, from 0, in the order of costs."""
    seen = 0
    for step in sorted(steps):
        seen += steps[step]
        if seen > place:
            return step
    return max(steps)
