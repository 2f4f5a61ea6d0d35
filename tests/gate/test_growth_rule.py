"""How often the rule `tokens_up_outcomes_flat` is wrong, and how often it sees what is there."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.gate.made import AS_OF, POLICY, card, days

from clearbar.core.period import last_days
from clearbar.gate.gather import facts_of
from clearbar.gate.policy import decide

if TYPE_CHECKING:
    from datetime import date

    from clearbar.own.card import DayFacts

WEEKDAYS = (1.1, 1.2, 1.15, 1.1, 1.0, 0.4, 0.3)
RUNS = 300


def simulated(
    rng: random.Random, end: date, *, tokens: float, good: float, spread: float
) -> tuple[DayFacts, ...]:
    """Thirty days: lognormal tokens, overdispersed counts of good outcomes, quiet weekends."""

    def one(day: DayFacts) -> DayFacts:
        volume = WEEKDAYS[day.day.weekday()]
        noise = rng.lognormvariate(-spread * spread / 2, spread)
        count = max(0, round(rng.gauss(good * volume, 1.3 * math.sqrt(good * volume))))
        return replace(day, tokens=round(tokens * volume * noise), good=float(count))

    return tuple(one(day) for day in days(30, end))


def share_of_runs_that_fire(*, tokens_growth: float, good_growth: float, spread: float) -> float:
    rng = random.Random(20261101)
    start = last_days(30, AS_OF).start
    fired = 0
    for _ in range(RUNS):
        tokens, good = 33_000 * (1 + tokens_growth), 200 * (1 + good_growth)
        simulated_card = card(
            days=simulated(rng, AS_OF, tokens=tokens, good=good, spread=spread),
            previous_days=simulated(rng, start, tokens=33_000, good=200, spread=spread),
        )
        reasons = decide(facts_of(simulated_card, POLICY, AS_OF)).reasons
        fired += any(reason.rule == "tokens_up_outcomes_flat" for reason in reasons)
    return fired / RUNS


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.2, 0.5])
@pytest.mark.parametrize(("tokens_growth", "good_growth"), [(0.2, -0.3), (0.8, 0.1)])
def test_at_either_threshold_it_fires_no_more_often_than_the_error_rate(
    tokens_growth: float, good_growth: float, spread: float
) -> None:
    fired = share_of_runs_that_fire(
        tokens_growth=tokens_growth, good_growth=good_growth, spread=spread
    )
    noise = 3 * math.sqrt(POLICY.error_rate * (1 - POLICY.error_rate) / RUNS)
    assert fired <= POLICY.error_rate + noise


@pytest.mark.slow
def test_tokens_that_nearly_double_for_the_same_outcomes_are_seen() -> None:
    assert share_of_runs_that_fire(tokens_growth=0.8, good_growth=0.0, spread=0.2) > 0.9
