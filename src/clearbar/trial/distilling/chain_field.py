"""Learns a linear-chain conditional random field: which tags tokens get, and which follow which.

The log-likelihood of the tagged sequences, with an L2 penalty of 1 / (2 C) on all weights but the
intercepts, is climbed by L-BFGS. All sequences are walked at once, a step at a time, longest first,
by the forward and backward recursions, scaled so that no sum over- or underflows (Rabiner 1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

MAX_STEPS: Final = 80


@dataclass(frozen=True)
class Packed:
    """Tokens of sequences in the order in which they are walked: all firsts, all seconds, ..."""

    lengths: tuple[int, ...]
    """Of the sequences, each at least 1."""

    @cached_property
    def longest_first(self) -> Ints:
        """The sequences in the order of their lengths."""
        return np.argsort(-np.array(self.lengths), kind="stable")

    @cached_property
    def active(self) -> Ints:
        """How many sequences have a token at each step."""
        steps = np.arange(max(self.lengths))
        active: Ints = (np.array(self.lengths)[:, None] > steps).sum(axis=0)
        return active

    @cached_property
    def starts(self) -> Ints:
        """Where the tokens of each step start."""
        return np.concatenate([[0], np.cumsum(self.active)])

    @cached_property
    def order(self) -> Ints:
        """Of each packed token, its position in the sequences one after the other."""
        firsts = np.concatenate([[0], np.cumsum(self.lengths)])[self.longest_first]
        return np.concatenate([firsts[:n] + step for step, n in enumerate(self.active)])

    def step(self, at: int) -> slice:
        """Return where the tokens of a step stand."""
        return slice(int(self.starts[at]), int(self.starts[at + 1]))


@dataclass(frozen=True, slots=True)
class ChainField:
    """What was learned."""

    coefficients: Floats
    """One row for each feature, one column for each tag."""
    intercepts: Floats
    transitions: Floats


@dataclass(frozen=True)
class _Problem:
    features: Any
    """Sparse, one row for each packed token."""
    tags: Ints
    packed: Packed
    allowed: NDArray[np.bool_]
    may_start: NDArray[np.bool_]
    penalty: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.features.shape[1], len(self.may_start)

    def parts(self, weights: Floats) -> ChainField:
        terms, tags = self.shape
        end = terms * tags
        return ChainField(
            weights[:end].reshape(terms, tags),
            weights[end : end + tags],
            weights[end + tags :].reshape(tags, tags),
        )

    @cached_property
    def observed(self) -> tuple[Floats, Floats]:
        """The tags as indicators, and how often each follows each."""
        shown = np.zeros((len(self.tags), self.shape[1]))
        shown[np.arange(len(self.tags)), self.tags] = 1.0
        follow = np.zeros((self.shape[1], self.shape[1]))
        for at in range(1, len(self.packed.active)):
            now = self.packed.step(at)
            before = self.tags[self.packed.step(at - 1)][: now.stop - now.start]
            np.add.at(follow, (before, self.tags[now]), 1.0)
        return shown, follow

    def loss(self, weights: Floats) -> tuple[float, Floats]:
        """Return the penalised negative log-likelihood and its gradient."""
        field = self.parts(weights)
        scores = self.features @ field.coefficients + field.intercepts
        scores[self.packed.step(0)][:, ~self.may_start] = -np.inf
        shown, follow = self.observed
        reached = float(scores[np.arange(len(self.tags)), self.tags].sum())
        reached += float((follow * field.transitions).sum())
        total, shares, steps = _walk(scores, field.transitions, self.allowed, self.packed)
        surplus = shares - shown
        gradient = np.concatenate(
            [
                (self.features.T @ surplus + field.coefficients / self.penalty).ravel(),
                surplus.sum(axis=0),
                (steps - follow + field.transitions / self.penalty).ravel(),
            ]
        )
        square = float((field.coefficients**2).sum() + (field.transitions**2).sum())
        return total - reached + square / (2 * self.penalty), gradient


def _walk(
    scores: Floats, transitions: Floats, allowed: NDArray[np.bool_], packed: Packed
) -> tuple[float, Floats, Floats]:
    """Return the log of the sum over all sequences, and how often each tag, each pair is expected.

    `scores`: of each packed token for each tag.
    """
    tops = scores.max(axis=1, keepdims=True)
    own = np.exp(scores - tops)
    top = float(transitions.max())
    moves = np.exp(transitions - top) * allowed
    ahead, scales = np.empty_like(own), np.empty((len(own), 1))
    for at in range(len(packed.active)):
        now = packed.step(at)
        reached = own[now]
        if at:
            reached = (ahead[packed.step(at - 1)][: len(reached)] @ moves) * reached
        scales[now] = reached.sum(axis=1, keepdims=True)
        ahead[now] = reached / scales[now]
    behind = np.ones_like(own)
    steps = np.zeros_like(moves)
    for at in range(len(packed.active) - 1, 0, -1):
        now, before = packed.step(at), packed.step(at - 1)
        count = now.stop - now.start
        onward = behind[now] * own[now] / scales[now]
        behind[before][:count] = onward @ moves.T
        steps += (ahead[before][:count].T @ onward) * moves
    moved = len(own) - int(packed.active[0])
    total = float(np.log(scales).sum() + tops.sum()) + top * moved
    return total, ahead * behind, steps


def learn_chain_field(
    features: Any,
    tags: Sequence[int],
    lengths: Sequence[int],
    allowed: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    penalty: float,
) -> ChainField:
    """Return the field that makes the tags likeliest.

    `features`: a sparse matrix with one row for each token, sequence after sequence. `allowed`:
    which tag (column) may follow which (row), and which may come first. `penalty`: the C above.
    """
    packed = Packed(tuple(lengths))
    own = np.asarray(tags, np.intp)[packed.order]
    problem = _Problem(features[packed.order], own, packed, *allowed, penalty)
    terms, count = problem.shape
    start = np.zeros(terms * count + count + count * count)
    found = minimize(
        problem.loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS}
    )
    return problem.parts(found.x)
