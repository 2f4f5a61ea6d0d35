from __future__ import annotations

import pytest

from clearbar.core.errors import (
    ClearbarError,
    DeclarationError,
    LedgerError,
    Problem,
    UnknownName,
    nearest,
)


def test_an_error_says_what_is_wrong_and_the_way_out() -> None:
    error = ClearbarError("x does not exist", "name a file")
    assert (str(error), error.message, error.hint) == (
        "x does not exist",
        "x does not exist",
        "name a file",
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ClearbarError, 1), (LedgerError, 1), (DeclarationError, 2), (UnknownName, 2)],
)
def test_the_exit_code_says_whether_the_words_were_wrong_or_the_world(
    kind: type[ClearbarError], code: int
) -> None:
    assert kind("what").exit_code == code


def test_the_nearest_name_is_offered() -> None:
    assert nearest("modle", ["model", "provider"]) == ' Did you mean "model"?'


def test_nothing_is_offered_where_no_name_is_near() -> None:
    assert not nearest("zzz", ["model", "provider"])


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    assert Problem("cannot be read").line is None
