"""What a kill rule may say, and when it holds."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.gate.condition import MAX_DEPTH, MAX_LENGTH, read_condition
from clearbar.gate.kill_rule import FACTS, parse_kill_rule
from clearbar.gate.window import window_facts

NAMES = ("a", "b", "c")
KNOWN = {"known_days": 365.0}


def holds(text: str, **numbers: float | None) -> bool | None:
    return read_condition(text, NAMES).holds(numbers)


def fault(text: str) -> ClearbarError:
    with pytest.raises(ClearbarError) as caught:
        parse_kill_rule(text)
    return caught.value


def test_a_rule_is_a_condition_and_the_days_it_is_measured_over() -> None:
    rule = parse_kill_rule("usd_per_good > 0.30 for 4w")
    assert rule.window_days == 28
    assert rule.names == {"usd_per_good"}


def test_a_rule_prints_as_it_was_written_but_for_spaces() -> None:
    assert (
        str(parse_kill_rule("  usd_per_good >\n 0.30   for 28d ")) == "usd_per_good > 0.30 for 28d"
    )


def test_a_rule_holds_when_its_condition_does() -> None:
    rule = parse_kill_rule("usd_per_good > 0.30 for 28d")
    assert rule.holds(KNOWN | {"usd_per_good": 0.31}) is True
    assert rule.holds(KNOWN | {"usd_per_good": 0.30}) is False


def test_an_unknown_fact_never_kills() -> None:
    rule = parse_kill_rule("usd_per_good > 0.30 for 28d")
    assert rule.holds(KNOWN | {"usd_per_good": None}) is None
    assert rule.holds(KNOWN) is None


@pytest.mark.parametrize(("known_days", "answer"), [(27.0, None), (28.0, True), (None, None)])
def test_a_workflow_is_judged_once_it_is_known_for_the_whole_window(
    known_days: float | None,
    answer: bool | None,  # noqa: FBT001 - a row of the table above
) -> None:
    rule = parse_kill_rule("calls > 1 for 28d")
    assert rule.holds({"known_days": known_days, "calls": 2.0}) is answer


def test_every_fact_that_a_rule_may_name_is_measured() -> None:
    assert set(window_facts((), None, date(2026, 11, 1))) == set(FACTS)


def test_multiplication_binds_before_addition_and_parentheses_before_both() -> None:
    assert holds("a + b * c == 7", a=1, b=2, c=3)
    assert holds("(a + b) * c == 9", a=1, b=2, c=3)


def test_not_binds_before_and_which_binds_before_or() -> None:
    assert holds("a > 0 or b > 0 and not c > 0", a=1, b=1, c=1) is True
    assert holds("not a > 0 and b > 0", a=1, b=1) is False


def test_comparisons_chain() -> None:
    assert holds("0 < a < b", a=1, b=2) is True
    assert holds("0 < a < b", a=2, b=2) is False


def test_all_five_comparisons_are_understood() -> None:
    assert holds("a >= 1 and a <= 1 and a == 1 and not a > 1 and not a < 1", a=1.0) is True


def test_a_negative_number_is_written_with_a_minus() -> None:
    assert holds("a < -1.5", a=-2.0) is True
    assert holds("-a > b - -c", a=-9.0, b=1.0, c=2.0) is True


def test_what_is_divided_by_nothing_is_unknown() -> None:
    assert holds("a / b > 1", a=1.0, b=0.0) is None


def test_what_is_no_number_is_unknown() -> None:
    assert holds("a - b > 1", a=float("inf"), b=float("inf")) is None


def test_an_unknown_part_matters_only_where_it_decides() -> None:
    assert holds("a > 9 or b > 9", a=10.0, b=None) is True
    assert holds("a > 9 or b > 9", a=1.0, b=None) is None
    assert holds("a > 9 and b > 9", a=1.0, b=None) is False
    assert holds("a > 9 and b > 9", a=10.0, b=None) is None
    assert holds("not b > 9", b=None) is None


def test_a_rule_without_a_duration_says_how_to_end_it() -> None:
    assert fault("usd_per_good > 0.30").hint == 'end it with one, such as "for 28d"'


def test_a_duration_in_months_is_refused() -> None:
    assert fault("calls < 1 for 2m").message == '"2m" is no duration'


def test_a_misspelt_fact_is_answered_with_the_nearest() -> None:
    assert fault("usd_per_god > 0.30 for 28d").message == (
        '"usd_per_god > 0.30", column 1: "usd_per_god" is not known. Did you mean "usd_per_good"?'
    )


def test_the_hint_marks_the_column() -> None:
    assert fault("calls > 1 and clals < 9 for 28d").hint == (
        "calls > 1 and clals < 9\n              ^"
    )


def test_a_name_that_is_like_none_is_answered_with_all_of_them() -> None:
    assert ", ".join(FACTS) in fault("zzzzzzzz > 1 for 28d").hint


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("calls", "a condition is needed here"),
        ("calls and good", "a condition is needed here"),
        ("(calls > 1) > 2", "a number is needed here"),
        ("calls + (good > 1) > 2", "a number is needed here"),
        ("+calls > 1", "a number is needed here"),
        ("calls (good) > 1", "a number is needed here"),
        ("1 > 2", "names nothing"),
        ("calls > 1_000", '"1_000" is neither a name nor a number'),
        ("calls > 1e9", '"1e9" is neither a name nor a number'),
        ("calls > 0x10", '"0x10" is neither a name nor a number'),
        ("calls > 1or good > 1", '"1or" is neither a name nor a number'),
        ("calls > True", '"True" is neither a name nor a number'),
        ("calls if good else tokens > 1", '"if" is neither a name nor a number'),
        ("calls.real > 1", '"calls.real" is neither a name nor a number'),
        ("calls > 9999999999999999", "the number is too large"),
        ("calls > '1'", '"\'" is not understood'),
        ("calls != 1", '"!" is not understood'),
        ("calls ** 2 > 1", '"**" is not understood'),
        ("calls // 2 > 1", '"//" is not understood'),
        ("çalls > 1", '"ç" is not understood'),
        ("calls >", "not understood"),
        ("calls = 1", "not understood"),
        ("(calls > 1", "column 1: not understood"),
        ("()", "a condition is needed here"),
    ],
)
def test_what_is_no_condition_over_facts_is_refused(condition: str, said: str) -> None:
    assert said in fault(f"{condition} for 28d").message


def test_a_rule_of_more_than_500_characters_is_refused() -> None:
    assert str(MAX_LENGTH) in fault(f"calls > 1{' and calls > 1' * 40} for 28d").message


def test_a_rule_that_is_nested_more_than_50_deep_is_refused() -> None:
    assert f"more than {MAX_DEPTH} deep" in fault(f"calls > {'-' * 60}1 for 28d").message


@pytest.mark.parametrize("opening", ["(", "not ", "-", "a+"])
def test_no_depth_that_fits_breaks_the_reader(opening: str) -> None:
    with pytest.raises(ClearbarError):
        read_condition(opening * ((MAX_LENGTH - 1) // len(opening)) + "a", NAMES)


@given(st.text(max_size=60) | st.text("ab0.()+-*/<>= andornt", max_size=60))
def test_any_text_is_a_condition_or_a_clearbar_error(text: str) -> None:
    try:
        condition = read_condition(text, NAMES)
    except ClearbarError:
        return
    assert condition.holds({"a": 1.0, "b": None, "c": 0.0}) in {True, False, None}


numbers = st.fixed_dictionaries(dict.fromkeys(NAMES, st.none() | st.integers(-3, 3).map(float)))
sums = st.recursive(
    st.sampled_from([*NAMES, "0", "2", "0.5"]),
    lambda parts: st.tuples(parts, st.sampled_from("+-*"), parts).map(
        lambda each: f"({' '.join(each)})"
    ),
    max_leaves=4,
)
compares = st.tuples(sums, st.sampled_from([">", ">=", "<", "<=", "=="]), sums).map(" ".join)
conditions = st.recursive(
    compares,
    lambda parts: (
        parts.map(lambda each: f"(not {each})")
        | st.tuples(parts, st.sampled_from(["and", "or"]), parts).map(
            lambda each: f"({' '.join(each)})"
        )
    ),
    max_leaves=6,
).filter(lambda text: re.search(r"\b[abc]\b", text))


@given(conditions, numbers)
def test_with_every_number_known_it_answers_as_python_does(
    text: str, known: dict[str, float | None]
) -> None:
    values = {name: value or 0.0 for name, value in known.items()}
    expected = eval(text, {"__builtins__": {}}, values)  # noqa: S307 - the oracle, on our own text
    assert read_condition(text, NAMES).holds(dict(values)) is expected


@given(conditions, numbers, st.integers(-3, 3))
def test_learning_a_number_never_changes_an_answer_that_was_known(
    text: str, known: dict[str, float | None], learned: int
) -> None:
    condition = read_condition(text, NAMES)
    before = condition.holds(known)
    after = condition.holds({name: learned if n is None else n for name, n in known.items()})
    assert before in {None, after}
