"""What a test may cost, said before any money is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clearbar.trial.proof.calibrated import boundaries, walk
from clearbar.trial.proof.paired import PRIOR_DISAGREEMENT, bets_within
from clearbar.trial.proof.rate_bets import NEAREST, RateBets, rates_of
from clearbar.trial.proof.sequential import log_needed

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray

    from clearbar.own.workflow import Bar
    from clearbar.trial.trial import Error

    Floats = NDArray[np.float64]

OVER_THE_BOUND: Final = 1.2
"""Cases of the paired test over the information bound, in the middle of what was measured."""
_BISECTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Feasibility:
    """What deciding on one tool takes, if it is as good as hoped."""

    least_cases: int | None
    """The fewest that can certify: so many straight passes (paired: ties); None: not within
    `most_cases`."""
    least_cases_by_wealth: int | None
    """The same at wealth 1 / alpha, without calibration and with no limit; None: none suffice."""
    likely_cases: float | None
    """Expected number, at the hoped mean; None where the hoped mean does not clear."""
    likely_clears: float | None
    """Probability of clearing within `most_cases`; None where it is not worked out."""
    exact: bool
    """Whether the last two are exact for independent cases at the hoped mean."""
    most_cases: int
    ceiling_usd: Decimal | None
    """Price of all of them; None where the price of a case is not known."""


def feasibility(
    bar: Bar,
    alpha: float,
    error: Error,
    max_cases: int,
    *,
    binary: bool,
    hoped: float | None = None,
    disagreement: float | None = None,
    usd_per_case: Decimal | None = None,
) -> Feasibility:
    """Return what the test of one tool takes.

    `hoped`: the mean score (relative bar: the mean difference) that the owner hopes for; else
    halfway from the bar to 1 (relative: no difference). `disagreement`: how often the tool and
    the incumbent differ. `usd_per_case`: all that a case costs, calls and labels.

    Exact for binary scores and absolute bars. For other scores the figures are those of binary
    scores with the same mean, which scatter most, at the threshold of other scores: in
    expectation a tool takes no longer, mostly much less. For relative bars `likely_cases` is
    `OVER_THE_BOUND` times the information bound; in simulation the test took 1.0 to 1.5 times it.
    Raises `ValueError` for a bar, a mean or a rate out of range.
    """
    ceiling = None if usd_per_case is None else usd_per_case * max_cases
    if bar.at_least is not None:
        goal = (1 + bar.at_least) / 2 if hoped is None else hoped
        if not 0 <= goal <= 1:
            raise ValueError("a hoped mean must lie in [0, 1]")
        return _absolute(bar.at_least, goal, alpha, error, max_cases, ceiling, binary=binary)
    if bar.within is None:
        raise ValueError("the bar is neither absolute nor relative")
    rate = PRIOR_DISAGREEMENT if disagreement is None else disagreement
    return _paired(bar.within, hoped or 0.0, rate, alpha, error, max_cases, ceiling)


def _absolute(
    bar: float,
    hoped: float,
    alpha: float,
    error: Error,
    max_cases: int,
    ceiling: Decimal | None,
    *,
    binary: bool,
) -> Feasibility:
    above, below = rates_of(bar, error.slack)
    ends = boundaries(
        above, below, (alpha, error.drop), error.futility, max_cases, calibrated=binary
    )
    reached = np.flatnonzero(ends.clears_at <= np.arange(max_cases + 1))
    ended = walk(hoped, ends.clears_at, ends.stops_at)
    return Feasibility(
        int(reached[0]) if reached.size else None,
        straight_passes(above, alpha) if bar < 1 else None,
        ended.cases if hoped > bar else None,
        ended.clears,
        binary,
        max_cases,
        ceiling,
    )


def straight_passes(rates: RateBets, alpha: float) -> int:
    """Return how many passes without a failure make the wealth 1 / alpha."""
    needed = log_needed(alpha)
    short, enough = 0, 1
    while float(rates.log_wealth(enough, 0)) < needed:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        suffices = float(rates.log_wealth(middle, 0)) >= needed
        short, enough = (short, middle) if suffices else (middle, enough)
    return enough


def _paired(
    margin: float,
    hoped: float,
    disagreement: float,
    alpha: float,
    error: Error,
    max_cases: int,
    ceiling: Decimal | None,
) -> Feasibility:
    if not -1 <= hoped <= 1:
        raise ValueError("a hoped difference must lie in [-1, 1]")
    ties = _straight_ties(margin, error.slack, disagreement, alpha)
    growth = paired_growth(margin, hoped, max(disagreement, abs(hoped)))
    likely = None
    if growth > 0 and ties is not None:
        likely = min(max(OVER_THE_BOUND * log_needed(alpha) / growth, ties), float(max_cases))
    least = ties if ties is not None and ties <= max_cases else None
    return Feasibility(least, ties, likely, None, False, max_cases, ceiling)


def _straight_ties(margin: float, slack: float, disagreement: float, alpha: float) -> int | None:
    """Return how many cases without any difference clear; None at a margin of 0: none do."""
    if not margin:
        return None
    above, _ = bets_within(margin, slack, disagreement)
    cases, needed = 64, log_needed(alpha)
    while True:
        path = above.path(np.full(cases, 0.5), (1 + above.bar) / 2)
        if path[-1] >= needed:
            return int(np.argmax(path >= needed)) + 1
        cases *= 2


def paired_growth(margin: float, difference: float, disagreement: float) -> float:
    """Return how fast the best bet on differences of -1, 0 and 1 can grow, in nats per case.

    That is KLinf: log(1 / alpha) over it bounds the expected cases of every valid test from below
    (to first order). 0 where the difference is not above -margin.
    """
    if difference <= -margin:
        return 0.0
    better, worse = (disagreement + difference) / 2, (disagreement - difference) / 2
    chances = np.array([worse, 1 - disagreement, better])
    edges = np.array([margin - 1, margin, margin + 1])
    low, high = 0.0, (1 - NEAREST) / (1 - min(margin, 1 - NEAREST))
    for _ in range(_BISECTIONS):
        stake = (low + high) / 2
        low, high = (stake, high) if chances @ (edges / (1 + stake * edges)) > 0 else (low, stake)
    return float(chances @ np.log1p(low * edges))


def rate_growth(bar: float, rate: float) -> float:
    """Return the same for passes at this rate against an absolute bar: KL(rate, bar) in nats."""
    if rate <= bar:
        return 0.0
    failing = (1 - rate) * math.log((1 - rate) / (1 - bar)) if rate < 1 else 0.0
    return rate * math.log(rate / bar) + failing
