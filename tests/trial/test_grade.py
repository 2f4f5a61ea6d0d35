from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.spend.files.quarantine import QuarantineError
from clearbar.trial.grading.grade import (
    MAX_SEARCHED,
    compiled,
    exact,
    found_by,
    items_in,
    label_named,
    normal_form,
    normalised,
    number_in,
    numeric,
    overlap,
    reference_number,
)
from clearbar.trial.grading.grade_json import (
    MAX_CHARACTERS,
    NO_JSON,
    field_agreement,
    json_in,
    leaves,
    schema_check,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def f1(answer: str, reference: str, *, fold: bool = False, nulls: bool = True) -> float:
    said, right = (json_in(text) for text in (answer, reference))
    return field_agreement(
        leaves(said, fold=fold, nulls=nulls), leaves(right, fold=fold, nulls=nulls)
    )


def test_exact_passes_over_white_space_around_only() -> None:
    assert exact(" Yes\n", "Yes") == 1
    assert exact("yes", "Yes") == 0
    assert exact("a  b", "a b") == 0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  Hello,\n WORLD! ", "hello world"),
        ("Straße", "strasse"),
        ("\N{LATIN SMALL LIGATURE FI}ne", "fine"),
        ("don't", "dont"),
        ("don\N{RIGHT SINGLE QUOTATION MARK}t", "dont"),
        ("well-known", "well known"),
        ("**Billing**", "billing"),
        ("$5 + 3", "$5 + 3"),
        ("1,000.50", "1,000.50"),
        ("a,b.c", "a b c"),
        ("-5", "-5"),
        ("\N{MINUS SIGN}5", "-5"),
        ("10-12", "10 12"),
        ("?!", "?!"),
        ("", ""),
    ],
)
def test_a_normal_form_drops_what_seldom_matters(text: str, form: str) -> None:
    assert normal_form(text) == form


def test_a_normal_form_keeps_what_changes_a_number() -> None:
    assert normalised("3.5", "35") == 0
    assert normalised("-5", "5") == 0
    assert normalised("1.000", "1,000") == 0


def test_answers_of_nothing_but_punctuation_are_not_all_the_same() -> None:
    assert normalised("?", "!") == 0


@given(st.text(max_size=30))
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("So the answer is 42.", "42"),
        ("First 3, then 5.", "5"),
        ("1,234,567.89", "1234567.89"),
        ("1'234", "1234"),
        ("1_000", "1000"),
        ("1\N{NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567", "1234567"),
        ("in 2 300 people", "300"),
        ("-5", "-5"),
        ("\N{MINUS SIGN}5", "-5"),
        ("= - 5", "-5"),
        ("5-3", "3"),
        ("$1,234", "1234"),
        ("-$5", "-5"),
        ("\N{EURO SIGN} 12.50", "12.5"),
        ("3/4", "3/4"),
        ("1 1/2", "3/2"),
        ("\N{VULGAR FRACTION ONE HALF}", "1/2"),
        ("3 \N{VULGAR FRACTION ONE HALF} cups", "7/2"),
        ("3\N{VULGAR FRACTION ONE HALF}", "7/2"),
        ("12%", "12/100"),
        ("12.5 %", "1/8"),
        ("12 percent", "12/100"),
        ("1.5e-3", "3/2000"),
        ("1.5 x 10^-3", "3/2000"),
        ("1.5\N{MULTIPLICATION SIGN}10^3", "1500"),
        (".5", "1/2"),
        ("**42**", "42"),
        ("_42_", "42"),
        (r"\boxed{42}", "42"),
        ("7kg", "7"),
        ("3,5", "5"),
        ("1" * 300, "1" * 300),
        ("\N{FULLWIDTH DIGIT FOUR}\N{FULLWIDTH DIGIT TWO}", "42"),
    ],
)
def test_a_number_is_read_however_it_is_written(text: str, number: str) -> None:
    assert number_in(text) == Fraction(number)


@pytest.mark.parametrize(
    "text", ["none", "gpt4", "gpt-4", "", "10/0", "1e999999", "9" * 301, "1/" + "9" * 301, "5e400"]
)
def test_what_says_no_number_is_none(text: str) -> None:
    assert number_in(text) is None


def test_the_first_number_may_be_taken_instead() -> None:
    assert number_in("3, then 5", "first") == 3


