"""JSON as files hold it: one document, or one a line; and how to take plain values out of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from clearbar.spend.files.entry import Entry
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import TOO_MUCH, holds_too_much

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import Line, SourceFile

NOT_JSON: Final = "not JSON"
CUT_SHORT: Final = "the file may have been cut short or edited"
_LINE_NAMES: Final = (".jsonl", ".ndjson", ".log")
_SURROGATES: Final = re.compile(
    rb"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


class Document(NamedTuple):
    """A decoded JSON value and the line that holds it; None where the file is one document."""

    value: Any
    line: Line | None


def documents(file: SourceFile) -> Iterator[Document | Problem]:
    """Yield the JSON values of a file, numbers with a point as exact Decimals.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    whole = not _is_lines(file)
    for line in (None,) if whole else file.lines():
        try:
            yield Document(decode(line.payload if line else file.document()), line)
        except QuarantineError as error:
            yield error.problem(line.number if line else None)


def entries(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield each value of a file; of a list, and of the list in an object's `data`, each item.

    Raises:
        UnreadableFile: when the file is damaged or too large.
    """
    for found in documents(file):
        if not isinstance(found, Document):
            yield found
            continue
        values = list(_flat(found.value))
        for place, value in enumerate(values, 1):
            alone = None if len(values) == 1 else place
            yield Entry(value, found.line.number if found.line else alone, found.line)


def decode(payload: bytes) -> Any:
    """Return the JSON value.

    Raises:
        QuarantineError: when the payload is no JSON, or holds too many values.
    """
    if holds_too_much(payload):
        raise QuarantineError(*TOO_MUCH)
    for mended in (False, True):
        text = without_lone_surrogates(payload) if mended else payload
        try:
            return _decoder.decode(text)
        except (ValueError, ArithmeticError, RecursionError):
            continue
    raise QuarantineError(NOT_JSON, CUT_SHORT)


def without_lone_surrogates(payload: bytes) -> bytes:
    """Return JSON in which half characters, as left by cut texts, are U+FFFD."""
    return _SURROGATES.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], payload)


def fields(value: object) -> dict[str, Any]:
    """Return a JSON object, also one written as text; empty for anything else.

    Raises:
        QuarantineError: when the text is no JSON.
    """
    found = _nested(value, "{")
    return found if isinstance(found, dict) else {}


def items(value: object) -> list[Any]:
    """Return a JSON array, also one written as text; empty for anything else.

    Raises:
        QuarantineError: when the text is no JSON.
    """
    found = _nested(value, "[")
    return found if isinstance(found, list) else []


def _nested(value: object, opening: str) -> object:
    if isinstance(value, str) and value.startswith(opening):
        return decode(value.encode("utf-8", "replace"))
    return value


def _flat(value: object) -> Iterator[object]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        inner = value.get("data") if isinstance(value, dict) else value
        if isinstance(inner, list):
            waiting.extend(reversed(inner))
        else:
            yield value


def _is_lines(file: SourceFile) -> bool:
    if file.name.endswith(_LINE_NAMES):
        return True
    first, _, others = file.head.partition(b"\n")
    try:
        decode(first)
    except QuarantineError:
        return False
    return bool(others.strip())
