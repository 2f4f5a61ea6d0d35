"""N-grams and tf-idf: equal to scikit-learn's, without it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.tools.text_features import (
    MAX_CHARACTERS,
    Vocabulary,
    char_ngrams,
    inverse_frequency,
    weigh_all,
    word_ngrams,
)

TEXTS = (
    "Gold futures end the week 1.4% higher",
    "gold   futures\tend\nlower: 3rd week!",
    "a b c",
    "I'm 5 ft. tall; naïve café, \uff21\uff22\uff23",
    "x",
    "",
    "gold gold gold silver",
)
ANY_TEXT = st.text(max_size=60)


@given(ANY_TEXT)
def test_word_ngrams_are_those_of_scikit_learn(text: str) -> None:
    text_module = pytest.importorskip("sklearn.feature_extraction.text")
    analyse = text_module.CountVectorizer(ngram_range=(1, 3)).build_analyzer()
    assert sorted(word_ngrams(text)) == sorted(analyse(text))


@given(ANY_TEXT)
def test_character_ngrams_are_those_of_scikit_learn(text: str) -> None:
    text_module = pytest.importorskip("sklearn.feature_extraction.text")
    analyse = text_module.CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).build_analyzer()
    assert sorted(char_ngrams(text)) == sorted(analyse(text))


def test_weights_are_those_of_scikit_learn() -> None:
    text_module = pytest.importorskip("sklearn.feature_extraction.text")
    theirs = text_module.TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True)
    expected = theirs.fit_transform(TEXTS).toarray()
    vocabulary = Vocabulary("word", tuple(theirs.get_feature_names_out()), theirs.idf_)
    for text, row in zip(TEXTS, expected, strict=True):
        found = np.zeros(len(row))
        rows, weights = vocabulary.weigh(text)
        found[rows] = weights
        np.testing.assert_allclose(found, row, atol=1e-12)


def test_idf_is_that_of_scikit_learn() -> None:
    text_module = pytest.importorskip("sklearn.feature_extraction.text")
    theirs = text_module.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit(TEXTS)
    terms = theirs.get_feature_names_out()
    having = [sum(term in char_ngrams(text) for text in TEXTS) for term in terms]
    np.testing.assert_allclose(inverse_frequency(len(TEXTS), having), theirs.idf_)


def test_a_text_of_no_known_term_has_no_weights() -> None:
    rows, weights = Vocabulary("word", ("gold",), np.ones(1)).weigh("silver")
    assert (rows.size, weights.size) == (0, 0)


def test_vocabularies_are_stacked_in_their_order() -> None:
    words = Vocabulary("word", ("gold", "silver"), np.ones(2))
    chars = Vocabulary("char", (" s", "er"), np.ones(2))
    rows, weights = weigh_all([words, chars], "silver")
    assert sorted(rows.tolist()) == [1, 2, 3]
    assert weights @ weights == pytest.approx(2)


def test_a_very_long_text_is_cut() -> None:
    assert "end" not in word_ngrams("x" * MAX_CHARACTERS + " end")
    assert all("e" not in gram for gram in char_ngrams("x" * MAX_CHARACTERS + " e"))
