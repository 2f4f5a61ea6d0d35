"""Classifiers from files: equal to scikit-learn's, calibrated, and safe to read."""

from __future__ import annotations

import random
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.tools.classifier import (
    Calibration,
    Classifier,
    Description,
    Labeller,
    TrainedOn,
    load_classifier,
    packed_terms,
    short_digest,
    terms_in,
)
from clearbar.tools.tensor_file import write_tensors
from clearbar.tools.text_features import GRAMS, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

LABEL = Description("clearbar.classifier/1", "label", ("down", "up"), ("word",))
EXTRACT = Description("clearbar.classifier/1", "extract", ("B-x", "I-x", "O"), many=("x",))


def common() -> Arrays:
    return {
        "confidence.scores": np.array([0.5, 1.0]),
        "confidence.shares": np.array([0.4, 0.9]),
        "trained.cases": np.array([short_digest("case 1")], np.uint64),
        "trained.clusters": np.array([short_digest("cluster 1")], np.uint64),
        "trained.inputs": np.array([short_digest("gold rises")], np.uint64),
    }


def label_arrays() -> Arrays:
    return {
        **common(),
        "coefficients": np.array([[-1, 1], [1, -1]], np.float32),
        "intercepts": np.zeros(2),
        "word.terms": packed_terms(("rises", "falls")),
        "word.idf": np.ones(2),
    }


def extract_arrays() -> Arrays:
    return {
        **common(),
        "coefficients": np.array([[9, 0, -9]], np.float32),
        "intercepts": np.array([0.0, -9.0, 3.0]),
        "transitions": np.zeros((3, 3)),
        "terms": packed_terms(("z=X+",)),
    }


def classifier(path: Path, description: Description, arrays: Arrays) -> Classifier:
    write_tensors(path, msgspec.json.encode(description).decode(), arrays)
    return load_classifier(path)


def test_a_labeller_answers_with_the_likeliest_label(tmp_path: Path) -> None:
    found = classifier(tmp_path / "x", LABEL, label_arrays())
    assert found.answer("Gold rises").text == "up"
    assert found.answer("gold falls").text == "down"


def test_its_confidence_is_the_calibrated_probability(tmp_path: Path) -> None:
    found = classifier(tmp_path / "x", LABEL, label_arrays())
    probability = 1 / (1 + np.exp(-2))
    expected = 0.4 + (probability - 0.5) / 0.5 * 0.5
    assert found.answer("gold rises").confidence == pytest.approx(expected)


def test_a_text_of_no_known_term_is_answered_with_little_confidence(tmp_path: Path) -> None:
    assert classifier(tmp_path / "x", LABEL, label_arrays()).answer("").confidence == 0.4


def test_an_extractor_answers_with_json(tmp_path: Path) -> None:
    answer = classifier(tmp_path / "x", EXTRACT, extract_arrays()).answer("the USA and it")
    assert answer.text == '{"x": ["USA"]}'
    assert 0.4 <= (answer.confidence or 0) <= 0.9


def test_it_knows_what_it_was_trained_on(tmp_path: Path) -> None:
    seen = classifier(tmp_path / "x", LABEL, label_arrays()).trained_on
    assert seen.holds("case 1", None, "new")
    assert seen.holds("case 2", "cluster 1", "new")
    assert seen.holds("case 2", None, " Gold  RISES ")
    assert not seen.holds("case 2", "cluster 2", "new")
    assert not seen.holds("cluster 1", None, "case 1")


def test_its_digest_is_that_of_the_file(tmp_path: Path) -> None:
    first = classifier(tmp_path / "x", LABEL, label_arrays()).digest
    arrays = {**label_arrays(), "intercepts": np.ones(2)}
    assert classifier(tmp_path / "y", LABEL, label_arrays()).digest == first
    assert classifier(tmp_path / "y", LABEL, arrays).digest != first


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {each: array for each, array in arrays.items() if each != name}


def with_array(name: str, array: NDArray[Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: array}


@pytest.mark.parametrize(
    "change",
    [
        without("coefficients"),
        without("word.terms"),
        without("trained.cases"),
        without("confidence.scores"),
        with_array("coefficients", np.zeros((2, 3), np.float32)),
        with_array("intercepts", np.zeros(3)),
        with_array("word.idf", np.zeros(3)),
        with_array("word.terms", np.array([255], np.uint8)),
        with_array("confidence.scores", np.array([1.0, 0.5])),
        with_array("confidence.scores", np.array([1.0])),
        with_array("confidence.shares", np.array([0.4, 1.1])),
    ],
)
def test_a_labeller_whose_parts_do_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Arrays], Arrays]
) -> None:
    with pytest.raises(ClearbarError, match="x cannot be used: "):
        classifier(tmp_path / "x", LABEL, change(label_arrays()))


