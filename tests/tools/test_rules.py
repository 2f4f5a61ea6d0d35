"""Rule files: what they answer, and what is said of a faulty one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import ClearbarError, DeclarationError
from clearbar.tools.rules import RuleSet, load_rules
from clearbar.tools.tool import Answer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def rules(folder: Path, text: str, **files: str) -> RuleSet:
    for name, contents in files.items():
        (folder / name.replace("_", ".")).write_text(contents, encoding="utf-8")
    (folder / "rules.toml").write_text(text, encoding="utf-8")
    return load_rules(folder / "rules.toml")


def faults(folder: Path, text: str, **files: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        rules(folder, text, **files)
    return caught.value.message


REFUND = "[[rule]]\nregex = '(?i)refund'\nanswer = 'refund'\n"


def test_the_first_rule_that_holds_answers(folder: Path) -> None:
    found = rules(folder, REFUND + "[[rule]]\nregex = 'n'\nanswer = 'other'\n")
    assert found.answer("a Refund now") == Answer("refund", confidence=1.0)
    assert found.answer("now").text == "other"


def test_where_no_rule_holds_there_is_an_empty_answer_at_confidence_zero(folder: Path) -> None:
    assert rules(folder, REFUND).answer("hello") == Answer("", confidence=0.0)


def test_the_default_is_given_at_confidence_zero(folder: Path) -> None:
    found = rules(folder, 'default = "other"\n' + REFUND)
    assert found.answer("hello") == Answer("other", confidence=0.0)


def test_groups_are_put_into_the_answer(folder: Path) -> None:
    text = r"""
    [[rule]]
    regex = 'refund of \$(?P<amount>[0-9]+)( now)?'
    answer = 'refund \g<amount>\g<2>, all of "\g<0>"'
    """
    answer = rules(folder, text).answer("a refund of $12 please").text
    assert answer == 'refund 12, all of "refund of $12"'


def test_a_full_rule_matches_the_whole_input(folder: Path) -> None:
    found = rules(folder, "[[rule]]\nregex = 'yes|y'\nanswer = '1'\nfull = true\n")
    assert [found.answer(text).text for text in ("y", "yes", "yes!")] == ["1", "1", ""]


def test_a_declared_confidence_is_given(folder: Path) -> None:
    assert rules(folder, REFUND + "confidence = 0.75\n").answer("refund").confidence == 0.75


def test_a_longer_input_than_the_limit_is_looked_at_by_no_rule(folder: Path) -> None:
    found = rules(folder, "input_limit = 10\n" + REFUND)
    assert found.answer("refund" + " " * 4).text == "refund"
    assert found.answer("refund" + " " * 5) == Answer("", confidence=0.0)


LOOKUP = '[[rule]]\nlookup = "known.csv"\n'


def test_a_known_input_is_looked_up_without_case_and_white_space(folder: Path) -> None:
    found = rules(folder, LOOKUP, known_csv="input,answer\nWhere is my  Card?,card\n")
    assert found.answer(" where IS my card? ") == Answer("card", confidence=1.0)
    assert found.answer("where is my card").confidence == 0.0


def test_of_several_answers_to_one_input_the_most_frequent_counts(folder: Path) -> None:
    found = rules(folder, LOOKUP, known_csv="input,answer\na,x\nA,y\n a,y\n")
    assert found.answer("a").text == "y"


def test_columns_can_be_named(folder: Path) -> None:
    text = LOOKUP + 'input_column = "question"\nanswer_column = "label"\n'
    found = rules(folder, text, known_csv="id,question,label\n1,hi,greeting\n")
    assert found.answer("hi").text == "greeting"


def test_a_table_may_be_json_lines(folder: Path) -> None:
    text = LOOKUP.replace("csv", "jsonl")
    lines = [
        '{"input": "a", "answer": {"x": 1}}',
        "",
        '{"input": "b", "answer": 7}',
        '{"input": "c", "answer": true}',
    ]
    found = rules(folder, text, known_jsonl="\n".join(lines))
    assert [found.answer(each).text for each in "abc"] == ['{"x":1}', "7", "true"]


def test_rows_that_cannot_be_read_are_problems_and_the_others_count(folder: Path) -> None:
    lines = ["[1]", '{"input": "a"}', '{"input": "b", "answer": "x"}', "nonsense"]
    found = rules(folder, LOOKUP.replace("csv", "jsonl"), known_jsonl="\n".join(lines))
    assert found.answer("b").text == "x"
    assert [problem.line for problem in found.problems] == [1, 2, 4]


def test_a_field_that_is_too_long_is_a_problem(folder: Path) -> None:
    table = "input,answer\n" + "x" * 200_000 + ",long\nb,x\n"
    found = rules(folder, LOOKUP, known_csv=table)
    assert found.answer("b").text == "x"
    assert len(found.problems) == 1


NEAR = '[[rule]]\nnear = "past.csv"\nlikeness = 0.6\n'
PAST = "input,answer\nGold futures end the week higher,up\nSilver slips on weak demand,down\n"


def test_a_near_duplicate_has_the_answer_of_the_past_input(folder: Path) -> None:
    answer = rules(folder, NEAR, past_csv=PAST).answer("gold futures end the day higher")
    assert answer.text == "up"
    assert answer.confidence == pytest.approx(0.675, abs=0.05)


def test_what_is_like_no_past_input_has_no_answer(folder: Path) -> None:
    assert rules(folder, NEAR, past_csv=PAST).answer("copper is flat").confidence == 0.0


def test_a_near_rule_may_have_a_declared_confidence(folder: Path) -> None:
    found = rules(folder, NEAR + "confidence = 0.5\n", past_csv=PAST)
    assert found.answer("silver slips on weak demand").confidence == 0.5


EXTRACT = r"""
[[rule]]
[[rule.extract]]
field = "card"
regex = '\b[0-9]{8}\b'
many = true
[[rule.extract]]
field = "number"
regex = 'no\. ?([0-9]+)'
[[rule.extract]]
field = "city"
words = ["New York", "York", "Rome"]
many = true
"""


def test_fields_are_extracted_as_json(folder: Path) -> None:
    answer = rules(folder, EXTRACT).answer("no. 12 in Rome, no. 13, 12345678 and New York")
    assert json.loads(answer.text) == {
        "number": "12",
        "city": ["Rome", "New York"],
        "card": ["12345678"],
    }


def test_of_overlapping_texts_the_earlier_field_has_it(folder: Path) -> None:
    assert json.loads(rules(folder, EXTRACT).answer("no. 12345678").text) == {"card": ["12345678"]}


def test_where_nothing_is_found_the_object_is_empty(folder: Path) -> None:
    assert rules(folder, EXTRACT).answer("nothing") == Answer("{}", confidence=1.0)


def test_words_are_whole_words(folder: Path) -> None:
    assert rules(folder, EXTRACT).answer("Romeo in Yorkshire").text == "{}"


def test_words_come_from_a_file_in_any_case(folder: Path) -> None:
    text = '[[rule]]\n[[rule.extract]]\nfield = "city"\nwords_from = "w.txt"\nany_case = true\n'
    found = rules(folder, text, w_txt="# cities\nRome\n\nNew York\n")
    assert json.loads(found.answer("in NEW  YORK").text) == {"city": "NEW  YORK"}


def test_an_empty_match_is_no_text(folder: Path) -> None:
    text = "[[rule]]\n[[rule.extract]]\nfield = 'x'\nregex = 'a*'\n"
    assert rules(folder, text).answer("bbb").text == "{}"


def test_the_inputs_of_tables_are_known(folder: Path) -> None:
    found = rules(folder, NEAR + LOOKUP, past_csv=PAST, known_csv="input,answer\na,x\n")
    assert [found.knows(text) for text in (" A", "silver slips on weak demand", "silver")] == [
        True,
        True,
        False,
    ]


def test_the_digest_covers_the_tables(folder: Path) -> None:
    first = rules(folder, LOOKUP, known_csv="input,answer\na,x\n").digest
    assert rules(folder, LOOKUP, known_csv="input,answer\na,x\n").digest == first
    assert rules(folder, LOOKUP, known_csv="input,answer\na,y\n").digest != first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule]]\nregex = '('\nanswer = 'x'", "rules.toml:2: rule.regex: no regular expression"),
        ("[[rule]]\nregex = '[[a]'\nanswer = 'x'", "rules.toml:2: rule.regex: no regular expr"),
        ("[[rule]]\nregex = 'a'", 'rules.toml:1: rule: expected the key "answer" beside "regex"'),
        ("[[rule]]\nregex = 'a'\nanswer = '\\g<b>'", 'rule.answer: the regex has no group "b"'),
        ("[[rule]]\nregex = 'a'\nanswer = '\\g<1>'", 'rule.answer: the regex has no group "1"'),
        ("[[rule]]\nanswer = 'x'", "expected one of regex, lookup, near and extract"),
        ("[[rule]]\nanswer = 'x'", "rule.answer: belongs to a rule with regex"),
        (
            "[[rule]]\nlookup = 'a'\nnear = 'b'",
            "expected one of regex, lookup, near and extract",
        ),
        ("[[rule]]\nlookup = 'gone.csv'", "rules.toml:1: rule: gone.csv cannot be read"),
        ("[[rule]]\nnear = 'x'\nlikeness = 0", "rule.likeness: expected a number above 0, up to 1"),
        ("[[rule]]\nregexp = 'x'", 'unknown key. Did you mean "regex"?'),
        ("[[rule]]\n[[rule.extract]]\nfield = 'x'", "expected one of regex, words and words_from"),
        ("default = 'x'", 'expected the key "rule"'),
        ("input_limit = 1.5\n" + REFUND, "input_limit: expected a whole number from 1 to"),
        (REFUND + "full = 'yes'", 'rule.full: expected true or false, found "yes"'),
        ("x = ", "rules.toml:1: not TOML: invalid value"),
        ("[[rule]]\nregex = '\n", "rules.toml:3: not TOML"),
        ("x = 1e99999999999999999999", "not TOML: a number out of all bounds"),
    ],
)
def test_a_fault_says_where_and_what(folder: Path, text: str, said: str) -> None:
    assert said in faults(folder, text)


@pytest.mark.parametrize("regex", ["(a+)+", "(?:a*)*b", r"(\w+)*", "([^,]+)+,", "(?P<x>.*){2,}"])
def test_a_repetition_of_a_repetition_is_refused(folder: Path, regex: str) -> None:
    said = faults(folder, f"[[rule]]\nregex = '{regex}'\nanswer = 'x'")
    assert "may take for ever (leave one of the two out)" in said


@pytest.mark.parametrize("regex", [r"(\w+\s)*", "(a+)?", "(ab+)+", "(?:a++)+b", "(a+){2}", "a+"])
def test_other_repetitions_are_taken(folder: Path, regex: str) -> None:
    rules(folder, f"[[rule]]\nregex = '{regex}'\nanswer = 'x'")


def test_all_faults_are_said_at_once(folder: Path) -> None:
    said = faults(folder, "[[rule]]\nregex = '('\nanswer = 'x'\n[[rule]]\nlookup = 'gone.csv'\n")
    assert len(said.splitlines()) == 2


def test_a_table_without_the_columns_is_a_fault(folder: Path) -> None:
    said = faults(folder, LOOKUP, known_csv="a,b\n1,2\n")
    assert 'known.csv has no row with "input" and "answer"' in said


def test_a_table_with_too_many_rows_is_a_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.tools.answer_table.MAX_ROWS", 1)
    assert "more than 1 rows" in faults(folder, LOOKUP, known_csv="input,answer\na,x\nb,x\n")


def test_a_table_that_is_too_large_is_a_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.tools.answer_table.MAX_TABLE_BYTES", 10)
    assert "known.csv is larger than" in faults(folder, LOOKUP, known_csv="input,answer\na,x\n")


def test_a_rule_file_that_is_too_large_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.tools.rule_file.MAX_RULE_FILE_BYTES", 10)
    assert "rules.toml is larger than" in faults(folder, REFUND)


def test_a_rule_file_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(ClearbarError, match=r"gone\.toml cannot be read"):
        load_rules(folder / "gone.toml")


def test_a_rule_file_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "rules.toml").write_bytes(b"# ok\ndefault = 'caf\xe9'\n")
    with pytest.raises(DeclarationError, match=r"rules\.toml:2: not UTF-8"):
        load_rules(folder / "rules.toml")


def test_a_rule_file_that_is_nested_too_deeply_is_refused(folder: Path) -> None:
    assert "nested too deeply" in faults(folder, "x = " + "[" * 100_000 + "]" * 100_000)
