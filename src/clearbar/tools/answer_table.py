"""Inputs with their answers: a CSV or JSONL file beside a rule file, or a list of words."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.core.errors import ClearbarError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_TABLE_BYTES: Final = 512 * 1024 * 1024
MAX_ROWS: Final = 1_000_000
MAX_FIELD_CHARACTERS: Final = 1 << 17
_CSV_HINT: Final = "quotes may be missing, or a field is too long"
_JSON_SUFFIXES: Final = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """The rows of a table that could be read, and what was wrong with the others."""

    inputs: tuple[str, ...]
    answers: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_table(data: bytes, path: Path, input_column: str, answer_column: str) -> AnswerTable:
    """Return the inputs and answers of a table; rows that lack one of them are problems.

    Files that end in .jsonl or .ndjson hold one JSON object a line; others are CSV with a header.

    Raises:
        ClearbarError: when it has not those columns, or too many rows.
    """
    text = data.decode("utf-8-sig", "replace")
    rows = _json_rows(text) if path.suffix.lower() in _JSON_SUFFIXES else _csv_rows(text)
    inputs: list[str] = []
    answers: list[str] = []
    problems: list[Problem] = []
    for line, row in rows:
        if isinstance(row, Problem):
            problems.append(row)
            continue
        found = _text(row.get(input_column)), _text(row.get(answer_column))
        if found[0] is None or found[1] is None:
            missing = input_column if found[0] is None else answer_column
            problems.append(
                Problem(f'no text in "{missing}"', "name the columns in the rule", line)
            )
        else:
            inputs.append(found[0])
            answers.append(found[1])
        if len(inputs) > MAX_ROWS:
            raise ClearbarError(f"{path.name} has more than {MAX_ROWS} rows", "take the newest")
    if not inputs:
        columns = f'"{input_column}" and "{answer_column}"'
        raise ClearbarError(f"{path.name} has no row with {columns}", "name its columns")
    return AnswerTable(tuple(inputs), tuple(answers), tuple(problems))


def read_bytes(path: Path) -> bytes:
    """Return the contents of a file that a rule names.

    Raises:
        ClearbarError: when it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TABLE_BYTES + 1)
    except OSError as error:
        said = error.strerror or str(error)
        raise ClearbarError(f"{path.name} cannot be read: {said}", "check the path") from error
    if len(data) > MAX_TABLE_BYTES:
        raise ClearbarError(f"{path.name} is larger than {MAX_TABLE_BYTES // 1024**2} MB")
    return data


def words_in(data: bytes) -> tuple[str, ...]:
    """Return the lines of a text that are neither blank nor start with #."""
    lines = (line.strip() for line in data.decode("utf-8-sig", "replace").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case dict() | list():  # an answer that is JSON is the text of that JSON
            return msgspec.json.encode(value).decode()
        case _:
            return None


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    for line, each in enumerate(io.StringIO(text), start=1):
        if not each.strip():
            continue
        try:
            yield line, msgspec.json.decode(each, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            yield line, Problem("not a JSON object", "one object a line", line)


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, Problem("not CSV", _CSV_HINT, line)
            continue
        if any(len(value) > MAX_FIELD_CHARACTERS for value in values):
            yield line, Problem("a field is too long", _CSV_HINT, line)
            continue
        if header is None:
            header = [name.strip() for name in values]
        elif values:
            yield line, dict(zip(header, values, strict=False))
