"""What routing saves, measured: requests in the hold-out against those that were routed. Pure.

Both arms are of the same traffic in the same time, and chance alone says which request is in which.
So the difference of their cost per request is what the route saves, whatever else has changed.

Chance falls on a conversation, not on a request: a task, a run, a user. So conversations are the
units; cost per request is a ratio of two sums over them, its variance that of the residuals
(Cochran 1977, 6.4), and the interval of the difference is Welch's (1947).

Measured in simulation, nominal 0.95, a twentieth held out (tests/route/watching/test_saving.py):
0.93 with 40 held-out conversations and 0.94 with 200, where costs are lognormal with a sigma of a
half; where it is 1.2, 0.90 with 200 and 0.85 with 40. Rare dear conversations need a larger one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from clearbar.own.card import Estimate
from clearbar.own.quantiles import student_t_quantile

MIN_UNITS: Final = 20
"""Of each arm; of fewer conversations there is a value without bounds."""
_NANO: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class ArmSums:
    """The conversations of one arm: sums of their costs c, their requests r, and products."""

    units: int = 0
    requests: float = 0.0
    """Or whatever the cost is divided by: scores of good outcomes."""
    cost_usd: float = 0.0
    cost_squares: float = 0.0
    cost_requests: float = 0.0
    """Sum of c r."""
    request_squares: float = 0.0
    unpriced: int = 0
    """Conversations left out, because the cost of a call is not known."""

    @property
    def each_usd(self) -> float | None:
        """The cost per request; None without one."""
        return self.cost_usd / self.requests if self.requests > 0 else None

    @property
    def variance(self) -> float:
        """Of `each_usd`; there are two conversations at least, and a request."""
        each = self.cost_usd / self.requests
        residuals = (
            self.cost_squares - 2 * each * self.cost_requests + each**2 * self.request_squares
        )
        scatter = max(residuals, 0.0) * self.units / (self.units - 1)
        return scatter / self.requests**2


@dataclass(frozen=True, slots=True)
class Saving:
    """What one workflow saves by its route."""

    workflow: str
    holdout: ArmSums
    routed: ArmSums
    each_usd: Estimate
    """Saved per request; its `n` counts conversations of both arms."""
    per_good_usd: Estimate | None = None
    """Saved per good outcome, where tasks of both arms were scored."""

    @property
    def share(self) -> float | None:
        """The share of the cost per request that is saved; None where the old tool was free."""
        before = self.holdout.each_usd
        return self.each_usd.value / before if before else None

    @property
    def saved_usd(self) -> Decimal:
        """What the routed requests would have cost more on the old tool."""
        return Decimal(self.each_usd.value * self.routed.requests).quantize(_NANO)


def difference(holdout: ArmSums, routed: ArmSums, level: float) -> Estimate | None:
    """Return cost per request in the hold-out - cost per request when routed.

    None where an arm has no request; without bounds where one has too few conversations.
    """
    before, after = holdout.each_usd, routed.each_usd
    if before is None or after is None:
        return None
    value, units = before - after, holdout.units + routed.units
    if min(holdout.units, routed.units) < MIN_UNITS:
        return Estimate(value, None, None, level, units)
    one, other = holdout.variance, routed.variance
    both = one + other
    if not both:
        return Estimate(value, value, value, level, units)
    share = one / both  # squares of tiny variances would be zero, those of shares are not
    degrees = 1 / (share**2 / (holdout.units - 1) + (1 - share) ** 2 / (routed.units - 1))
    margin = student_t_quantile((1 + level) / 2, degrees) * math.sqrt(both)
    return Estimate(value, value - margin, value + margin, level, units)


def saving(
    workflow: str,
    arms: tuple[ArmSums, ArmSums],
    scored: tuple[ArmSums, ArmSums] | None,
    level: float,
) -> Saving | None:
    """Return what a workflow saves; None where an arm has no request.

    `arms`: hold-out, routed. `scored`: the same over scored tasks, with scores for requests.
    """
    each = difference(*arms, level)
    if each is None:
        return None
    per_good = None if scored is None else difference(*scored, level)
    return Saving(workflow, *arms, each, per_good)
