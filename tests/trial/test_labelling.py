from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.trial.grading.labelling import LabelRule
from clearbar.trial.proof.judge import Correction

RULE = LabelRule(seed=0, share=0.4)
CASES = [str(number) for number in range(400)]


def picks(rule: LabelRule, answer: str = "a") -> list[bool]:
    return [rule.chosen(case, answer) for case in CASES]


def first(*, chosen: bool) -> str:
    return next(case for case in CASES if RULE.chosen(case, "a") == chosen)


def test_people_look_at_all_flagged_answers() -> None:
    assert all(RULE.wants(case, "a", flagged=True) for case in CASES)


def test_of_the_passed_answers_people_look_at_a_share() -> None:
    assert sum(picks(RULE)) == pytest.approx(160, abs=35)
    assert all(picks(LabelRule(0, 1.0)))


def test_a_second_look_chooses_the_same() -> None:
    assert picks(RULE) == picks(LabelRule(0, 0.4))


def test_another_seed_or_another_answer_is_another_choice() -> None:
    assert picks(RULE) != picks(LabelRule(1, 0.4))
    assert picks(RULE) != picks(RULE, "b")


def test_a_larger_share_takes_in_the_smaller_ones() -> None:
    more = picks(LabelRule(0, 0.7))
    assert all(wide for few, wide in zip(picks(RULE), more, strict=True) if few)


def test_a_flagged_answer_counts_once_people_have_looked() -> None:
    assert RULE.score("1", "a", None, flagged=True) is None
    assert RULE.score("1", "a", 0.0, flagged=True) == 0.6
    assert RULE.score("1", "a", 1.0, flagged=True) == 1


def test_a_chosen_answer_counts_by_its_label() -> None:
    assert RULE.score(first(chosen=True), "a", None, flagged=False) is None
    assert RULE.score(first(chosen=True), "a", 0.25, flagged=False) == 0.25


def test_a_label_of_an_answer_that_was_not_chosen_is_not_used() -> None:
    assert RULE.score(first(chosen=False), "a", 0.0, flagged=False) == 1
    assert RULE.score(first(chosen=False), "a", None, flagged=False) == 1


@given(st.integers(0, 5), st.floats(0.3, 1), st.floats(0, 0.5))
def test_what_answers_count_adds_up_to_what_people_would_say_of_all(
    seed: int, share: float, bad: float
) -> None:
    rule, count = LabelRule(seed, share), 4000
    labels = {f"{seed}-{n}": float(n >= bad * count) for n in range(count)}
    # The judge flags every third of the bad answers, and one in fifty of the good ones.
    flagged = {c: n % (50 if labels[c] else 3) == 0 for n, c in enumerate(labels)}
    said = [rule.score(c, "a", labels[c], flagged=flagged[c]) or 0.0 for c in labels]
    mean = Correction(share).plain(sum(said) / count)
    assert mean == pytest.approx(sum(labels.values()) / count, abs=0.1)
