"""A cascade's threshold, fixed by learn then test: ask the first, and the other where it doubts.

The thresholds are tried from the most cautious down, each by a sequential test of its own at the
whole share of the error rate, and the first that does not pass ends it (fixed-sequence testing:
Angelopoulos et al. 2021, "Learn then Test"). The first threshold under the bar is certified with
at most that probability, and those after it only if it was. So the thresholds must be fixed by
other cases than those of the trial; the scores of these are used again at every threshold.

Never here: network, disk, clock, randomness.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearbar.trial.race.race_plan import Graded, Parts

SHARES: Final = tuple(share / 100 for share in range(5, 101, 5))
"""Shares of the cases that the thresholds would accept: the first is the most cautious."""


def thresholds(confidences: Sequence[float], shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Return the thresholds, falling, that accept about these shares of `confidences`.

    Equal confidences share a threshold, so there may be fewer. None without a confidence.
    """
    falling = sorted(confidences, reverse=True)
    places = (min(math.ceil(share * len(falling)), len(falling)) - 1 for share in shares)
    return tuple(dict.fromkeys(falling[max(place, 0)] for place in places)) if falling else ()


def confidence(parts: Parts, answers: Mapping[str, Graded]) -> float | None:
    """Return how sure the first tool is of its answer to a case; None where it cannot tell.

    With `agree_with`, the share of these tools that gave the same answer as the first.
    """
    first = answers[parts.first]
    if first.failed:
        return None
    if not parts.agree_with:
        return first.confidence
    same = sum(
        bool(first.same_as) and not answers[tool].failed and answers[tool].same_as == first.same_as
        for tool in parts.agree_with
    )
    return same / len(parts.agree_with)


def accepts(sure: float | None, threshold: float) -> bool:
    """Say whether the first tool's answer stands."""
    return sure is not None and sure >= threshold


def price(first_usd: Decimal | None, then_usd: Decimal | None, accepted: float) -> Decimal | None:
    """Return the expected price of a case: the first, and the other for what is not accepted."""
    if first_usd is None or (then_usd is None and accepted < 1):
        return None
    return first_usd + Decimal(repr(1 - accepted)) * (then_usd or Decimal(0))
