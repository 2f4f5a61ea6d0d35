"""BARGAIN's cascade threshold and ours, on the same cases, with the same confidences.

The task is the one that BARGAIN is made for: a cheap tool answers where it is sure, somebody who is
always right answers the rest, and the whole is to be right in a given share of the cases. A label
is a case in which the one who is always right has to look before the threshold is fixed.
Confidence: how well the cheap tool did on the same subject in the other half of the set.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from clearbar.own.workflow import Bar
from clearbar.trial.race.race import Candidate, Graded, Parts, Race, RacePlan
from clearbar.trial.trial import Error
from trial_arenas import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CASES = 2000
ALPHA = 0.05
TARGETS = (0.85, 0.9)
ERROR = Error(certify=ALPHA, drop=0.1)


def compare(folder: Path, orders: int) -> Iterator[str]:
    """Yield a line for each target and rule: answered cheaply, labels, how often wrong."""
    right, subject = _weak_model(folder)
    yield f"cascades of the weak model and the truth, {CASES} cases, {orders} orders, error .05"
    yield f"{'':16}{'target':>8}{'cheap':>8}{'labels':>8}{'wrong':>8}"
    for target in TARGETS:
        results: dict[str, list[tuple[float, int, float]]] = {"clearbar": [], "bargain": []}
        for seed in range(orders):
            order = np.random.default_rng(seed).permutation(len(right))
            train, cases = order[CASES:], order[:CASES]
            kinds = int(subject.max()) + 1
            n = np.bincount(subject[train], minlength=kinds)
            hits = np.bincount(subject[train], right[train], minlength=kinds)
            sure = ((hits + 0.5) / (n + 1))[subject]
            results["clearbar"].append(_ours(right[cases], sure[cases], sure[train], target))
            results["bargain"].append(_theirs(right[cases], sure[cases], target, seed))
        for name, found in results.items():
            cheap, labels, accuracy = np.array(found).T
            wrong = (accuracy < target).mean()
            yield (
                f"  {name:<14}{target:>8.2f}{cheap.mean():>8.2f}{labels.mean():>8,.0f}{wrong:>8.2f}"
            )


def _weak_model(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = [
        row
        for row in rows_of(folder / "mmlu_gsm8k_pair" / "samples.csv.gz")
        if not row["model"].startswith("gpt")
    ]
    names = sorted({row["category"] for row in rows})
    right = np.array([float(row["score"]) for row in rows])
    return right, np.array([names.index(row["category"]) for row in rows])


def _ours(
    right: np.ndarray, sure: np.ndarray, other: np.ndarray, target: float
) -> tuple[float, int, float]:
    parts = Parts("weak", "truth", (), tuple(other.tolist()), Decimal(0), Decimal(1))
    both = Candidate("both", "small", None, parts)
    race = Race(RacePlan((both,), Bar(at_least=target), ERROR, len(right), binary=True))
    labels = 0
    while not race.finished:
        graded = race.grades_wanted()
        labels += len(graded)
        for ask in graded:
            race.give(ask, Graded(float(right[ask.index]), None, float(sure[ask.index])))
        for ask in [] if graded else race.wanted(1):
            score = 1.0 if ask.tool == "truth" else None
            race.give(ask, Graded(score, None, float(sure[ask.index])))
    lane = race.lanes["both"]
    cleared = lane.decided is not None and lane.decided[0] == "clears"
    accepted = sure >= (lane.threshold or 0.0) if cleared else np.zeros(len(right), dtype=bool)
    return float(accepted.mean()), labels, float(np.where(accepted, right, 1.0).mean())


def _theirs(
    right: np.ndarray, sure: np.ndarray, target: float, seed: int
) -> tuple[float, int, float]:
    from BARGAIN import BARGAIN_A, Oracle, Proxy

    class Weak(Proxy):  # type: ignore[misc]
        def proxy_func(self, record: Any) -> tuple[bool, float]:
            return True, float(sure[int(record)])

    class Truth(Oracle):  # type: ignore[misc]
        def oracle_func(self, record: Any, _proxy_output: Any) -> tuple[bool, bool]:
            correct = bool(right[int(record)])
            return correct, correct

    oracle = Truth(verbose=False, max_workers=1)
    weak = Weak(verbose=False, max_workers=1)
    process = BARGAIN_A(weak, oracle, target=target, delta=ALPHA, verbose=False, seed=seed)
    records = [str(index) for index in range(len(right))]
    outputs, by_oracle = process.process(records, return_oracle_usage=True)
    labels = len(oracle.cached_validations)
    cheap = ~np.array(by_oracle)
    accuracy = np.where(cheap, right, 1.0).mean()
    assert len(outputs) == len(right)
    return float(cheap.mean()), labels, float(accuracy)
