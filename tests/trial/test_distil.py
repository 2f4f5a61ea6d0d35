"""Distilling: from logged answers to a classifier or an extractor, and when not."""

from __future__ import annotations

import json
import random
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from clearbar.core.errors import ClearbarError
from clearbar.tools.classifier import load_classifier
from clearbar.trial.distilling.distil import DistilReport, distil
from clearbar.trial.distilling.examples import examples_of, folds_of
from clearbar.trial.distilling.field_learner import spans_in
from clearbar.trial.distilling.label_learner import LabelLearner
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="the extra distil is not installed"
)

TOPICS = {
    "card": ("card", "visa", "pin", "chip"),
    "money": ("transfer", "refund", "fee", "balance"),
    "login": ("password", "email", "code", "reset"),
}
FILLERS = ("please", "my", "the", "is", "why", "how", "not", "can", "was", "today", "again")
NAMES = ("Maria Lopez", "Jo Smith", "Ann Lee", "Peter von Berg", "Li Wei")
CITIES = ("Rome", "New York", "Oslo", "San Jose", "Lima")


def topic_cases(count: int, seed: int = 1, mistakes: float = 0.0) -> list[Case]:
    order = random.Random(seed)
    cases = []
    for number in range(count):
        topic = order.choice(list(TOPICS))
        words = [*order.choices(FILLERS, k=5), order.choice(TOPICS[topic])]
        order.shuffle(words)
        said = order.choice(list(TOPICS)) if order.random() < mistakes else topic
        cases.append(Case(f"{seed}-{number}", " ".join(words), topic, answers={"big": said}))
    return cases


def field_cases(count: int, seed: int = 1) -> list[Case]:
    order = random.Random(seed)
    cases = []
    for number in range(count):
        name, cities = order.choice(NAMES), order.choices(CITIES, k=order.randint(0, 2))
        text = f"{order.choice(('Mr.', 'Ms.'))} {name} writes" + "".join(
            f" from {city}" for city in cities
        )
        answer = json.dumps({"name": name, "city": cities, "phone": None})
        cases.append(Case(f"{seed}-{number}", text, answer))
    return cases


def agreement(path: Path, cases: Sequence[Case]) -> float:
    found = load_classifier(path)
    return float(np.mean([found.answer(case.input).text == case.reference for case in cases]))


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> DistilReport:
    """Return the report of learning 120 cases."""
    return distil(topic_cases(120), tmp_path_factory.mktemp("topics") / "x", bar=0.8)


def path_of(report: DistilReport) -> Path:
    assert report.file is not None
    return report.file


def test_a_classifier_answers_cases_that_it_has_not_seen(topics: DistilReport) -> None:
    assert topics.worthwhile
    assert agreement(path_of(topics), topic_cases(200, seed=2)) > 0.95


def test_a_report_says_what_was_found(topics: DistilReport) -> None:
    report = topics
    assert (report.task, report.examples, report.labels) == (
        "label",
        120,
        ("card", "login", "money"),
    )
    assert [point.labels for point in report.points] == [12, 24, 48, 96]
    assert report.predicted is not None
    assert report.predicted.labels == 120
    assert report.predicted.low <= report.predicted.agreement <= report.predicted.high
    assert report.needed == pytest.approx(0.82)
    assert report.advice.startswith("120 labels are expected to agree in ")
    assert report.advice.endswith(" where 82.0% are needed: worth a trial")
    assert report.calibration_error is not None
    assert report.file_bytes == path_of(report).stat().st_size
    assert report.digest == load_classifier(path_of(report)).digest


def test_the_same_cases_give_the_same_file_in_any_order(tmp_path: Path) -> None:
    cases = topic_cases(80)
    distil(cases, tmp_path / "x")
    distil(cases[::-1], tmp_path / "y")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_what_it_was_trained_on_can_be_told(topics: DistilReport) -> None:
    seen = load_classifier(path_of(topics)).trained_on
    assert all(seen.holds(case.id, case.cluster, case.input) for case in topic_cases(120))
    assert not seen.holds("another", None, "something that nobody has asked")


