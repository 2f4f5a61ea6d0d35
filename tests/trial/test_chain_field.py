"""The chain field: its gradient, its sums over all sequences, and what it learns."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import sparse  # type: ignore[import-untyped]
from scipy.special import logsumexp  # type: ignore[import-untyped]

from clearbar.trial.distilling.chain_field import (
    ChainField,
    Packed,
    _Problem,
    _walk,
    learn_chain_field,
)

ALLOWED = np.array([[True, True, True], [True, True, True], [True, False, True]])
MAY_START = np.array([True, False, True])


def test_packed_tokens_stand_step_after_step_longest_sequence_first() -> None:
    packed = Packed((1, 3, 2))
    assert packed.active.tolist() == [3, 2, 1]
    assert packed.order.tolist() == [1, 4, 0, 2, 5, 3]


def test_the_sum_over_all_sequences_is_that_of_trying_all() -> None:
    order = np.random.default_rng(1)
    scores, transitions = order.normal(size=(4, 3)) * 3, order.normal(size=(3, 3)) * 3
    ways = [
        sum(scores[at, tag] for at, tag in enumerate(path))
        + sum(transitions[pair] for pair in pairwise(path))
        for path in product(range(3), repeat=4)
        if all(ALLOWED[pair] for pair in pairwise(path))
    ]
    total, shares, steps = _walk(scores, transitions, ALLOWED, Packed((4,)))
    assert total == pytest.approx(logsumexp(ways))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert steps.sum() == pytest.approx(3)
    assert steps[2, 1] == 0


def problem() -> _Problem:
    order = np.random.default_rng(2)
    packed = Packed((3, 1, 4))
    features = sparse.csr_matrix((order.uniform(size=(8, 5)) < 0.5).astype(float))
    tags = np.array([0, 1, 2, 2, 0, 1, 1, 0])[packed.order]
    return _Problem(features[packed.order], tags, packed, ALLOWED, MAY_START, 2.0)


def test_the_gradient_is_that_of_the_loss() -> None:
    some = problem()
    weights = np.random.default_rng(3).normal(size=5 * 3 + 3 + 9) * 0.3
    _, gradient = some.loss(weights)
    for at in range(len(weights)):
        step = np.zeros_like(weights)
        step[at] = 1e-6
        slope = (some.loss(weights + step)[0] - some.loss(weights - step)[0]) / 2e-6
        assert gradient[at] == pytest.approx(slope, abs=1e-5)


def test_what_follows_what_is_learned() -> None:
    # One feature for all: only the order of tags tells them apart.
    tags = [0, 1, 2, 0, 1, 2] * 20
    found: ChainField = learn_chain_field(
        sparse.csr_matrix(np.ones((120, 1))), tags, [6] * 20, (ALLOWED, MAY_START), 10.0
    )
    assert found.transitions[0].argmax() == 1
    assert found.transitions[1].argmax() == 2
    assert found.transitions[2, 0] > found.transitions[2, 2]