def test_a_number_at_the_very_end_of_a_long_answer_is_found() -> None:
    assert number_in("x " * MAX_SEARCHED + "42") == 42
    assert number_in("42" + " x" * MAX_SEARCHED, "first") == 42


@pytest.mark.parametrize("text", ["1,", "9", "9 ", "1/", "-", "1 1", "$ ", "1e", "1,111"])
def test_no_text_makes_looking_for_numbers_slow(text: str) -> None:
    started = time.process_time()
    number_in(text * (MAX_SEARCHED // len(text)))
    assert time.process_time() - started < 5


@given(st.integers(-(10**30), 10**30))
def test_every_whole_number_is_read_as_it_is(number: int) -> None:
    assert number_in(f"That makes {number:,} in all") == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9, places=6))
def test_every_decimal_is_read_exactly(number: Decimal) -> None:
    assert number_in(f"{number:f}") == Fraction(number)


def test_of_two_tolerances_the_wider_counts() -> None:
    tenth, part = Decimal("0.1"), Decimal("0.01")
    assert numeric(Fraction("10.1"), Fraction(10), tenth, Decimal(0)) == 1
    assert numeric(Fraction("10.1001"), Fraction(10), tenth, Decimal(0)) == 0
    assert numeric(Fraction(-101), Fraction(-100), Decimal(0), part) == 1
    assert numeric(Fraction("101.1"), Fraction(100), tenth, part) == 0
    assert numeric(None, Fraction(0), tenth, part) == 0


def test_without_tolerance_numbers_have_to_be_equal_and_exactness_is_exact() -> None:
    third = number_in("1/3")
    assert numeric(third, Fraction(1, 3), Decimal(0), Decimal(0)) == 1
    assert numeric(number_in("0.3333333333"), Fraction(1, 3), Decimal(0), Decimal(0)) == 0
    assert numeric(number_in("0.1"), Fraction(1, 10), Decimal(0), Decimal(0)) == 1


def test_percent_is_a_hundredth_on_either_side() -> None:
    assert reference_number("12%") == Fraction("0.12")
    assert numeric(number_in("12"), reference_number("12%"), Decimal(0), Decimal(0)) == 0


@pytest.mark.parametrize(("text", "what"), [("none", "no number"), ("3 or 5", "several numbers")])
def test_a_reference_has_to_say_one_number(text: str, what: str) -> None:
    with pytest.raises(QuarantineError, match=what):
        reference_number(text)


def test_a_pattern_gives_its_group_of_the_first_or_the_last_match() -> None:
    pattern = compiled(r"answer: (\w+)|(?P<other>none)")
    text = "answer: a, then answer: b"
    assert found_by(pattern, text, 1, "first") == "a"
    assert found_by(pattern, text, 1, "last") == "b"
    assert found_by(pattern, "none", 1, "first") == ""
    assert found_by(pattern, "none", "other", "first") == "none"
    assert found_by(pattern, "nothing", 0, "first") is None


def test_a_pattern_is_looked_for_in_the_first_characters_only() -> None:
    assert found_by(compiled("end"), "x" * MAX_SEARCHED + "end", 0, "first") is None


def test_what_is_no_pattern_is_a_bad_reference() -> None:
    with pytest.raises(QuarantineError, match="not a regular expression"):
        compiled("(")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Card lost", "card_lost"),
        ("**card_lost**", "card_lost"),
        ("It is: Refund.", "refund"),
        ("the card", "card"),
        ("The card lost case", "card_lost"),
        ("card or refund", None),
        ("cards", None),
        ("", None),
        ("refund, refund!", "refund"),
    ],
)
def test_an_answer_names_a_label(answer: str, label: str | None) -> None:
    labels = ("card", "card_lost", "refund")
    assert label_named(answer, labels) == label


def test_items_stand_between_separators_lines_or_in_a_json_list() -> None:
    assert items_in("Red; blue ;red;", ";") == Counter({"red": 1, "blue": 1})
    assert items_in("- Red\n- Blue", ",") == Counter({"red": 1, "blue": 1})
    assert items_in('["Red", "a, b", 3]', ",") == Counter({"red": 1, "a b": 1, "3": 1})
    assert items_in("", ",") == Counter()