@pytest.mark.parametrize(
    "change",
    [
        without("transitions"),
        with_array("transitions", np.zeros((2, 2))),
        with_array("terms", packed_terms(("a", "b"))),
    ],
)
def test_an_extractor_whose_parts_do_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Arrays], Arrays]
) -> None:
    with pytest.raises(ClearbarError, match="x cannot be used: "):
        classifier(tmp_path / "x", EXTRACT, change(extract_arrays()))


@pytest.mark.parametrize(
    "description", ['{"format": "clearbar.classifier/2", "task": "label", "labels": []}', "[]", "{"]
)
def test_another_description_is_refused(tmp_path: Path, description: str) -> None:
    write_tensors(tmp_path / "x", description, label_arrays())
    with pytest.raises(ClearbarError, match="x cannot be used: its") as caught:
        load_classifier(tmp_path / "x")
    assert "clearbar trial distil" in caught.value.hint


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(
        b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07oh dear\x94."
    )
    with pytest.raises(ClearbarError, match="x cannot be used"):
        load_classifier(tmp_path / "x")


@given(st.lists(st.text(min_size=1).filter(lambda term: "\n" not in term)))
def test_terms_come_back_from_their_bytes(terms: list[str]) -> None:
    assert terms_in(packed_terms(terms)) == tuple(terms)


def test_calibration_is_linear_between_its_knots() -> None:
    found = Calibration((0.2, 0.6, 1.0), (0.1, 0.3, 0.9))
    asked = [0.0, 0.2, 0.4, 0.6, 0.9, 1.0]
    assert [found.confidence(each) for each in asked] == pytest.approx(
        [0.1, 0.1, 0.2, 0.3, 0.75, 0.9]
    )


def test_nothing_was_seen_where_nothing_was_trained_on() -> None:
    assert not TrainedOn(frozenset(), frozenset(), frozenset()).holds("", None, "")


WORDS = ("gold", "falls", "rises", "week", "steady", "3%", "on", "dollar", "café", "a")


def texts_and_labels(count: int) -> tuple[list[str], list[str]]:
    order = random.Random(4)
    texts = [" ".join(order.choices(WORDS, k=order.randint(1, 9))) for _ in range(count)]
    return texts, [
        "up" if "rises" in text else "down" if "falls" in text else "none" for text in texts
    ]


@pytest.mark.parametrize("labels_kept", [("up", "down", "none"), ("up", "down")])
def test_probabilities_are_those_of_scikit_learn(labels_kept: tuple[str, ...]) -> None:
    text_module = pytest.importorskip("sklearn.feature_extraction.text")
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.pipeline import make_union  # type: ignore[import-untyped]

    pairs = list(zip(*texts_and_labels(240), strict=True))
    texts = [text for text, label in pairs if label in labels_kept]
    labels = [label for _, label in pairs if label in labels_kept]
    vectorisers = [
        text_module.TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True, min_df=2),
        text_module.TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2
        ),
    ]
    union = make_union(*vectorisers)
    theirs = LogisticRegression(C=10).fit(union.fit_transform(texts), labels)
    vocabularies = tuple(
        Vocabulary(grams, tuple(each.get_feature_names_out()), each.idf_)
        for grams, (_, each) in zip(GRAMS, union.transformer_list, strict=True)
    )
    weights, intercepts = theirs.coef_.T, theirs.intercept_
    if len(labels_kept) == 2:
        weights = np.hstack([np.zeros_like(weights), weights])
        intercepts = np.array([0.0, *intercepts])
    ours = Labeller(tuple(theirs.classes_), vocabularies, weights.astype(np.float32), intercepts)
    asked = [*texts[:40], "gold GOLD unseen", "", "x"]
    expected = theirs.predict_proba(union.transform(asked))
    found = [ours.probabilities(text) for text in asked]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_answering_needs_no_scikit_learn_and_no_scipy(tmp_path: Path) -> None:
    import subprocess

    write_tensors(tmp_path / "x", msgspec.json.encode(LABEL).decode(), label_arrays())
    program = (
        "import sys; from pathlib import Path;"
        "from clearbar.tools.classifier import load_classifier;"
        "print(load_classifier(Path(sys.argv[1])).answer('gold rises').text);"
        "print(sorted({'sklearn', 'scipy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["up", "[]"]


def test_a_short_text_is_answered_within_a_millisecond(tmp_path: Path) -> None:
    order = np.random.default_rng(1)
    terms = tuple(sorted({"".join(order.choice(list("abcdefgh "), 4)) for _ in range(5_000)}))
    arrays = {
        **label_arrays(),
        "coefficients": order.normal(size=(len(terms), 2)).astype(np.float32),
        "char.terms": packed_terms(terms),
        "char.idf": np.ones(len(terms)),
    }
    found = classifier(tmp_path / "x", msgspec.structs.replace(LABEL, grams=("char",)), arrays)
    text = "abc defg hab cdef ghab cde fgh abcd efg habc"
    best = min(_seconds(lambda: found.answer(text)) for _ in range(20))
    assert best < 0.001


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
