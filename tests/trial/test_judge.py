"""The simulations reproduce section B6 of the reference: labels that a corrected judge takes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.own.workflow import Bar
from clearbar.trial.proof.bet import Mixture
from clearbar.trial.proof.judge import Advice, Correction, Judged, JudgedTest, advice
from clearbar.trial.proof.rate_bets import rates_of
from clearbar.trial.proof.sequential import log_needed
from clearbar.trial.trial import Error, Step

ERROR = Error(certify=0.05, drop=0.10, slack=0.01, futility=0.0)
SHARES = st.floats(0.05, 1)
SCORES = st.floats(0, 1)


class World(NamedTuple):
    """How good the answers are, and how well the judge knows."""

    good: float
    passes_good: float
    flags_bad: float
    share: float


class Course(NamedTuple):
    """What many simulated tests came to, on average."""

    labels: float
    cases: float
    certified: float


def drawn(world: World, size: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return for cases: whether people find them good, the judge passed them, they are labelled."""
    good = random.random(size) < world.good
    knows = np.where(good, world.passes_good, world.flags_bad)
    passed = (random.random(size) < knows) == good
    return good, passed, ~passed | (random.random(size) < world.share)


def course(world: World, bar: float, runs: int, cases: int) -> Course:
    """Simulate the bets of `JudgedTest`, stopped as soon as one of its looks certifies."""
    random = np.random.default_rng(20261122)
    correction = Correction(world.share)
    bets = Mixture(rates_of(correction.bar(bar), 0.01)[0])
    logs, alive = np.tile(bets.log_capitals, (runs, 1)), np.arange(runs)
    labels, looks = np.zeros(runs), np.zeros(runs)
    for _ in range(cases):
        good, passed, labelled = drawn(world, len(alive), random)
        seen = np.where(labelled, good, 1.0)
        scores = np.where(passed, seen, 1 - world.share * (1 - good))
        logs[alive] += bets.gain(scores).T
        labels[alive] += labelled
        looks[alive] += 1
        top = logs[alive].max(axis=1)
        wealth = top + np.log(np.exp(logs[alive] - top[:, None]).sum(axis=1))
        alive = alive[wealth < log_needed(0.05)]
        if not len(alive):
            break
    return Course(labels.mean(), looks.mean(), 1 - len(alive) / runs)


@given(SHARES, st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=30))
def test_the_mean_of_the_corrected_scores_is_the_mean_of_the_labels(
    share: float, answers: list[tuple[bool, float]]
) -> None:
    correction = Correction(share)

    def expected(passed: bool, label: float) -> float:  # noqa: FBT001
        looked = correction.score(label, passed=passed)
        return looked if not passed else share * looked + (1 - share) * 1.0

    mean = math.fsum(expected(*each) for each in answers) / len(answers)
    true = math.fsum(label for _, label in answers) / len(answers)
    assert correction.plain(mean) == pytest.approx(true)


@given(SHARES, SCORES, st.booleans())
def test_a_corrected_score_can_be_bet_on(share: float, label: float, passed: bool) -> None:  # noqa: FBT001
    assert 0 <= Correction(share).score(label, passed=passed) <= 1


@given(SHARES, SCORES)
def test_the_bar_moves_with_the_scores(share: float, bar: float) -> None:
    correction = Correction(share)
    assert correction.plain(correction.bar(bar)) == pytest.approx(bar)
    assert correction.error(ERROR).slack == pytest.approx(share * ERROR.slack)


def test_a_share_of_one_is_labels_alone() -> None:
    correction = Correction(1)
    assert correction.bar(0.9) == pytest.approx(0.9)
    assert correction.score(0.3, passed=True) == 0.3
    assert correction.score(0.3, passed=False) == pytest.approx(0.3)


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Correction(0)
    with pytest.raises(ValueError, match="a flagged answer needs a label"):
        Correction(0.4).score(None, passed=False)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        Correction(0.4).score(1.5, passed=True)


def test_a_passed_answer_that_nobody_looks_at_counts_as_good() -> None:
    assert Correction(0.4).score(None, passed=True) == 1


def judged(bar: float = 0.9, share: float = 0.4, cases: int = 2000) -> JudgedTest:
    return JudgedTest(Bar(at_least=bar), 0.05, ERROR, cases, share)


def test_a_judged_test_decides_and_tells_figures_on_the_scale_of_labels() -> None:
    test = judged()
    assert (test.n, test.mean, test.decision(), test.more_cases()) == (0, None, None, None)
    assert test.step().mean == 0
    random = np.random.default_rng(5)
    while test.decision() is None:
        (good,), (passed,), (labelled,) = drawn(World(0.97, 0.97, 0.9, 0.4), 1, random)
        test.add_judged(float(good) if labelled else None, passed=bool(passed))
    assert test.decision() == ("clears", "evidence")
    assert test.log_for >= test.log_for_needed
    mean, (low, high) = test.mean or 0, test.interval()
    assert mean == pytest.approx(0.97, abs=0.04)
    assert 0 <= low <= mean <= high <= 1
    assert test.step() == Step(test.n, mean, low, high, test.log_for, test.log_against)
    assert test.level == pytest.approx(0.9)


