"""Near duplicates: exact search by the Jaccard index of four-character pieces."""

from __future__ import annotations

import random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.tools.near_duplicates import Near, NearIndex, likeness, majority, normalised

TEXTS = st.lists(st.text("abc d", max_size=12), max_size=12)
THRESHOLDS = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 1.0])


@given(TEXTS, st.text("abc d", max_size=12), THRESHOLDS)
def test_search_finds_what_comparing_all_finds(
    texts: list[str], asked: str, threshold: float
) -> None:
    alike = [likeness(asked, text) for text in texts]
    best = max(alike, default=0.0)
    expected = (
        [Near(at, each) for at, each in enumerate(alike) if each == best]
        if best >= threshold
        else []
    )
    assert NearIndex(texts, threshold).nearest(asked) == expected


def test_likeness_of_a_text_to_itself_is_one() -> None:
    assert likeness("Gold  rises", "gold rises") == 1.0


def test_likeness_is_shared_pieces_over_all_pieces() -> None:
    # " abcd " has the pieces " abc", "abcd", "bcd "; " abcx " shares the first.
    assert likeness("abcd", "abcx") == pytest.approx(1 / 5)


def test_what_shares_a_piece_but_is_not_alike_is_not_found() -> None:
    assert NearIndex(["abcd"], 0.3).nearest("abcx") == []


def test_case_width_and_white_space_do_not_count() -> None:
    assert normalised("  Straße\t\uff21\n b ") == "strasse a b"


def test_texts_beyond_the_basic_plane_are_compared() -> None:
    index = NearIndex(["smile \U0001f600 please", "frown"], 0.9)
    assert index.nearest("Smile \U0001f600 please") == [Near(0, 1.0)]


def test_the_majority_is_the_first_of_the_most_frequent() -> None:
    assert majority(["b", "a", "a", "b", "c"]) == "b"
    assert majority([]) == ""


def test_more_texts_than_can_be_numbered_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.tools.near_duplicates.MAX_TEXTS", 1)
    with pytest.raises(ValueError, match="too many"):
        NearIndex(["a", "b"], 0.9)


def test_several_batches_make_one_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.tools.near_duplicates._BATCH", 2)
    texts = [f"the price of item {number} fell" for number in range(7)]
    assert NearIndex(texts, 0.9).nearest("The price of item 5 fell") == [Near(5, 1.0)]


@pytest.mark.slow
def test_a_hundred_thousand_past_texts_are_searched_in_milliseconds() -> None:
    order = random.Random(1)
    words = ["".join(order.choices("abcdefghijklmnop", k=6)) for _ in range(3_000)]
    texts = [" ".join(order.choices(words, k=10)) for _ in range(100_000)]
    index = NearIndex(texts, 0.8)
    asked = [text.replace(text[20], "z", 1) for text in texts[:500]]
    start = process_time()
    found = [index.nearest(text) for text in asked]
    assert process_time() - start < 500 * 0.015
    assert [near[0].at for near in found if near] == [at for at, near in enumerate(found) if near]
    assert sum(map(bool, found)) > 400
