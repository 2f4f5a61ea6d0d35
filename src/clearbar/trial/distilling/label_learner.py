"""Learns to give one of a few answers: tf-idf of words and characters, logistic regression."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import structs
from scipy import sparse  # type: ignore[import-untyped]

from clearbar.core.errors import ClearbarError
from clearbar.tools.classifier import Labeller, packed_terms
from clearbar.tools.text_features import NGRAMS, Grams, Vocabulary, inverse_frequency
from clearbar.trial.distilling.examples import folds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clearbar.tools.classifier import Description
    from clearbar.trial.distilling.examples import Example

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

MAX_TERMS: Final = 20_000
"""Of each kind, the ones that stand in the most texts."""
MAX_WEIGHTS: Final = 2_000_000
"""Terms times labels: 8 MB."""
MIN_TEXTS: Final = 2
"""A term that stands in fewer texts does not count."""
CHOICES: Final[tuple[tuple[Grams, ...], ...]] = (("word", "char"), ("word",), ("char",))
PENALTIES: Final = (1.0, 3.0, 10.0, 30.0)
FIRST_PENALTY: Final = 10.0
FOLDS: Final = 5
SETTLE_ON: Final = 1_500
"""Terms and penalty are chosen on at most so many examples."""
MIN_EXAMPLES_A_LABEL: Final = 4
"""Fewer answers to each label than this, on average, are no classification."""
MAX_LABELS: Final = 1_000
MAX_LABEL_CHARACTERS: Final = 100_000
"""Of all labels together."""
_TOLERANCE: Final = 1e-3
_MAX_STEPS: Final = 500


def check_labels(examples: Sequence[Example]) -> str:
    """Return why these answers are no labels; empty where they are."""
    labels = {example.answer for example in examples}
    if len(labels) == 1:
        return "all answers are the same: a rule with a default gives it"
    if len(labels) > MAX_LABELS or sum(map(len, labels)) > MAX_LABEL_CHARACTERS:
        return f"{len(labels)} different answers: a classifier takes up to {MAX_LABELS} short ones"
    if len(labels) * MIN_EXAMPLES_A_LABEL > len(examples):
        return (
            f"{len(labels)} different answers in {len(examples)} cases: this is no choice among a"
            " few labels, nor are they JSON objects"
        )
    return ""


def logistic_regression() -> Any:
    """Return scikit-learn's class.

    Raises:
        ClearbarError: when it is not installed.
    """
    try:
        return import_module("sklearn.linear_model").LogisticRegression
    except ImportError as error:
        raise ClearbarError(
            "training a classifier needs scikit-learn, which is not installed",
            'install it with: pip install "clearbar[distil]"',
        ) from error


@dataclass(frozen=True, slots=True)
class _Counted:
    """How often each term stands in each text."""

    column_of: dict[str, int]
    counts: Any
    """Sparse: one row for each text, one column for each term."""

    @property
    def terms(self) -> list[str]:
        """The terms in the order of their columns."""
        return list(self.column_of)


@dataclass(frozen=True, slots=True)
class LearnedLabels:
    """A labeller."""

    labeller: Labeller

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what its file holds."""
        found: dict[str, NDArray[Any]] = {
            "coefficients": self.labeller.coefficients,
            "intercepts": self.labeller.intercepts,
        }
        for vocabulary in self.labeller.vocabularies:
            found[f"{vocabulary.grams}.terms"] = packed_terms(vocabulary.terms)
            found[f"{vocabulary.grams}.idf"] = vocabulary.idf
        return found

    def described(self, description: Description) -> Description:
        """Return the description with its labels and kinds of terms."""
        grams = tuple(vocabulary.grams for vocabulary in self.labeller.vocabularies)
        return structs.replace(description, labels=self.labeller.labels, grams=grams)