def test_a_tool_far_below_the_bar_fails() -> None:
    test = judged()
    while test.decision() is None:
        test.add_judged(float(test.n % 10 < 3), passed=False)
    assert test.decision() == ("fails", "evidence")
    assert test.log_against >= test.log_against_needed
    assert test.more_cases() is not None


def test_differences_of_corrected_scores_are_tested_on_the_scale_of_labels() -> None:
    test = JudgedTest(Bar(within=0.1, of="dear"), 0.05, ERROR, 2000, 0.4)
    correction = Correction(0.4)
    good, bad = correction.score(None, passed=True), correction.score(0.0, passed=False)
    while test.decision() is None:
        test.add({0: good - bad, 1: bad - good}.get(test.n % 20, 0.0))
    assert test.decision() == ("clears", "evidence")
    low, high = test.interval()
    assert -0.1 <= low <= (test.mean or 0.0) <= high <= 1
    assert test.mean == pytest.approx(0, abs=1 / test.n)


def test_a_difference_that_labels_have_stretched_is_shown_within_its_bounds() -> None:
    test = JudgedTest(Bar(within=0.1, of="dear"), 0.05, ERROR, 2000, 0.4)
    for _ in range(30):
        test.add(-1.0)
    assert test.interval()[0] == -1


def test_the_simulation_plays_the_bets_of_the_test() -> None:
    world, random = World(0.95, 0.97, 0.9, 0.35), np.random.default_rng(20261122)
    test, labels = judged(share=world.share), 0
    while test.log_for < test.log_for_needed:
        (good,), (passed,), (labelled,) = drawn(world, 1, random)
        test.add_judged(float(good) if labelled else None, passed=bool(passed))
        labels += int(labelled)
    assert course(world, 0.9, 1, 5000) == (labels, test.n, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "labels"),
    [
        (World(0.95, 0, 1, 1), 207),
        (World(0.95, 0.95, 0.80, 0.40), 154),
        (World(0.95, 0.95, 0.80, 0.55), 154),
        (World(0.95, 0.97, 0.90, 0.35), 137),
        (World(0.95, 0.99, 0.95, 0.25), 126),
    ],
)
def test_a_judge_saves_labels_as_in_the_reference(world: World, labels: int) -> None:
    # 400 runs: the standard error of the mean is about 4 labels.
    found = course(world, 0.9, 400, 4000)
    assert found.labels == pytest.approx(labels, abs=13)
    assert found.certified > 0.999


@pytest.mark.slow
def test_at_a_high_bar_a_good_judge_saves_more_than_half_of_the_labels() -> None:
    alone = course(World(0.97, 0, 1, 1), 0.95, 200, 6000)
    helped = course(World(0.97, 0.99, 0.95, 0.25), 0.95, 200, 6000)
    assert alone.labels / helped.labels > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        World(0.9, 0.95, 0.80, 0.45),
        World(0.9, 1.0, 0.0, 0.30),  # a judge that passes everything
        World(0.9, 0.5, 0.5, 0.20),  # one that tosses a coin
        World(0.9, 0.1, 0.1, 0.50),  # one that has it backwards
    ],
)
def test_no_judge_however_biased_certifies_a_tool_at_the_bar_too_often(world: World) -> None:
    runs = 500
    found = course(world, 0.9, runs, 500)
    tolerance = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found.certified <= 0.05 + tolerance


def pairs(*counts: int) -> list[Judged]:
    """Return answers: passed and good, passed and bad, flagged and good, flagged and bad."""
    kinds = (Judged(True, 1), Judged(True, 0), Judged(False, 1), Judged(False, 0))
    return [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]


def test_a_judge_that_agrees_with_people_is_worth_its_price() -> None:
    found = advice(pairs(40, 0, 0, 10), 1.0)
    assert (found.labels, found.use) == (50, True)
    assert found.rho2 == pytest.approx(1)
    assert "saves labels" in str(found)


def test_a_judge_that_does_not_is_not() -> None:
    found = advice(pairs(30, 10, 8, 2), 1.0)
    assert found.use is False
    assert "below 0.4" in str(found)


def test_few_labels_and_labels_all_alike_tell_nothing_yet() -> None:
    assert advice(pairs(30, 0, 0, 19), 1.0).use is None
    assert advice(pairs(60, 0, 0, 0), 1.0) == Advice(60, None, None)
    assert advice([], 1.0) == Advice(0, None, None)
    assert "do not tell yet" in str(advice([], 1.0))


def test_a_passed_answer_stands_for_all_of_its_kind() -> None:
    # The same labels, drawn from a fifth of the passed answers.
    once, fifth = pairs(8, 2, 0, 10), 0.2
    spread = pairs(40, 10, 0, 10)
    assert advice(once, fifth).rho2 == pytest.approx(advice(spread, 1.0).rho2 or 0)
