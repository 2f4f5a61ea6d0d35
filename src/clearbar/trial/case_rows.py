"""A row of a file of cases -> the case it tells of; `cases.py` says what the columns mean."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.spend.files.entry import text
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.timestamps import moment_us
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.files.entry import Entry

MAX_CHARACTERS: Final = 2_000_000
"""Of one text of a case."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ANSWER_OF: Final = "answer."
_encoder: Final = msgspec.json.Encoder(decimal_format="number", order="sorted")


def case_of(row: Entry, file: str, *, csv: bool) -> Case:
    """Return the case that a row tells of; in CSV an empty cell is no value.

    Raises:
        QuarantineError: when it tells of none.
    """
    values: Mapping[str, Any] = row.value
    if csv:
        values = {name: value for name, value in values.items() if value != ""}
    asked = _said(values.get("input"), "input")
    if asked is None or not asked.strip():
        raise QuarantineError("no input", "write what is asked into the column input")
    reference = _said(values.get("reference"), "reference")
    at = values.get("at")
    return Case(
        id=_name(values.get("id")) or f"content:{digest([asked, reference])[:24]}",
        input=asked,
        reference=reference,
        cluster=_name(values.get("cluster")) or None,
        answers=_answers(values),
        at=None if at is None else _EPOCH + timedelta(microseconds=moment_us(at, "at")),
        file=file,
        line=row.number,
    )


def _said(value: object, name: str) -> str | None:
    """Return a value as text: text as it stands, true and false and numbers as JSON writes them."""
    if value is None or isinstance(value, str):
        said = value
    else:
        try:
            said = _encoder.encode(value).decode()
        except TypeError:
            raise QuarantineError(f"{name} is neither text nor a JSON value") from None
    if said is not None and len(said) > MAX_CHARACTERS:
        raise QuarantineError(f"{name} has more than {MAX_CHARACTERS:,} characters")
    return said


def _name(value: object) -> str:
    """Return an id as text; a table with gaps may hold whole numbers as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else text(value)


def _answers(values: Mapping[str, Any]) -> dict[str, str]:
    table = values.get("answers")
    if isinstance(table, str):
        table = _decoded(table)
    if table is not None and not isinstance(table, dict):
        raise QuarantineError("answers is no table", 'write {"TOOL": "its answer"}')
    found: dict[str, Any] = dict(table or {})
    for column, value in values.items():
        tool = column.removeprefix(_ANSWER_OF)
        logged = tool and tool != column and value is not None
        if logged and found.setdefault(tool, value) != value:
            raise QuarantineError("answers and answer.TOOL contradict each other")
    said = {str(tool): _said(answer, "an answer") for tool, answer in found.items()}
    return {tool: answer for tool, answer in said.items() if answer is not None}


def _decoded(table: str) -> object:
    try:
        return msgspec.json.decode(table.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise QuarantineError("answers is no JSON", 'write {"TOOL": "its answer"}') from None


def digest(value: object) -> str:
    """Return the SHA-256 of a value written as canonical JSON, in hexadecimal."""
    return hashlib.sha256(_encoder.encode(value)).hexdigest()