def test_logged_answers_of_a_tool_are_learned(tmp_path: Path) -> None:
    report = distil(topic_cases(120, mistakes=0.1), tmp_path / "x", labelled_by="big")
    assert report.labelled_by == "big"
    assert load_classifier(tmp_path / "x").description.labelled_by == "big"
    assert 0.75 < report.points[-1].agreement < 0.98
    assert agreement(tmp_path / "x", topic_cases(200, seed=2)) > 0.9


def test_cases_that_the_tool_did_not_answer_are_left_out() -> None:
    assert distil(topic_cases(80), None, labelled_by="other").examples == 0


def test_confidence_is_the_share_of_right_answers(tmp_path: Path) -> None:
    distil(topic_cases(200, mistakes=0.3), tmp_path / "x", labelled_by="big")
    found = load_classifier(tmp_path / "x")
    confidences = [found.answer(case.input).confidence for case in topic_cases(200, seed=2)]
    assert np.mean([each or 0 for each in confidences]) == pytest.approx(0.8, abs=0.08)


def test_below_the_bar_and_its_gate_nothing_is_written(tmp_path: Path) -> None:
    cases = topic_cases(120, mistakes=0.4)
    report = distil(cases, tmp_path / "x", labelled_by="big", bar=0.95)
    assert not report.worthwhile
    assert report.file is None
    assert not (tmp_path / "x").exists()
    assert "where 97.0% are needed: " in report.advice


def test_where_more_labels_could_be_had_they_are_to_be_learned_first(tmp_path: Path) -> None:
    report = distil(topic_cases(120), tmp_path / "x", bar=0.8, available=1_000)
    assert report.predicted is not None
    assert report.predicted.labels == 1_000
    assert report.file is None


def test_a_dry_run_writes_nothing() -> None:
    report = distil(topic_cases(60), None)
    assert (report.worthwhile, report.file, report.needed) == (True, None, None)


def test_few_cases_are_refused() -> None:
    report = distil(topic_cases(59), None)
    assert not report.worthwhile
    assert report.advice == "59 cases to train on have an answer: it takes 60 or more"


def test_answers_that_are_all_different_are_no_labels() -> None:
    cases = [Case(str(n), f"question {n}", f"answer {n}") for n in range(80)]
    said = distil(cases, None).advice
    assert said.startswith("80 different answers in 80 cases: this is no choice")


def test_more_labels_than_a_file_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.trial.distilling.label_learner.MAX_LABELS", 2)
    assert distil(topic_cases(60), None).advice == (
        "3 different answers: a classifier takes up to 2 short ones"
    )


def test_of_very_many_cases_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.trial.distilling.distil.MAX_EXAMPLES", {"label": 70})
    report = distil(topic_cases(80), None, available=90)
    assert (report.examples, report.available) == (70, 70)


def test_examples_of_one_label_teach_that_label() -> None:
    learner = LabelLearner(examples_of(topic_cases(60), ""))
    rows = np.flatnonzero(learner.answers == "card")
    scores, raw = learner.tried(learner.learn(rows), np.arange(60))
    assert scores.sum() == len(rows)
    assert raw.tolist() == [1.0] * 60


def test_one_answer_is_a_rule() -> None:
    cases = [Case(str(n), f"question {n}", "yes") for n in range(80)]
    assert "a rule with a default" in distil(cases, None).advice


def test_a_label_that_is_rare_is_learned_with_the_others(tmp_path: Path) -> None:
    cases = [*topic_cases(80), Case("rare", "a cheque book please", "cheque")]
    report = distil(cases, tmp_path / "x")
    assert "cheque" in report.labels
    assert load_classifier(tmp_path / "x").answer("a cheque book please").text == "cheque"