@dataclass(frozen=True)
class LabelLearner:
    """Learns labels from some of the examples, and is tried on others."""

    examples: Sequence[Example]
    grams: tuple[Grams, ...] = CHOICES[0]
    penalty: float = FIRST_PENALTY

    @cached_property
    def answers(self) -> NDArray[np.str_]:
        """The label of each example."""
        return np.array([example.answer for example in self.examples])

    @cached_property
    def counted(self) -> dict[Grams, _Counted]:
        """The terms of all examples."""
        return {grams: _count(grams, self.examples) for grams in NGRAMS}

    @property
    def names(self) -> tuple[str, ...]:
        """The labels."""
        return tuple(np.unique(self.answers).tolist())

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen."""
        return {"grams": self.grams, "penalty": self.penalty}

    def settled(self, rng: np.random.Generator) -> LabelLearner:
        """Return the learner with the terms and the penalty that agree best on some examples.

        Raises:
            ClearbarError: when scikit-learn is not installed.
        """
        logistic_regression()
        some = np.sort(rng.permutation(len(self.examples))[:SETTLE_ON])
        sample = LabelLearner([self.examples[at] for at in some])
        chosen = _settled(sample, sample.folds(rng))
        return self.with_settings(chosen.grams, chosen.penalty)

    def folds(self, rng: np.random.Generator) -> Ints:
        """Return the fold of each example; each label is spread over all."""
        return folds_of(self.examples, FOLDS, rng, by_answer=True)

    def with_settings(self, grams: tuple[Grams, ...], penalty: float) -> LabelLearner:
        """Return a learner with other settings, which shares what was counted."""
        learner = replace(self, grams=grams, penalty=penalty)
        learner.__dict__.update(counted=self.counted, answers=self.answers)
        return learner

    def learn(self, rows: Ints) -> LearnedLabels:
        """Return what the examples of these rows teach."""
        labels = tuple(np.unique(self.answers[rows]).tolist())
        room = max(MAX_WEIGHTS // len(labels) // len(self.grams), 1)
        vocabularies = tuple(
            _vocabulary(grams, self.counted[grams], rows, min(room, MAX_TERMS))
            for grams in self.grams
        )
        features = self._features(vocabularies, rows)
        if len(labels) == 1:
            weights = np.zeros((features.shape[1], 1))
            return self._learned(labels, vocabularies, weights, np.zeros(1))
        found = logistic_regression()(C=self.penalty, tol=_TOLERANCE, max_iter=_MAX_STEPS)
        with warnings.catch_warnings():
            # Few examples of many labels, or too few steps: what comes of it is measured.
            warnings.simplefilter("ignore", UserWarning)
            found.fit(features, self.answers[rows])
        weights, intercepts = found.coef_.T, found.intercept_
        if len(labels) == 2:  # noqa: PLR2004 - then only the second label has weights
            weights = np.hstack([np.zeros_like(weights), weights])
            intercepts = np.array([0.0, *intercepts])
        return self._learned(labels, vocabularies, weights, intercepts)

    def _learned(
        self,
        labels: tuple[str, ...],
        vocabularies: tuple[Vocabulary, ...],
        weights: Floats,
        intercepts: Floats,
    ) -> LearnedLabels:
        labeller = Labeller(labels, vocabularies, weights.astype(np.float32), intercepts)
        return LearnedLabels(labeller)

    def tried(self, learned: LearnedLabels, rows: Ints) -> tuple[Floats, Floats]:
        """Return the score of each answer to these rows, 0 or 1, and its raw confidence."""
        labeller = learned.labeller
        features = self._features(labeller.vocabularies, rows)
        scores = features @ labeller.coefficients.astype(np.float64) + labeller.intercepts
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        given = np.array(labeller.labels)[shares.argmax(axis=1)]
        return (given == self.answers[rows]).astype(np.float64), shares.max(axis=1)

    def _features(self, vocabularies: Iterable[Vocabulary], rows: Ints) -> Any:
        blocks = [
            _weights(vocabulary, self.counted[vocabulary.grams], rows)
            for vocabulary in vocabularies
        ]
        return sparse.hstack(blocks, format="csr")


def _settled(learner: LabelLearner, folds: Ints) -> LabelLearner:
    """Return the learner with the kinds of terms, then the penalty, that agree best on folds."""

    def agreement(one: LabelLearner) -> float:
        hits = [
            one.tried(one.learn(np.flatnonzero(folds != fold)), np.flatnonzero(folds == fold))[0]
            for fold in np.unique(folds)
        ]
        return float(np.concatenate(hits).mean())

    kinds = [learner.with_settings(grams, FIRST_PENALTY) for grams in CHOICES]
    measured = [(agreement(one), one) for one in kinds]
    best = max(measured, key=lambda pair: pair[0])
    others = [one for one in PENALTIES if not math.isclose(one, FIRST_PENALTY)]
    rest = [learner.with_settings(best[1].grams, penalty) for penalty in others]
    measured = [best, *((agreement(one), one) for one in rest)]
    return max(measured, key=lambda pair: pair[0])[1]


def _count(grams: Grams, examples: Iterable[Example]) -> _Counted:
    column_of: dict[str, int] = {}
    columns: list[int] = []
    counts: list[int] = []
    ends = [0]
    for example in examples:
        found = Counter(NGRAMS[grams](example.text))
        columns += [column_of.setdefault(gram, len(column_of)) for gram in found]
        counts += found.values()
        ends.append(len(columns))
    shape = (len(ends) - 1, len(column_of))
    matrix = sparse.csr_matrix((np.array(counts, float), columns, ends), shape=shape)
    return _Counted(column_of, matrix)


def _vocabulary(grams: Grams, counted: _Counted, rows: Ints, most: int) -> Vocabulary:
    all_terms = counted.terms
    having = np.bincount(counted.counts[rows].indices, minlength=len(all_terms))
    kept = np.flatnonzero(having >= MIN_TEXTS)
    kept = np.sort(kept[np.argsort(-having[kept], kind="stable")[:most]])
    terms = tuple(all_terms[column] for column in kept)
    return Vocabulary(grams, terms, inverse_frequency(len(rows), having[kept]))


def _weights(vocabulary: Vocabulary, counted: _Counted, rows: Ints) -> Any:
    """Return the tf-idf of some texts: what `Vocabulary.weigh` gives, as a sparse matrix."""
    columns = [counted.column_of[term] for term in vocabulary.terms]
    found = counted.counts[rows][:, columns].tocsr()
    found.data = 1.0 + np.log(found.data)
    found = found @ sparse.diags_array(vocabulary.idf)
    lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1.0
    return (sparse.diags_array(1 / lengths) @ found).tocsr()
