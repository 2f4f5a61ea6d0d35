"""Reads `grade = { kind = ..., ... }` of a trial: the kinds of graders and their settings."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args

from clearbar.core.toml_kinds import (
    EXACT_TEXT,
    SHARE,
    TEXT,
    choice,
    decimal_of,
    list_of,
    number,
    table_of,
)
from clearbar.core.toml_table import Faults, Key, Kind, Place, Table, expected
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.trial.grading.grade import Measure, Which, compiled, normal_form
from clearbar.trial.grading.grade_settings import GRADE_KINDS, GradeKind, GradeSettings, TextForm

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_TIMEOUT_S: Final = 3600
_CALLABLE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def _flag(value: object, _: Place) -> bool:
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def _tolerance(value: object, _: Place) -> Decimal:
    found = decimal_of(value)
    if found is None or found < 0:
        raise expected("a number, zero or more", value)
    return found


def _group(value: object, _: Place) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise expected("the number or the name of a group", value)
    return value


def _part(value: object, place: Place) -> Decimal:
    share = SHARE.read(value, place)
    if not share:
        raise expected("a share above 0, up to 1", value)
    return share


def _callable(value: object, place: Place) -> str:
    name = TEXT.read(value, place)
    if not _CALLABLE.fullmatch(name):
        raise expected('"module:callable"', value)
    return name


_FLAG: Final = Kind("true or false", _flag)
_TOLERANCE: Final = Kind("number", _tolerance)

KIND: Final[Key[GradeKind]] = Key(
    "kind",
    choice(GRADE_KINDS),
    "exact",
    "The kind of grader. By text: `exact`, `normalised` (case, white space and punctuation do not"
    " count), `numeric`, `regex`, `label` (which of the labels the answer names), `one_of` (the"
    " reference holds several right answers), `set`. By JSON: `json_fields` (F1 of the values),"
    " `json_schema`. Your own: `command`, `python`. By opinion: `judge` (a model), `person`.",
    '"normalised"',
    required=True,
)
ABSOLUTE: Final = Key(
    "absolute", _TOLERANCE, Decimal(0), "numeric: how far off a number may be.", "0.01"
)
RELATIVE: Final = Key(
    "relative",
    _TOLERANCE,
    Decimal(0),
    "numeric: how far off, as a share of the reference; of both, the wider counts.",
    "0.001",
)
TAKE: Final[Key[Which | None]] = Key(
    "take",
    choice(get_args(Which)),
    None,
    "numeric: which number of an answer counts (else the last); regex: which match (else the"
    " first).",
    '"first"',
)
PATTERN: Final[Key[str | None]] = Key(
    "pattern",
    EXACT_TEXT,
    None,
    "regex: what has to be found in the answer; without it, the reference is the pattern.",
    "'answer is (\\d+)'",
)
GROUP: Final[Key[str | int | None]] = Key(
    "group",
    Kind("number or text", _group),
    None,
    "regex: the group of the pattern that has to equal the reference; without it, finding is"
    " enough.",
    "1",
)
IGNORE_CASE: Final = Key("ignore_case", _FLAG, False, "regex: whether case does not count.", "true")
LABELS: Final[Key[tuple[str, ...]]] = Key(
    "labels", list_of(TEXT), (), "label: all labels there are.", '["spam", "ham"]'
)
SEPARATOR: Final[Key[str | None]] = Key(
    "separator",
    EXACT_TEXT,
    None,
    'set: what stands between items (else ","); one_of: what stands between the right answers of'
    ' a reference (else "|"). A JSON list needs none.',
    '";"',
)
MEASURE: Final[Key[Measure]] = Key(
    "measure", choice(get_args(Measure)), "f1", "set: how the overlap is measured.", '"jaccard"'
)
FIELDS: Final[Key[tuple[str, ...]]] = Key(
    "fields",
    list_of(EXACT_TEXT),
    (),
    "json_fields: the outermost fields that count; else all.",
    '["name", "date"]',
)
TEXT_FORM: Final[Key[TextForm]] = Key(
    "text",
    choice(get_args(TextForm)),
    "exact",
    "json_fields: whether texts have to be equal exactly, or in their normal form.",
    '"normalised"',
)
NULL_IS_ABSENT: Final = Key(
    "null_is_absent",
    _FLAG,
    False,
    "json_fields: whether null is the same as a field left out.",
    "true",
)
SCHEMA: Final[Key[str | None]] = Key(
    "schema",
    EXACT_TEXT,
    None,
    "json_schema: the file of the schema, relative to clearbar.toml; without it, the reference of"
    " a case is its schema.",
    '"schemas/invoice.json"',
)
COMMAND: Final[Key[tuple[str, ...]]] = Key(
    "command",
    list_of(EXACT_TEXT),
    (),
    "command: the program and its arguments; it reads {input, answer, reference} as JSON and"
    " writes a score from 0 to 1.",
    '["python3", "graders/tone.py"]',
)
FUNCTION: Final[Key[str | None]] = Key(
    "function",
    Kind("text", _callable),
    None,
    "python: module:callable, called with input, answer and reference; returns a score from 0 to"
    " 1, or true or false.",
    '"graders.tone:score"',
)
BINARY: Final = Key(
    "binary",
    _FLAG,
    False,
    "command, python: whether the score is only ever 0 or 1, which decides with fewer cases.",
    "true",
)
TIMEOUT: Final = Key(
    "timeout_s",
    number("seconds", "seconds, above 0", lambda found: 0 < found <= _MAX_TIMEOUT_S),
    30.0,
    "command, python: how long grading one answer may take.",
    "10",
)
JUDGE: Final[Key[str | None]] = Key(
    "tool", TEXT, None, "judge: the declared tool that judges answers.", '"opus"'
)
CRITERIA: Final = Key(
    "criteria",
    TEXT,
    "",
    "judge, person: what makes an answer acceptable, in words.",
    '"Polite, and answers the question that was asked"',
)
LABEL_SHARE: Final[Key[Decimal | None]] = Key(
    "label_share",
    Kind("share", _part),
    None,
    "judge: the share of the answers it passed that people label as well, beside all that it"
    " failed; the verdict is then about people's opinion. Without it the judge is the truth, and"
    " the certificate says so.",
    "0.4",
)

GRADE_KEYS: Final = (
    KIND,
    ABSOLUTE,
    RELATIVE,
    TAKE,
    PATTERN,
    GROUP,
    IGNORE_CASE,
    LABELS,
    SEPARATOR,
    MEASURE,
    FIELDS,
    TEXT_FORM,
    NULL_IS_ABSENT,
    SCHEMA,
    COMMAND,
    FUNCTION,
    BINARY,
    TIMEOUT,
    JUDGE,
    CRITERIA,
    LABEL_SHARE,
)

_TAKES: Final[Mapping[GradeKind, tuple[Key[Any], ...]]] = {
    "exact": (),
    "normalised": (),
    "numeric": (ABSOLUTE, RELATIVE, TAKE),
    "regex": (PATTERN, GROUP, TAKE, IGNORE_CASE),
    "label": (LABELS,),
    "one_of": (SEPARATOR,),
    "set": (SEPARATOR, MEASURE),
    "json_fields": (FIELDS, TEXT_FORM, NULL_IS_ABSENT),
    "json_schema": (SCHEMA,),
    "command": (COMMAND, BINARY, TIMEOUT),
    "python": (FUNCTION, BINARY, TIMEOUT),
    "judge": (JUDGE, CRITERIA, LABEL_SHARE),
    "person": (CRITERIA,),
}
_NEEDS: Final[Mapping[GradeKind, Key[Any]]] = {
    "label": LABELS,
    "command": COMMAND,
    "python": FUNCTION,
    "judge": JUDGE,
}


def read_grade(table: Table) -> GradeSettings:
    """Return the settings of a grader; what its kind does not take, or lacks, is a fault."""
    kind = table.take(KIND)
    settings = GradeSettings(
        kind=kind,
        absolute=table.take(ABSOLUTE),
        relative=table.take(RELATIVE),
        take=table.take(TAKE),
        pattern=table.take(PATTERN),
        group=table.take(GROUP),
        ignore_case=table.take(IGNORE_CASE),
        labels=table.take(LABELS),
        separator=table.take(SEPARATOR),
        measure=table.take(MEASURE),
        fields=table.take(FIELDS),
        text=table.take(TEXT_FORM),
        null_is_absent=table.take(NULL_IS_ABSENT),
        schema=table.take(SCHEMA),
        command=table.take(COMMAND),
        function=table.take(FUNCTION),
        binary=table.take(BINARY),
        timeout_s=table.take(TIMEOUT),
        tool=table.take(JUDGE),
        criteria=table.take(CRITERIA),
        label_share=table.take(LABEL_SHARE),
    )
    if table.values.get(KIND.name) == kind:
        _check_keys(table, kind)
        _check_pattern(table, settings)
        _check_labels(table, settings)
    return settings


GRADE_TABLE: Final = table_of(GRADE_KEYS, read_grade)
"""The kind of the key `grade`."""


def grade_settings(values: Mapping[str, object]) -> GradeSettings:
    """Return the settings that a plain table holds.

    Raises:
        DeclarationError: with every fault, when it does not hold settings of a grader.
    """
    faults = Faults("grade", "")
    settings = GRADE_TABLE.read(dict(values), Place(faults))
    faults.raise_if_any()
    return settings


def taken_by(settings: GradeSettings) -> dict[str, object]:
    """Return the settings that count for the kind, in the order of the reference."""
    return {key.name: getattr(settings, key.name) for key in _TAKES[settings.kind]}


def identity_text(settings: GradeSettings, **more: str) -> str:
    """Return the canonical text of a grader: its kind, what counts of its settings, and `more`."""
    told = {"kind": settings.kind, **taken_by(settings), **more}
    plain = {name: _plain(value) for name, value in told.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value


def _check_keys(table: Table, kind: GradeKind) -> None:
    takes = [key.name for key in _TAKES[kind]]
    known = [key.name for key in GRADE_KEYS]
    for name in table.values:
        if name in known and name != KIND.name and name not in takes:
            way_out = f"it takes {', '.join(takes)}" if takes else "it takes no settings"
            table.place.at(name).fault(f'"{kind}" has no use for this: {way_out}')
    need = _NEEDS.get(kind)
    if need is not None and not table.values.get(need.name):
        table.place.fault(f'"{kind}" needs the key "{need.name}", such as {need.example}')


def _check_pattern(table: Table, settings: GradeSettings) -> None:
    if settings.pattern is None:
        if settings.group is not None:
            table.place.at(GROUP.name).fault("a group needs a pattern")
        return
    try:
        pattern = compiled(settings.pattern)
    except QuarantineError as error:
        table.place.at(PATTERN.name).fault(error.what)
        return
    groups = {*range(pattern.groups + 1), *pattern.groupindex}
    if settings.group is not None and settings.group not in groups:
        table.place.at(GROUP.name).fault("the pattern has no such group")


def _check_labels(table: Table, settings: GradeSettings) -> None:
    first: dict[str, str] = {}
    for at, label in enumerate(settings.labels):
        other = first.setdefault(normal_form(label), label)
        if other is not label:
            table.place.at(LABELS.name, at).fault(f'"{label}" and "{other}" have one normal form')
