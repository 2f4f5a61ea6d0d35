"""A cascade's threshold: its grid, its confidence, its price, and how often it is wrong."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.own.workflow import Bar
from clearbar.trial.race.cascade import accepts, confidence, price, thresholds
from clearbar.trial.race.race import Candidate, Graded, Parts, Race, RacePlan
from clearbar.trial.trial import Error

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

shares = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def test_the_grid_runs_from_the_most_cautious_threshold_down() -> None:
    hundred = [place / 100 for place in range(100)]
    grid = thresholds(hundred)
    assert grid[:2] == (0.95, 0.9)
    assert grid[-1] == 0
    assert len(grid) == 20


def test_equal_confidences_share_a_threshold() -> None:
    assert thresholds([1.0, 1.0, 0.5, 0.5, 0.0]) == (1.0, 0.5, 0.0)


def test_without_confidences_there_is_no_threshold() -> None:
    assert thresholds([]) == ()


@given(shares)
def test_each_threshold_accepts_at_least_its_share(confidences: list[float]) -> None:
    for share in (0.05, 0.5, 1.0):
        (bar,) = thresholds(confidences, [share])
        assert sum(accepts(each, bar) for each in confidences) >= share * len(confidences) - 1e-9


@given(shares)
def test_thresholds_only_ever_fall(confidences: list[float]) -> None:
    grid = thresholds(confidences)
    assert list(grid) == sorted(set(grid), reverse=True)


def graded(same_as: str = "", *, failed: bool = False, sure: float | None = None) -> Graded:
    return Graded(None if failed else 1.0, None, sure, same_as, failed)


ALONE = Parts("first", "then")
AGREED = Parts("first", "then", ("a", "b"))


def test_the_first_tools_own_confidence_counts_where_nobody_has_to_agree() -> None:
    assert confidence(ALONE, {"first": graded(sure=0.7)}) == 0.7


def test_the_share_of_those_that_agree_is_a_confidence() -> None:
    answers = {"first": graded("x"), "a": graded("x"), "b": graded("y")}
    assert confidence(AGREED, answers) == 0.5


def test_no_digest_is_no_agreement() -> None:
    answers = {"first": graded(), "a": graded(), "b": graded()}
    assert confidence(AGREED, answers) == 0


def test_a_failure_agrees_with_nothing() -> None:
    answers = {"first": graded("x"), "a": graded("x", failed=True), "b": graded("x")}
    assert confidence(AGREED, answers) == 0.5


def test_who_did_not_answer_is_not_sure() -> None:
    answers = {"first": graded("x", failed=True, sure=1.0)}
    assert confidence(ALONE, answers) is None
    assert not accepts(None, 0.0)


def test_the_price_is_the_first_and_the_other_where_it_is_asked() -> None:
    assert price(Decimal("0.001"), Decimal("0.05"), 0.75) == Decimal("0.0135")


def test_where_nothing_is_passed_on_the_others_price_does_not_matter() -> None:
    assert price(Decimal("0.001"), None, 1.0) == Decimal("0.001")


def test_an_unknown_part_makes_the_price_unknown() -> None:
    assert price(None, Decimal(1), 0.5) is None
    assert price(Decimal(1), None, 0.5) is None


class Resplits:
    """Random halves of recorded scores: a cascade is fixed by one, and judged by all cases.

    Confidence is what a workflow knows of a case before any trial: how well the first tool did on
    older cases of the same kind. The recorded scores hold no answers, so agreement of tools cannot
    be had from them.
    """

    def __init__(self, first: Floats, then: Floats, kind: NDArray[np.int64]) -> None:
        self.first, self.then, self.kind = first, then, kind

    def run(self, margin: float, alpha: float, cases: int, seed: int) -> tuple[float, float]:
        """Return the share that the certified cascade accepts, and its true difference."""
        order = np.random.default_rng(seed).permutation(len(self.first))
        train, trial = order[: len(order) // 2], order[len(order) // 2 :][:cases]
        kinds = int(self.kind.max()) + 1
        n = np.bincount(self.kind[train], minlength=kinds)
        right = np.bincount(self.kind[train], self.first[train], minlength=kinds)
        sure = ((right + 0.5) / (n + 1))[self.kind]
        parts = Parts("first", "then", (), tuple(sure[train]), Decimal(1), Decimal(50))
        plan = RacePlan(
            (Candidate("both", "small", None, parts), Candidate("then", "frontier", Decimal(50))),
            Bar(within=margin, of="then"),
            Error(certify=alpha, drop=0.1),
            len(trial),
            binary=True,
        )
        race = Race(plan)
        while asks := race.wanted(1):
            for ask in asks:
                case = trial[ask.index]
                scores = self.first if ask.tool == "first" else self.then
                race.give(ask, Graded(float(scores[case]), None, float(sure[case])))
        lane = race.lanes["both"]
        if lane.decided is None or lane.decided[0] != "clears" or lane.threshold is None:
            return 0.0, 0.0
        accepted = sure >= lane.threshold
        return float(accepted.mean()), float((accepted * (self.first - self.then)).mean())


def pair(folder: Path) -> Resplits:
    """Return the weak model, the strong one and the subject: without the subject that is broken."""
    scores: dict[str, dict[str, float]] = {}
    subjects: dict[str, str] = {}
    with gzip.open(folder / "scores/mmlu_gsm8k_pair/samples.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["category"] != "high_school_mathematics":
                tool = "then" if row["model"].startswith("gpt") else "first"
                scores.setdefault(row["sample_id"], {})[tool] = float(row["score"])
                subjects[row["sample_id"]] = row["category"]
    names = sorted(set(subjects.values()))
    cases = sorted(scores)
    return Resplits(
        np.array([scores[case]["first"] for case in cases]),
        np.array([scores[case]["then"] for case in cases]),
        np.array([names.index(subjects[case]) for case in cases]),
    )


def small_models(folder: Path) -> Resplits:
    """Return a 7B model, a 51B model, and groups of cluster and length of the prompt."""
    names = {"qwen2.5-7b-instruct": "first", "llama-3.1-nemotron-51b-instruct": "then"}
    scores: dict[str, dict[str, float]] = {}
    lengths: dict[str, tuple[str, int]] = {}
    with gzip.open(folder / "scores/small_models/samples.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["cluster"] and row["model"] in names:
                scores.setdefault(row["sample_id"], {})[names[row["model"]]] = float(row["score"])
                lengths[row["sample_id"]] = row["cluster"], int(row["prompt_chars"])
    cases = sorted(scores)
    chars = np.array([lengths[case][1] for case in cases])
    tenth = np.searchsorted(np.quantile(chars, np.arange(0.1, 1, 0.1)), chars)
    cluster = np.array([int(lengths[case][0]) for case in cases])
    return Resplits(
        np.array([scores[case]["first"] for case in cases]),
        np.array([scores[case]["then"] for case in cases]),
        cluster * 10 + tenth,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "margin"), [("pair", 0.05), ("small", 0.05)])
def test_a_certified_threshold_is_wrong_at_most_as_often_as_stated(
    name: str, margin: float, shared_data: Path
) -> None:
    """80 resplits of recorded scores, 1000 cases each, at an error rate of .10.

    Measured on 200: pair at .05 accepts .36 of the cases and is wrong in .040 (at .02: .15 and
    .015), the small models at .05 accept .51 and are never wrong. The allowance is three standard
    errors of a share of .10 in 80.
    """
    resplits = pair(shared_data) if name == "pair" else small_models(shared_data)
    results = [resplits.run(margin, 0.10, 1000, seed) for seed in range(80)]
    violations = np.mean([difference < -margin for _, difference in results])
    accepted = np.mean([share for share, _ in results])
    assert violations <= 0.10 + 3 * (0.10 * 0.90 / 80) ** 0.5
    assert accepted > 0.02
