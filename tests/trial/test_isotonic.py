"""Calibration: confidence is the share of right answers, and never falls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.trial.distilling.isotonic import calibrate, calibration_error

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@given(ANSWERS)
def test_confidence_never_falls_and_is_never_certain(answers: list[tuple[float, bool]]) -> None:
    scores, right = np.array([s for s, _ in answers]), np.array([float(r) for _, r in answers])
    found = calibrate(scores, right)
    assert list(found.scores) == sorted(set(found.scores))
    assert list(found.shares) == sorted(found.shares)
    assert 0 < found.shares[0] <= found.shares[-1] < 1


@given(ANSWERS)
def test_the_order_of_answers_does_not_matter(answers: list[tuple[float, bool]]) -> None:
    def found(some: list[tuple[float, bool]]) -> list[tuple[float, float]]:
        both = np.array(some, float)
        curve = calibrate(both[:, 0], both[:, 1])
        return list(zip(curve.scores, curve.shares, strict=True))

    assert found(answers) == [pytest.approx(each) for each in found(answers[::-1])]


def test_pools_are_those_of_scikit_learn() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    order = np.random.default_rng(2)
    scores = order.uniform(size=400)
    right = (order.uniform(size=400) < scores**2).astype(float)
    theirs = isotonic.IsotonicRegression().fit(scores, right).predict(scores)
    pools = np.unique(theirs)
    found = calibrate(scores, right)
    assert len(found.scores) == len(pools)
    middles = [scores[theirs == pool].mean() for pool in pools]
    assert list(found.scores) == pytest.approx(middles)


def test_scores_that_overstate_are_brought_down() -> None:
    order = np.random.default_rng(2)
    scores = order.uniform(0.5, 1, size=4_000)
    right = (order.uniform(size=4_000) < scores - 0.2).astype(float)
    found = calibrate(scores, right)
    assert found.confidence(0.9) == pytest.approx(0.7, abs=0.06)
    assert calibration_error(scores, right, order) < 0.04


def test_an_answer_or_two_are_no_certainty() -> None:
    assert calibrate(np.array([0.9]), np.array([1.0])).confidence(0.9) == 0.75


def test_few_answers_have_a_calibration_error_too() -> None:
    error = calibration_error(np.array([0.2, 0.9]), np.array([0.0, 1.0]), np.random.default_rng(1))
    assert 0 <= error <= 1
