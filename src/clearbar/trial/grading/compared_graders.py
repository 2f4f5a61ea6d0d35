"""Graders that compare an answer with what the reference says: by text, by JSON, by a schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.trial.case_rows import digest
from clearbar.trial.grading import grade as by_text
from clearbar.trial.grading.grade_declare import identity_text
from clearbar.trial.grading.grade_json import (
    NO_JSON,
    field_agreement,
    json_in,
    leaves,
    schema_check,
)
from clearbar.trial.grading.grader import Grade

if TYPE_CHECKING:
    import re
    from collections import Counter
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    from clearbar.trial.grading.grade_json import Leaf
    from clearbar.trial.grading.grade_settings import GradeSettings
    from clearbar.trial.grading.grader import Grader
    from clearbar.trial.trial import Case

F = TypeVar("F")
R = TypeVar("R")
_MAX_SCHEMA_BYTES: Final = 4 * 1024 * 1024


def make(settings: GradeSettings, folder: Path | None) -> Grader | None:
    """Return the grader; None where its kind is none of those here.

    Raises:
        ClearbarError: when a schema is not there or no good.
    """
    if settings.kind == "json_schema":
        return _json_schema(settings, folder)
    kind = _MAKE.get(settings.kind)
    return kind(settings) if kind else None


class _Compared(Generic[F, R]):
    """A grader that compares a form of the answer with what the case's reference says."""

    def __init__(
        self,
        text: str,
        form: Callable[[str], F],
        wanted: Callable[[Case], R],
        compare: Callable[[F, R], float],
        shown: Callable[[F], str],
        *,
        binary: bool = True,
    ) -> None:
        self.text = text
        self.binary = binary
        self._form, self._wanted, self._compare, self._shown = form, wanted, compare, shown

    def canonical(self, answer: str) -> str:
        return self._shown(self._form(answer))

    def check(self, case: Case) -> None:
        self._wanted(case)

    async def grade(self, answer: str, case: Case) -> Grade:
        return Grade(self._compare(self._form(answer), self._wanted(case)))


def _reference(case: Case) -> str:
    if case.reference is None:
        raise QuarantineError("no reference", "this grader compares answers with a reference")
    return case.reference


def _exact(settings: GradeSettings) -> Grader:
    return _Compared(
        identity_text(settings),
        str.strip,
        lambda case: _reference(case).strip(),
        lambda said, wanted: float(said == wanted),
        str,
    )


def _normalised(settings: GradeSettings) -> Grader:
    return _Compared(
        identity_text(settings),
        by_text.normal_form,
        lambda case: by_text.normal_form(_reference(case)),
        lambda said, wanted: float(said == wanted),
        str,
    )


def _numeric(settings: GradeSettings) -> Grader:
    take = settings.take or "last"

    def compare(said: Fraction | None, wanted: Fraction) -> float:
        return by_text.numeric(said, wanted, settings.absolute, settings.relative)

    return _Compared(
        identity_text(settings),
        lambda answer: by_text.number_in(answer, take),
        lambda case: by_text.reference_number(_reference(case)),
        compare,
        lambda said: "(no number)" if said is None else str(said),
    )


def _regex(settings: GradeSettings) -> Grader:
    if settings.pattern is None or settings.group is None:
        return _regex_found(settings)
    pattern = by_text.compiled(settings.pattern, ignore_case=settings.ignore_case)
    group, take = settings.group, settings.take or "first"
    folded = str.casefold if settings.ignore_case else str

    def form(answer: str) -> str | None:
        found = by_text.found_by(pattern, answer, group, take)
        return None if found is None else folded(found)

    return _Compared(
        identity_text(settings),
        form,
        lambda case: folded(_reference(case).strip()),
        lambda said, wanted: float(said == wanted),
        lambda said: "(not found)" if said is None else f"={said}",
    )


def _regex_found(settings: GradeSettings) -> Grader:
    fixed = settings.pattern

    def wanted(case: Case) -> re.Pattern[str]:
        pattern = _reference(case) if fixed is None else fixed
        return by_text.compiled(pattern, ignore_case=settings.ignore_case)

    def compare(said: str, pattern: re.Pattern[str]) -> float:
        return float(by_text.found_by(pattern, said, 0, "first") is not None)

    return _Compared(identity_text(settings), str, wanted, compare, str)


