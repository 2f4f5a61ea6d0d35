"""Lines of calls as rows: what they say is what the entries say, whatever Clearbar wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from tests.route.journal.journals import ended, held

from clearbar.route.journal.call_rows import columns_of, ended_of, held_of, row_of, rows_in
from clearbar.route.journal.entry import Ended, Entry, Held, Noted, Refused
from clearbar.route.journal.tail import Lines, Tail

if TYPE_CHECKING:
    from pathlib import Path

OTHERS: Final[tuple[Entry, ...]] = (Refused(1, "req", "budget", 402), Noted(2, "reloaded", "table"))


def lines_of(*said: Any) -> Lines:
    return Lines(
        1, 0, [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in said]
    )


def read(folder: Path, lines: Lines) -> tuple[list[tuple[int, bytes, Any]], list[str]]:
    tail = Tail(folder, "w1")
    return list(rows_in(tail, lines)), [problem.what for _, problem in tail.problems]


def test_rows_are_the_entries_that_the_lines_are(tmp_path: Path) -> None:
    said: list[Entry] = [held("a"), *OTHERS, ended("a", usage={})]
    lines = lines_of(*said)
    found, problems = read(tmp_path, lines)
    assert [row for _, _, row in found] == [row_of(each) for each in said]
    assert [place[:2] for place in found] == list(zip(lines.offsets, lines.payloads, strict=True))
    assert problems == []
    assert (held_of(found[0][2]), ended_of(found[-1][2])) == (said[0], said[-1])


def shorter(entry: Held | Ended) -> bytes:
    """Return a line of a Clearbar that did not know the last field."""
    return msgspec.json.encode([*row_of(entry)][:-1])


def longer(entry: Held | Ended) -> bytes:
    """Return a line of a Clearbar that knows one more."""
    return msgspec.json.encode([*row_of(entry), "more"])


@pytest.mark.parametrize("write", [shorter, longer])
def test_lines_with_fewer_or_more_fields_are_rows_of_today(tmp_path: Path, write: Any) -> None:
    found, problems = read(tmp_path, lines_of(write(held("a")), write(ended("a")), held("b")))
    assert [row for _, _, row in found] == [
        row_of(held("a")),
        row_of(ended("a")),
        row_of(held("b")),
    ]
    assert problems == []


@pytest.mark.parametrize(
    "wrong", [b'["X",1]', b"{}", b'["R",1]', b'["N","x"]', b'["H","c1",1.5]', b'["E"]["E"]']
)
def test_a_line_that_is_no_entry_is_a_problem_and_the_others_are_read(
    tmp_path: Path, wrong: bytes
) -> None:
    found, problems = read(tmp_path, lines_of(held("a"), wrong, ended("a")))
    assert [row for _, _, row in found] == [row_of(held("a")), row_of(ended("a"))]
    assert [what.endswith("is no entry") for what in problems] == [True]


def test_calls_as_columns_say_what_their_rows_say() -> None:
    pairs = [(held("a", user="ada"), ended("a")), (held("b", user=""), ended("b", usage={}))]
    calls = columns_of([(row_of(begun), 7, row_of(end), 40, b"{}") for begun, end in pairs])
    for name in Held.__struct_fields__:
        assert list(calls.held[name]) == [getattr(begun, name) for begun, _ in pairs]
    for name in Ended.__struct_fields__:
        assert list(calls.ended[name]) == [getattr(end, name) for _, end in pairs]
    assert (calls.held_bytes, calls.offsets, calls.payloads) == ((7, 7), (40, 40), (b"{}", b"{}"))