def test_two_labels_are_learned(tmp_path: Path) -> None:
    cases = [case for case in topic_cases(120) if case.reference != "login"]
    distil(cases, tmp_path / "x")
    tried = [case for case in topic_cases(200, seed=2) if case.reference != "login"]
    assert agreement(tmp_path / "x", tried) > 0.95


def test_without_scikit_learn_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ClearbarError, match="scikit-learn") as caught:
        distil(topic_cases(60), None)
    assert 'pip install "clearbar[distil]"' in caught.value.hint


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="cannot be written"):
        distil(topic_cases(60), tmp_path / "gone" / "x")


def test_an_extractor_finds_fields_in_new_texts(tmp_path: Path) -> None:
    report = distil(field_cases(90), tmp_path / "x")
    assert (report.task, report.labels) == ("extract", ("city", "name", "phone"))
    found = load_classifier(tmp_path / "x")
    answer = found.answer("Ms. Maria Lopez writes from Oslo from New York")
    assert json.loads(answer.text) == {"name": "Maria Lopez", "city": ["Oslo", "New York"]}
    assert (answer.confidence or 0) > 0.8
    assert report.points[-1].agreement > 0.95


def test_fields_that_do_not_stand_in_the_text_are_refused() -> None:
    cases = [
        Case(str(n), f"text number {n}", json.dumps({"mood": "angry", "number": str(n)}))
        for n in range(80)
    ]
    said = distil(cases, None).advice
    assert said == "the texts of these fields mostly do not stand in their inputs: mood"


def test_other_json_than_fields_of_text_is_refused() -> None:
    cases = [Case(str(n), f"text {n}", json.dumps({"number": n})) for n in range(80)]
    assert "not objects of field to text" in distil(cases, None).advice


def test_objects_without_fields_are_refused() -> None:
    cases = [Case(str(n), f"text {n}", "{}") for n in range(80)]
    assert "0 fields" in distil(cases, None).advice


def test_longer_texts_are_placed_first_and_no_place_is_taken_twice() -> None:
    text = "York, New York and Yorkshire"
    spans, nowhere = spans_in(text, {"a": ["York"], "b": ["New York"], "c": ["York", ""]})
    assert sorted(spans) == [("a", 0, 4), ("b", 6, 14)]
    assert nowhere == {"c": 1}


def test_cases_of_a_cluster_and_equal_inputs_share_a_fold() -> None:
    cases = [
        Case(str(n), "same" if n % 10 == 0 else f"text {n}", "x", cluster=f"c{n // 3}")
        for n in range(60)
    ]
    examples = examples_of(cases, "")
    folds = folds_of(examples, 5, np.random.default_rng(1), by_answer=True)
    fold_of = {each.case.id: fold for each, fold in zip(examples, folds, strict=True)}
    assert len({fold_of[str(n)] for n in range(0, 60, 10)}) == 1
    assert all(fold_of[str(n)] == fold_of[str(n - n % 3)] for n in range(60))
    assert len(set(folds.tolist())) == 5


def test_each_label_is_spread_evenly_over_the_folds() -> None:
    cases = [Case(str(n), f"text {n}", "rare" if n < 5 else "often") for n in range(50)]
    examples = examples_of(cases, "")
    folds = folds_of(examples, 5, np.random.default_rng(1), by_answer=True)
    rare = [fold for each, fold in zip(examples, folds, strict=True) if each.answer == "rare"]
    assert sorted(rare) == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_real_headlines_are_learned_as_well_as_published(shared_data: Path, tmp_path: Path) -> None:
    import csv

    def cases(name: str) -> list[Case]:
        path = shared_data / "tasks" / "headlines_frugalgpt" / name
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [Case(number, text, label) for text, label, number in csv.reader(file)]

    report = distil(cases("train.csv")[:1_000], tmp_path / "x", bar=0.8)
    assert report.worthwhile
    assert agreement(tmp_path / "x", cases("test.csv")) > 0.84