def _label(settings: GradeSettings) -> Grader:
    labels = settings.labels

    def wanted(case: Case) -> str:
        forms = {by_text.normal_form(label): label for label in labels}
        label = forms.get(by_text.normal_form(_reference(case)))
        if label is None:
            raise QuarantineError("the reference is none of the labels", "correct it, or add it")
        return label

    return _Compared(
        identity_text(settings),
        lambda answer: by_text.label_named(answer, labels),
        wanted,
        lambda said, label: float(said == label),
        lambda said: "(no label)" if said is None else f"={said}",
    )


def _one_of(settings: GradeSettings) -> Grader:
    separator = settings.separator or "|"

    def wanted(case: Case) -> Counter[str]:
        right = by_text.items_in(_reference(case), separator)
        if not right:
            raise QuarantineError("the reference holds no right answer", "write one, or several")
        return right

    return _Compared(
        identity_text(settings),
        by_text.normal_form,
        wanted,
        lambda said, right: float(said in right),
        str,
    )


def _set(settings: GradeSettings) -> Grader:
    separator = settings.separator or ","

    def form(answer: str) -> Counter[str]:
        return by_text.items_in(answer, separator)

    return _Compared(
        identity_text(settings),
        form,
        lambda case: form(_reference(case)),
        lambda said, wanted: by_text.overlap(said, wanted, settings.measure),
        lambda said: json.dumps(sorted(said)),
        binary=False,
    )


def _json_fields(settings: GradeSettings) -> Grader:
    fold, nulls = settings.text == "normalised", not settings.null_is_absent

    def form(answer: str) -> Counter[Leaf] | None:
        value = json_in(answer)
        if value is NO_JSON:
            return None
        return leaves(value, settings.fields, fold=fold, nulls=nulls)

    def wanted(case: Case) -> Counter[Leaf]:
        found = form(_reference(case))
        if found is None:
            raise QuarantineError("the reference is no JSON", "write the right answer as JSON")
        return found

    def compare(said: Counter[Leaf] | None, right: Counter[Leaf]) -> float:
        return 0.0 if said is None else field_agreement(said, right)

    return _Compared(
        identity_text(settings),
        form,
        wanted,
        compare,
        lambda said: "(no JSON)" if said is None else json.dumps(sorted(said.items())),
        binary=False,
    )


def _json_schema(settings: GradeSettings, folder: Path | None) -> Grader:
    if settings.schema is None:
        return _Compared(
            identity_text(settings),
            str,
            lambda case: schema_check(_schema(_reference(case).encode())),
            lambda said, check: float(check(said)),
            str,
        )
    content = _schema_bytes(settings.schema, folder)
    try:
        schema = _schema(content)
        allowed = schema_check(schema)
    except QuarantineError as error:
        raise ClearbarError(f"{settings.schema}: {error.what}", error.hint) from error
    return _Compared(
        identity_text(settings, schema_digest=digest(schema)),
        str,
        lambda _: None,
        lambda said, _: float(allowed(said)),
        str,
    )


def _schema_bytes(name: str, folder: Path | None) -> bytes:
    if folder is None:
        raise ClearbarError("no folder to look for the schema in", "name the one of clearbar.toml")
    try:
        with (folder / name).open("rb") as stream:
            return stream.read(_MAX_SCHEMA_BYTES)
    except OSError as error:
        raise ClearbarError(
            f"the schema {name} cannot be read: {error.strerror}",
            "it is looked for beside clearbar.toml",
        ) from error


def _schema(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        raise QuarantineError("not JSON", "write a JSON Schema") from None


_MAKE: Final[dict[str, Callable[[GradeSettings], Grader]]] = {
    "exact": _exact,
    "normalised": _normalised,
    "numeric": _numeric,
    "regex": _regex,
    "label": _label,
    "one_of": _one_of,
    "set": _set,
    "json_fields": _json_fields,
}
