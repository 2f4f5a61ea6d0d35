"""Extraction: tokens, tags and spans; the likeliest sequence of tags and its probability."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.tools.extractor import (
    FORBIDDEN,
    Extractor,
    answer_of,
    features_of,
    likeliest,
    may_follow,
    shape_of,
    spans_of,
    tags_of,
    tokens_of,
)

TAGS = ("B-name", "I-name", "O")


@given(st.text(max_size=60))
def test_tokens_hold_all_that_is_no_white_space(text: str) -> None:
    tokens = tokens_of(text)
    assert "".join(token.text for token in tokens) == "".join(text.split())
    assert all(text[token.start : token.end] == token.text for token in tokens)


def test_a_token_knows_its_piece_and_what_stands_before() -> None:
    tokens = tokens_of("to a@b.c\nnow")
    assert [(token.text, token.piece, token.gap) for token in tokens] == [
        ("to", "to", " "),
        ("a", "a@b.c", " "),
        ("@", "a@b.c", ""),
        ("b", "a@b.c", ""),
        (".", "a@b.c", ""),
        ("c", "a@b.c", ""),
        ("now", "now", "\n"),
    ]


def test_the_shape_of_a_text_shows_its_letters_and_digits() -> None:
    assert shape_of("GB29-nw é") == "XX99-xx x"


def test_features_hold_no_line_break() -> None:
    features = features_of(tokens_of("one\n\ntwo\r\n three"))
    assert not any("\n" in feature for each in features for feature in each)


@given(st.sets(st.integers(0, 8), min_size=1), st.data())
def test_spans_come_back_from_their_tags(starts: set[int], data: st.DataObject) -> None:
    text = "aa bb cc dd ee ff gg hh ii"
    spans = []
    for start, following in zip(sorted(starts), [*sorted(starts)[1:], 9], strict=True):
        words = data.draw(st.integers(1, following - start))
        spans.append((data.draw(st.sampled_from("xy")), start * 3, (start + words) * 3 - 1))
    tokens = tokens_of(text)
    assert list(spans_of(tokens, tags_of(tokens, spans))) == spans


def test_of_overlapping_spans_the_first_is_tagged() -> None:
    tokens = tokens_of("one two three")
    assert tags_of(tokens, [("a", 0, 7), ("b", 4, 13)]) == ["B-a", "I-a", "O"]


def test_an_inside_without_a_beginning_is_no_span() -> None:
    tokens = tokens_of("one two")
    assert list(spans_of(tokens, ["I-a", "O"])) == []
    assert list(spans_of(tokens, ["B-a", "I-b"])) == [("a", 0, 3)]


def test_a_field_that_is_a_list_holds_all_and_another_its_first() -> None:
    spans = [("x", 4, 7), ("y", 0, 3), ("x", 8, 9), ("y", 8, 9)]
    assert answer_of("one two é", spans, frozenset("x")) == '{"y": "one", "x": ["two", "é"]}'


def test_an_inside_follows_only_its_own_field() -> None:
    assert may_follow("B-a", "I-a")
    assert may_follow("I-a", "I-a")
    assert not may_follow("B-b", "I-a")
    assert not may_follow("O", "I-a")
    assert may_follow("I-a", "B-b")


@given(st.integers(1, 5), st.integers(0, 10_000))
def test_the_likeliest_sequence_is_that_of_trying_all(length: int, seed: int) -> None:
    order = np.random.default_rng(seed)
    scores, transitions = order.normal(size=(length, 3)), order.normal(size=(3, 3))
    transitions[2, 1] = FORBIDDEN
    totals = {
        path: sum(scores[at, tag] for at, tag in enumerate(path))
        + sum(transitions[path[at], path[at + 1]] for at in range(length - 1))
        for path in product(range(3), repeat=length)
    }
    path, probability = likeliest(scores, transitions)
    assert tuple(path) == max(totals, key=lambda each: totals[each])
    share = np.exp(max(totals.values())) / np.exp(list(totals.values())).sum()
    assert probability == pytest.approx(share)


def extractor(*many: str) -> Extractor:
    """Return one that takes every capitalised token for a name, and its capitalised followers."""
    coefficients = np.array([[4.0, 0.0, -4.0], [-4.0, 0.0, 4.0]], np.float32)
    transitions = np.zeros((3, 3))
    transitions[0, 1] = transitions[1, 1] = 6.0
    transitions[2, 1] = FORBIDDEN
    return Extractor(
        TAGS, frozenset(many), ("z=Xx+", "z=x+"), coefficients, np.zeros(3), transitions
    )


def test_an_extractor_answers_with_the_fields_it_finds() -> None:
    answer, probability = extractor().predict("Maria Lopez")
    assert answer == '{"name": "Maria Lopez"}'
    assert 0 < probability <= 1


def test_a_text_without_tokens_has_no_fields_for_certain() -> None:
    assert extractor("name").predict(" \n") == ("{}", 1.0)


def test_no_text_starts_inside_a_field() -> None:
    inside = np.array([[0.0, 9.0, 0.0]], np.float32)
    found = Extractor(TAGS, frozenset(), ("z=x+",), inside, np.zeros(3), np.zeros((3, 3)))
    assert "name" not in found.predict("x")[0] or found.scores(tokens_of("x"))[0, 1] == FORBIDDEN
