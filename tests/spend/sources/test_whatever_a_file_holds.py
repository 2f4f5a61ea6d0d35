"""A law of every source: whatever a file holds becomes records that can be stored, or problems."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.sources.near_values import CASES
from tests.spend.sources.read_lines import read_lines

from clearbar.core.errors import Problem
from clearbar.spend.charge import METERS, Record
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import SourceFile, UnreadableFile
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from clearbar.spend.sources import Source


@pytest.mark.parametrize(
    ("source", "ending", "values"), CASES, ids=[case[0].NAME for case in CASES]
)
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_a_file_holds_becomes_records_that_can_be_stored_or_problems(
    source: Source, ending: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    lines = [json.dumps(value).encode() for value in data.draw(st.lists(values, max_size=4))]
    for item in read_lines(source, lines, ending):
        assert isinstance(item, Record | Problem | Note)
        msgspec.json.encode(item)
        if isinstance(item, Record):
            counts = [getattr(item, meter) for meter in METERS]
            assert all(count is None or count >= 0 for count in counts)
            assert item.identity
            assert item.origin.source == source.NAME


@pytest.mark.parametrize(
    "source",
    [each for each in SOURCES if each.NAME not in {"table", "withdrawn"}],
    ids=lambda source: source.NAME,
)
@given(content=st.binary())
def test_garbage_is_never_a_record(source: Source, content: bytes) -> None:
    for ending in (".json", ".jsonl", ".csv"):
        with suppress(UnreadableFile):
            told = read_lines(source, [content], ending)
            assert all(isinstance(item, Problem | Note) for item in told)


@given(head=st.binary(), name=st.text(st.characters(codec="ascii", exclude_characters="/\0")))
def test_recognising_never_raises(head: bytes, name: str) -> None:
    for source in SOURCES:
        source.recognises(SourceFile(Path("folder") / f"{name}.jsonl", head))
