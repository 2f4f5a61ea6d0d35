"""Every tool exactly at its bar: how often is any certified, whatever they have in common?

Races of four tools, without futility and without a way to fail: whoever stops when it suits them
can do no more than go on until something is certified. The allowance is three standard errors of a
share of .05 in so many races.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from clearbar.own.workflow import Bar
from clearbar.trial.race.race import Candidate, Graded, Race, RacePlan
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

pytestmark = pytest.mark.slow

BINARY_RACES = 1000
OTHER_RACES = 300
TOOLS = 4
BINARY_CASES = 250
OTHER_CASES = 150
ALPHA = 0.05
ENDLESS = Error(certify=ALPHA, drop=1e-12, futility=0.0)
BAR = 0.9
MARGIN = 0.05


def independent(rng: np.random.Generator) -> Floats:
    return (rng.random((TOOLS, BINARY_CASES)) < BAR).astype(float)


def in_common(rng: np.random.Generator) -> Floats:
    """Return scores of tools that mostly fail in the same cases."""
    shared = rng.random(BINARY_CASES)
    draws = np.where(
        rng.random((TOOLS, BINARY_CASES)) < 0.7, shared, rng.random((TOOLS, BINARY_CASES))
    )
    return (draws < BAR).astype(float)


def against_each_other(rng: np.random.Generator) -> Floats:
    """Return scores of tools of which at most one fails in a case: the others' gain."""
    draw = rng.random(BINARY_CASES)
    return np.array(
        [(draw < tool * 0.1) | (draw >= (tool + 1) * 0.1) for tool in range(TOOLS)]
    ).astype(float)


def three_points(rng: np.random.Generator) -> Floats:
    return rng.choice([0.0, 0.75, 1.0], p=[0.05, 0.2, 0.75], size=(TOOLS, OTHER_CASES))


def beta(rng: np.random.Generator) -> Floats:
    return rng.beta(9.0, 1.0, size=(TOOLS, OTHER_CASES))


def any_certified(scores: Floats, bar: Bar, *, binary: bool) -> bool:
    names = [f"tool {index}" for index in range(len(scores))]
    plan = RacePlan(
        tuple(Candidate(name, "small", Decimal(place)) for place, name in enumerate(names)),
        bar,
        ENDLESS,
        scores.shape[1],
        binary,
    )
    race = Race(plan)
    while race.current is not None:
        for ask in race.wanted(2 if bar.within else 1):
            race.give(ask, Graded(float(scores[names.index(ask.tool), ask.index]), None))
    return race.winner is not None


def limit(races: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / races)


@pytest.mark.parametrize("draw", [independent, in_common, against_each_other])
def test_tools_at_the_bar_are_certified_at_most_at_the_stated_rate(
    draw: Callable[[np.random.Generator], Floats],
) -> None:
    rng, bar = np.random.default_rng(11), Bar(at_least=BAR)
    certified = sum(any_certified(draw(rng), bar, binary=True) for _ in range(BINARY_RACES))
    assert certified / BINARY_RACES <= limit(BINARY_RACES)


@pytest.mark.parametrize("draw", [three_points, beta])
def test_scores_of_any_kind_are_certified_at_most_at_the_stated_rate(
    draw: Callable[[np.random.Generator], Floats],
) -> None:
    rng, bar = np.random.default_rng(14), Bar(at_least=BAR)
    certified = sum(any_certified(draw(rng), bar, binary=False) for _ in range(OTHER_RACES))
    assert certified / OTHER_RACES <= limit(OTHER_RACES)


def test_tools_a_margin_below_the_one_in_use_are_certified_at_most_at_the_stated_rate() -> None:
    rng = np.random.default_rng(12)
    bar = Bar(within=MARGIN, of=f"tool {TOOLS}")
    certified = 0
    for _ in range(OTHER_RACES):
        used = rng.random(OTHER_CASES) < BAR
        draws = rng.random((TOOLS, OTHER_CASES))
        worse = used & (draws < 0.10)  # .9 x .10 lost, .1 x .4 gained: .05 below
        better = ~used & (draws < 0.40)
        scores = np.vstack([(used & ~worse) | better, used]).astype(float)
        certified += any_certified(scores, bar, binary=True)
    assert certified / OTHER_RACES <= limit(OTHER_RACES)


def test_tools_well_above_the_bar_are_certified_by_the_same_races() -> None:
    rng = np.random.default_rng(13)
    scores = [(rng.random((TOOLS, BINARY_CASES)) < 0.98).astype(float) for _ in range(50)]
    assert sum(any_certified(each, Bar(at_least=BAR), binary=True) for each in scores) >= 48
