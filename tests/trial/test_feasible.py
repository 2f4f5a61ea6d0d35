from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from clearbar.own.workflow import Bar
from clearbar.trial.proof.bet import absolute_test
from clearbar.trial.proof.feasible import feasibility, paired_growth, rate_growth, straight_passes
from clearbar.trial.proof.paired import paired_test
from clearbar.trial.proof.rate_bets import RateBets
from clearbar.trial.trial import Error

ERROR = Error(certify=0.05, drop=0.1)


@pytest.mark.parametrize(
    ("bar", "passes"), [(0.8, 20), (0.85, 28), (0.9, 43), (0.95, 88), (0.99, 449)]
)
def test_so_many_straight_passes_make_a_wealth_of_twenty_of_even_bets(
    bar: float, passes: int
) -> None:
    assert straight_passes(RateBets(bar, 1 - bar), 0.05) == passes


@pytest.mark.parametrize("bar", [0.0, 0.5, 0.9, 0.95])
def test_the_least_number_of_cases_is_that_of_straight_passes(bar: float) -> None:
    said = feasibility(Bar(at_least=bar), 0.05, ERROR, 400, binary=True)
    test = absolute_test(bar, 0.05, ERROR, 400, binary=True)
    while test.decision() is None:
        test.add(1)
    assert said.least_cases == test.n
    assert said.least_cases_by_wealth is not None
    assert said.least_cases_by_wealth >= test.n


def test_the_likely_number_of_cases_is_that_of_the_test_itself() -> None:
    said = feasibility(Bar(at_least=0.8), 0.05, ERROR, 300, binary=True, hoped=0.92)
    chance, cases, clears = random.Random(8), 0, 0
    for _ in range(600):
        test = absolute_test(0.8, 0.05, ERROR, 300, binary=True)
        while test.decision() is None:
            test.add(chance.random() < 0.92)
        cases += test.n
        clears += test.decision() == ("clears", "evidence")
    assert said.exact
    assert said.likely_cases == pytest.approx(cases / 600, rel=0.08)
    assert said.likely_clears == pytest.approx(clears / 600, abs=0.03)


def test_other_scores_are_said_to_take_no_less_than_passes_do() -> None:
    said = [
        feasibility(Bar(at_least=0.9), 0.05, ERROR, 1000, binary=binary, hoped=0.96)
        for binary in (True, False)
    ]
    assert said[1].likely_cases is not None
    assert said[0].likely_cases is not None
    assert said[1].likely_cases > said[0].likely_cases
    assert (said[0].exact, said[1].exact) == (True, False)
    assert said[1].least_cases == said[1].least_cases_by_wealth == 45


def test_the_ceiling_is_all_cases_at_their_price() -> None:
    bar, price = Bar(at_least=0.9), Decimal("0.00155")
    said = feasibility(bar, 0.05, ERROR, 200, binary=True, usd_per_case=price)
    assert said.ceiling_usd == Decimal("0.31")
    assert feasibility(bar, 0.05, ERROR, 200, binary=True).ceiling_usd is None


def test_a_bar_of_one_cannot_be_certified() -> None:
    said = feasibility(Bar(at_least=1.0), 0.05, ERROR, 500, binary=True)
    assert (said.least_cases, said.least_cases_by_wealth, said.likely_cases) == (None, None, None)
    assert said.likely_clears == 0


def test_too_few_cases_for_a_bar_are_said_to_be_too_few() -> None:
    said = feasibility(Bar(at_least=0.99), 0.05, ERROR, 100, binary=True)
    assert said.least_cases is None
    assert said.least_cases_by_wealth is not None
    assert said.least_cases_by_wealth > 400


def test_a_hoped_mean_below_the_bar_has_no_likely_end() -> None:
    assert (
        feasibility(Bar(at_least=0.9), 0.05, ERROR, 100, binary=True, hoped=0.9).likely_cases
        is None
    )
    relative = Bar(within=0.03, of="a")
    said = feasibility(relative, 0.05, ERROR, 100, binary=True, hoped=-0.03)
    assert said.likely_cases is None


def test_ties_alone_clear_a_relative_bar_after_so_many() -> None:
    said = feasibility(Bar(within=0.03, of="a"), 0.05, ERROR, 500, binary=True)
    test = paired_test(0.03, 0.05, ERROR, 500)
    while test.decision() is None:
        test.add(0.0)
    assert said.least_cases == test.n
    few = feasibility(Bar(within=0.03, of="a"), 0.05, ERROR, 50, binary=True)
    assert (few.least_cases, few.least_cases_by_wealth) == (None, test.n)


def test_ties_never_show_that_a_tool_is_better() -> None:
    said = feasibility(Bar(within=0.0, of="a"), 0.05, ERROR, 500, binary=True, hoped=0.1)
    assert said.least_cases is None


@pytest.mark.parametrize(
    ("margin", "disagreement", "difference", "bound"),
    [(0.02, 0.04, 0, 658), (0.03, 0.1, 0, 688), (0.03, 0.2, 0.01, 755), (0.05, 0.2, 0, 488)],
)
def test_the_paired_bound_is_that_of_the_reference(
    margin: float, disagreement: float, difference: float, bound: float
) -> None:
    growth = paired_growth(margin, difference, disagreement)
    assert math.log(20) / growth == pytest.approx(bound, abs=1)


@pytest.mark.parametrize(("rate", "bound"), [(0.91, 5229), (0.93, 542), (0.95, 179), (0.99, 42)])
def test_the_absolute_bound_is_that_of_the_reference(rate: float, bound: float) -> None:
    assert math.log(20) / rate_growth(0.9, rate) == pytest.approx(bound, abs=1)


def test_nothing_grows_at_or_below_the_bar() -> None:
    assert rate_growth(0.9, 0.9) == 0
    assert rate_growth(0.9, 1.0) == pytest.approx(math.log(1 / 0.9))
    assert paired_growth(0.03, -0.03, 0.1) == 0
    assert paired_growth(0.03, 0.0, 0.0) == pytest.approx(math.log(1 / 0.97))
    assert paired_growth(1.0, 0.0, 0.1) > 1


@pytest.mark.parametrize(
    ("bar", "hoped"),
    [(Bar(at_least=0.9), 1.1), (Bar(within=0.1, of="a"), -1.1), (Bar(), None)],
)
def test_what_is_out_of_range_is_refused(bar: Bar, hoped: float | None) -> None:
    with pytest.raises(ValueError, match=r"hoped|neither"):
        feasibility(bar, 0.05, ERROR, 100, binary=True, hoped=hoped)