def test_overlap_is_f1_or_jaccards_index() -> None:
    said, right = items_in("a,b,c", ","), items_in("b,c,d", ",")
    assert overlap(said, right, "f1") == pytest.approx(2 / 3)
    assert overlap(said, right, "jaccard") == 0.5
    assert overlap(Counter(), Counter(), "f1") == 1
    assert overlap(Counter(), right, "jaccard") == 0


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Here it is:\n```\n{"a": 1}\n```\nAnything else?',
        '~~~\n{"a": 1}\n~~~',
        '  ```json\n{"a": 1}\n  ```',
        'The result is {"a": 1}.',
    ],
)
def test_json_may_stand_in_a_fence_or_in_a_sentence(answer: str) -> None:
    assert json_in(answer) == {"a": 1}


@pytest.mark.parametrize(
    "answer",
    ["", "none", '{"a": 1', '{"a": 1} or {"a": 2}', "[" * 5000, "x" * (MAX_CHARACTERS + 1)],
)
def test_what_holds_no_json_is_told_apart_from_null(answer: str) -> None:
    assert json_in(answer) is NO_JSON
    assert json_in("null") is None


def test_fields_agree_by_path_type_and_value() -> None:
    assert f1('{"a": 1, "b": "x"}', '{"b": "x", "a": 1.0}') == 1
    assert f1('{"a": "1"}', '{"a": 1}') == 0
    assert f1('{"a": true}', '{"a": 1}') == 0
    assert f1('{"a": {"b": 1}}', '{"a.b": 1}') == 0
    assert f1('{"a": 1, "b": 2}', '{"a": 1, "b": 3}') == 0.5
    assert f1('{"a": 1}', '{"a": 1, "b": 2}') == pytest.approx(2 / 3)


def test_numbers_are_equal_by_their_exact_value() -> None:
    assert f1("[1e2, 0.10, -0.0]", "[100, 0.1, 0]") == 1
    assert f1("[10000000000000000000000001]", "[10000000000000000000000000]") == 0


def test_lists_are_multisets() -> None:
    assert f1('{"a": [1, 2, 2]}', '{"a": [2, 1, 2]}') == 1
    assert f1('{"a": [1, 2, 2]}', '{"a": [1, 2]}') == 0.8


def test_an_object_in_a_list_counts_as_a_whole() -> None:
    right = '{"people": [{"name": "A", "age": 1}, {"name": "B", "age": 2}]}'
    assert f1('{"people": [{"name": "B", "age": 2}, {"age": 1, "name": "A"}]}', right) == 1
    assert f1('{"people": [{"name": "A", "age": 2}, {"name": "B", "age": 1}]}', right) == 0


def test_empty_objects_and_lists_hold_no_value() -> None:
    assert f1('{"a": []}', "{}") == 1
    assert f1('{"a": []}', '{"a": [1]}') == 0


def test_null_is_a_value_or_a_field_left_out() -> None:
    assert f1('{"a": null}', "{}") == 0
    assert f1('{"a": null, "b": [{"c": null, "d": 1}]}', '{"b": [{"d": 1}]}', nulls=False) == 1


def test_texts_may_be_compared_in_their_normal_form() -> None:
    assert f1('{"a": "Acme, Inc."}', '{"a": "acme inc"}') == 0
    assert f1('{"a": "Acme, Inc."}', '{"a": "acme inc"}', fold=True) == 1


def test_only_the_fields_that_count_are_compared() -> None:
    assert leaves({"a": 1, "b": 2}, ("a",)) == leaves({"a": 1})


@given(JSON_VALUES, JSON_VALUES)
def test_agreement_of_fields_is_a_symmetric_score(one: object, other: object) -> None:
    score = field_agreement(leaves(one), leaves(other))
    assert 0 <= score <= 1
    assert score == field_agreement(leaves(other), leaves(one))
    assert field_agreement(leaves(one), leaves(one)) == 1


def test_a_schema_passes_what_it_allows() -> None:
    allows = schema_check(
        {
            "type": "object",
            "properties": {"n": {"type": "integer"}},
            "required": ["n"],
            "$ref": "#/$defs/small",
            "$defs": {"small": {"maxProperties": 1}},
        }
    )
    assert allows('```json\n{"n": 1.0}\n```')
    assert not allows('{"n": "1"}')
    assert not allows('{"n": 1, "m": 2}')
    assert not allows("n = 1")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "other.json"},
        {"$schema": "http://127.0.0.1:9/meta"},
        {"type": "wrong"},
        [1],
    ],
)
def test_a_schema_that_does_not_stand_alone_is_refused(schema: object) -> None:
    with pytest.raises(QuarantineError):
        schema_check(schema)
