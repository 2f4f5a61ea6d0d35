"""Globs as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.core.glob import check_glob, glob_pattern, literal_prefix


def test_a_glob_stands_for_whole_texts() -> None:
    assert glob_pattern("gpt-4o*").match("gpt-4o-mini")
    assert not glob_pattern("gpt-4o").match("gpt-4o-mini")


def test_a_glob_in_capitals_stands_for_the_same_texts() -> None:
    assert glob_pattern("GPT-*").match("gpt-4o")


@pytest.mark.parametrize("glob", ["*", "a", "[a-z]?", "[!0-9]*", "[]]", "a]", "[[]x"])
def test_a_glob_that_can_match_is_returned(glob: str) -> None:
    assert check_glob(glob) == glob


@pytest.mark.parametrize("glob", ["", " ", "a ", "[", "a[b", "[]", "[z-a]", "[!9-0]"])
def test_a_glob_that_cannot_be_meant_is_refused(glob: str) -> None:
    with pytest.raises(ClearbarError):
        check_glob(glob)


@given(st.text("aB*?[]", max_size=5), st.text("ab[]", max_size=5))
def test_what_a_glob_matches_begins_with_its_literal_prefix(glob: str, text: str) -> None:
    if glob_pattern(glob).match(text):
        assert text.startswith(literal_prefix(glob))
