"""What a classifier learns from: inputs with the answers that were logged, in folds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clearbar.tools.classifier import short_digest
from clearbar.tools.near_duplicates import normalised
from clearbar.trial.cases import cluster_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clearbar.trial.trial import Case

    Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Example:
    """An input and the answer that is to be learned."""

    case: Case
    answer: str

    @property
    def text(self) -> str:
        """The input."""
        return self.case.input


def examples_of(cases: Iterable[Case], labelled_by: str) -> list[Example]:
    """Return the cases that have an answer: logged of the tool `labelled_by`, or the reference.

    White space around an answer does not count. In the order of their ids: neither the order of
    the cases nor chance decides what is learned.
    """
    found: list[Example] = []
    for case in sorted(cases, key=lambda case: case.id):
        answer = case.answers.get(labelled_by) if labelled_by else case.reference
        if answer is not None:
            found.append(Example(case, answer.strip()))
    return found


def folds_of(
    examples: Sequence[Example], count: int, rng: np.random.Generator, *, by_answer: bool
) -> Ints:
    """Return the fold of each example, 0 to `count` - 1.

    Cases of one cluster, and equal inputs, share a fold. With `by_answer` each answer is dealt
    over the folds as evenly as they allow, a rare one too.
    """
    groups = _groups(examples)
    answer_of = {group: example.answer for group, example in zip(groups, examples, strict=True)}
    order = rng.permutation(len(answer_of))
    names = [list(answer_of)[at] for at in order]
    if by_answer:
        often = Counter(answer_of.values())
        names.sort(key=lambda name: (-often[answer_of[name]], answer_of[name]))
    fold_of = {name: at % count for at, name in enumerate(names)}
    return np.array([fold_of[group] for group in groups], np.intp)


def _groups(examples: Sequence[Example]) -> list[str]:
    """Return the name of each example's group: what is joined by a cluster or an equal input."""
    joined: dict[str, str] = {}

    def root(name: str) -> str:
        while joined.setdefault(name, name) != name:
            joined[name] = joined[joined[name]]
            name = joined[name]
        return name

    for example in examples:
        joined[root(cluster_of(example.case))] = root(f"input\x1f{normalised(example.text)}")
    return [root(cluster_of(example.case)) for example in examples]


def trained_arrays(examples: Iterable[Example]) -> dict[str, NDArray[np.uint64]]:
    """Return the digests by which a classifier's file tells what it was trained on."""
    cases: set[int] = set()
    clusters: set[int] = set()
    inputs: set[int] = set()
    for example in examples:
        cases.add(short_digest(example.case.id))
        inputs.add(short_digest(normalised(example.text)))
        if example.case.cluster is not None:
            clusters.add(short_digest(example.case.cluster))
    return {
        "trained.cases": np.array(sorted(cases), np.uint64),
        "trained.clusters": np.array(sorted(clusters), np.uint64),
        "trained.inputs": np.array(sorted(inputs), np.uint64),
    }
