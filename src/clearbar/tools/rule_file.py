r"""Reads a rule file: TOML, with every fault at once, each with its line.

    default = "other"          # where no rule holds; left out, there is no answer then
    input_limit = 10000        # characters; no rule looks at a longer input

    [[rule]]                   # the first rule that holds gives the answer
    regex = '(?i)refund of \$(?P<amount>[0-9]+)'
    answer = 'refund \g<amount>'

    [[rule]]
    lookup = "known.csv"       # columns "input" and "answer"; equal but for case and white space

    [[rule]]
    near = "past.jsonl"        # the answer to the past input that is most alike
    likeness = 0.9

    [[rule]]                   # always holds: a JSON object of what was found
    [[rule.extract]]
    field = "email"
    regex = '[\w.+-]+@[\w-]+\.[\w.]+'
    many = true

Regular expressions are Python's. One that backtracks without end cannot be stopped, so inputs are
limited in length, and a repetition of nothing but a repetition, such as `(a+)+`, is refused. That
does not catch every such pattern: prefer classes to alternatives, and possessive `a++`.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError, DeclarationError
from clearbar.core.toml_kinds import EXACT_TEXT, list_of, number, table_of, tables_of
from clearbar.core.toml_table import Faults, Key, Kind, Place, Table, expected

if TYPE_CHECKING:
    from pathlib import Path

MAX_RULE_FILE_BYTES: Final = 4 * 1024 * 1024
DEFAULT_INPUT_LIMIT: Final = 10_000
MAX_INPUT_LIMIT: Final = 1_000_000
_NESTED_REPEAT: Final = re.compile(
    r"""\((?:\?:|\?P<\w+>)?                              # a group that holds only
        (?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\()\[\]|*+?])  # one character or class,
        (?:[*+]|\{\d*,\})\??                             # repeated without end,
        \)(?:[*+](?!\+)|\{\d*,\}(?!\+))                  # and is itself so repeated""",
    re.VERBOSE,
)
_GROUP: Final = re.compile(r"\\g<(\w+)>")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What finds one field: a pattern, or words."""

    field: str
    regex: re.Pattern[str] | None
    words: tuple[str, ...]
    words_from: str | None
    any_case: bool
    many: bool
    place: Place


@dataclass(frozen=True, slots=True)
class DeclaredRule:
    """A rule as it is declared: one of regex, lookup, near and extract."""

    regex: re.Pattern[str] | None
    answer: str | None
    full: bool
    lookup: str | None
    near: str | None
    likeness: float
    input_column: str
    answer_column: str
    extract: tuple[FieldRule, ...]
    confidence: float | None
    place: Place


@dataclass(frozen=True, slots=True)
class RuleFile:
    """All that a rule file says."""

    rules: tuple[DeclaredRule, ...]
    default: str | None
    input_limit: int


def _regex(value: object, place: Place) -> re.Pattern[str]:
    text = EXACT_TEXT.read(value, place)
    if _NESTED_REPEAT.search(text):
        raise ClearbarError(
            "a repetition of a repetition may take for ever", "leave one of the two out"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ClearbarError(f"no regular expression: {error}", "write it as Python does") from error


def _flag(value: object, _: Place) -> bool:
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


REGEX: Final = Kind("regular expression", _regex)
FLAG: Final = Kind("true or false", _flag)
LIKENESS_KIND: Final = number("likeness", "a number above 0, up to 1", lambda x: 0 < x <= 1)
CONFIDENCE_KIND: Final = number("confidence", "a number from 0 to 1", lambda x: 0 <= x <= 1)
LIMIT_KIND: Final = number(
    "characters",
    f"a whole number from 1 to {MAX_INPUT_LIMIT}",
    lambda x: x.is_integer() and 1 <= x <= MAX_INPUT_LIMIT,
)

FIELD: Final = Key("field", EXACT_TEXT, "", "The key in the answer.", '"email"', required=True)
FIELD_REGEX: Final[Key[re.Pattern[str] | None]] = Key(
    "regex", REGEX, None, "What the field looks like; its first group, if it has one.", "'[0-9]+'"
)
WORDS: Final[Key[tuple[str, ...]]] = Key(
    "words", list_of(EXACT_TEXT), (), "The texts that it may be, as whole words.", '["Paris"]'
)
WORDS_FROM: Final[Key[str | None]] = Key(
    "words_from", EXACT_TEXT, None, "A file with one such text a line.", '"cities.txt"'
)
ANY_CASE: Final = Key("any_case", FLAG, False, "Whether the words may be in any case.", "true")
MANY: Final = Key("many", FLAG, False, "A list of all that is found, not the first.", "true")
FIELD_KEYS: Final = (FIELD, FIELD_REGEX, WORDS, WORDS_FROM, ANY_CASE, MANY)


def _field(table: Table) -> FieldRule:
    means = [key.name for key in (FIELD_REGEX, WORDS, WORDS_FROM) if key.name in table.values]
    if len(means) != 1:
        table.place.fault("expected one of regex, words and words_from")
    return FieldRule(
        field=table.take(FIELD),
        regex=table.take(FIELD_REGEX),
        words=table.take(WORDS),
        words_from=table.take(WORDS_FROM),
        any_case=table.take(ANY_CASE),
        many=table.take(MANY),
        place=table.place,
    )


RULE_REGEX: Final[Key[re.Pattern[str] | None]] = Key(
    "regex", REGEX, None, "Holds where this is found in the input.", "'(?i)refund'"
)
ANSWER: Final[Key[str | None]] = Key(
    "answer", EXACT_TEXT, None, "The answer of a regex; \\g<NAME> is a group.", '"refund"'
)
FULL: Final = Key("full", FLAG, False, "Whether the regex has to match the whole input.", "true")
LOOKUP: Final[Key[str | None]] = Key(
    "lookup", EXACT_TEXT, None, "A table of inputs and answers (CSV, JSONL).", '"known.csv"'
)
NEAR: Final[Key[str | None]] = Key(
    "near", EXACT_TEXT, None, "A table of past inputs and answers.", '"past.jsonl"'
)
LIKENESS: Final = Key(
    "likeness", LIKENESS_KIND, 0.9, "Least Jaccard index of four-character pieces.", "0.85"
)
INPUT_COLUMN: Final = Key(
    "input_column", EXACT_TEXT, "input", "The table's column of inputs.", '"question"'
)
ANSWER_COLUMN: Final = Key(
    "answer_column", EXACT_TEXT, "answer", "The table's column of answers.", '"label"'
)
EXTRACT: Final[Key[tuple[FieldRule, ...]]] = Key(
    "extract",
    tables_of(FIELD_KEYS, _field),
    (),
    "Fields to find. Of texts that overlap, the field that stands first in the file has it.",
)
CONFIDENCE: Final[Key[float | None]] = Key(
    "confidence",
    CONFIDENCE_KIND,
    None,
    "How sure its answers are; left out: 1, and for near the likeness.",
    "0.97",
)
RULE_KEYS: Final = (
    RULE_REGEX,
    ANSWER,
    FULL,
    LOOKUP,
    NEAR,
    LIKENESS,
    INPUT_COLUMN,
    ANSWER_COLUMN,
    EXTRACT,
    CONFIDENCE,
)
_MEANS: Final = (RULE_REGEX, LOOKUP, NEAR, EXTRACT)
_BELONGS_TO: Final = {
    ANSWER.name: {"regex"},
    FULL.name: {"regex"},
    LIKENESS.name: {"near"},
    INPUT_COLUMN.name: {"lookup", "near"},
    ANSWER_COLUMN.name: {"lookup", "near"},
}


def _rule(table: Table) -> DeclaredRule:
    means = {key.name for key in _MEANS if key.name in table.values}
    if len(means) != 1:
        table.place.fault("expected one of regex, lookup, near and extract")
    for name, kinds in _BELONGS_TO.items():
        if name in table.values and not means & kinds:
            table.place.at(name).fault(f"belongs to a rule with {' or '.join(sorted(kinds))}")
    regex, answer = table.take(RULE_REGEX), table.take(ANSWER)
    if regex is not None:
        _check_answer(table, regex, answer)
    return DeclaredRule(
        regex=regex,
        answer=answer,
        full=table.take(FULL),
        lookup=table.take(LOOKUP),
        near=table.take(NEAR),
        likeness=table.take(LIKENESS),
        input_column=table.take(INPUT_COLUMN),
        answer_column=table.take(ANSWER_COLUMN),
        extract=table.take(EXTRACT),
        confidence=table.take(CONFIDENCE),
        place=table.place,
    )


def _check_answer(table: Table, regex: re.Pattern[str], answer: str | None) -> None:
    if answer is None:
        table.place.fault('expected the key "answer" beside "regex", found none')
        return
    for name in _GROUP.findall(answer):
        known = int(name) <= regex.groups if name.isdecimal() else name in regex.groupindex
        if not known:
            table.place.at(ANSWER.name).fault(f'the regex has no group "{name}"')


def filled_in(answer: str, match: re.Match[str]) -> str:
    r"""Return the answer with what stands for \g<NAME>; a group that took no part is empty."""
    return _GROUP.sub(lambda named: match[_group(named[1])] or "", answer)


def _group(name: str) -> str | int:
    return int(name) if name.isdecimal() else name


DEFAULT: Final[Key[str | None]] = Key(
    "default", EXACT_TEXT, None, "The answer where no rule holds, at confidence 0.", '"other"'
)
INPUT_LIMIT: Final = Key(
    "input_limit",
    LIMIT_KIND,
    float(DEFAULT_INPUT_LIMIT),
    "No rule looks at an input of more characters.",
    "2000",
)
RULES: Final[Key[tuple[DeclaredRule, ...]]] = Key(
    "rule", tables_of(RULE_KEYS, _rule), (), "The rules, in order.", required=True
)
KEYS: Final = (DEFAULT, INPUT_LIMIT, RULES)
_FILE: Final = table_of(
    KEYS,
    lambda table: RuleFile(table.take(RULES), table.take(DEFAULT), int(table.take(INPUT_LIMIT))),
)


def parse_rules(data: bytes, path: Path) -> tuple[RuleFile, Faults]:
    """Return what a rule file says, and its faults so far, to which the caller may add.

    Raises:
        DeclarationError: when it is not TOML.
    """
    if len(data) > MAX_RULE_FILE_BYTES:
        raise DeclarationError(f"{path.name} is larger than {MAX_RULE_FILE_BYTES // 1024**2} MB")
    try:
        text = data.decode("utf-8-sig")
        values = tomllib.loads(text, parse_float=_exact)
        faults = Faults(path.name, text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DeclarationError(f"{path.name}:{line}: not UTF-8", "save it as UTF-8") from error
    except ValueError as error:
        raise _not_toml(str(error), text, path.name) from error
    except RecursionError as error:
        raise DeclarationError(f"{path.name}:1: nested too deeply") from error
    return _FILE.read(values, Place(faults)), faults


def _exact(number_text: str) -> Decimal:
    try:
        return Decimal(number_text)
    except ArithmeticError as error:
        raise ValueError("a number out of all bounds") from error


def _not_toml(said: str, text: str, file: str) -> DeclarationError:
    where = re.search(r"at line (\d+)", said)
    at_end = text.count("\n") + 1 if "at end" in said else 1
    what = said.partition(" (at ")[0]
    return DeclarationError(
        f"{file}:{where[1] if where else at_end}: not TOML: {what[:1].lower()}{what[1:]}",
        "regular expressions stand in single quotes, tables of rules under [[rule]]",
    )
