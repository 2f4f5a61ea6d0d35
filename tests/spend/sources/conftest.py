from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.files.table_mapping import TableMapping

    Reading = tuple[list[Record], list[Problem]]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Reading]:
    """Return a function: name and content of a file -> its records and its problems."""

    def read_file(name: str, content: bytes | str, mapping: TableMapping | None = None) -> Reading:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = open_source_file(path, mapping)
        source = next(source for source in SOURCES if source.recognises(file))
        items = list(source.read(file))
        records = [item for item in items if isinstance(item, Record)]
        return records, [item for item in items if isinstance(item, Problem)]

    return read_file


@pytest.fixture
def notes(tmp_path: Path) -> Callable[[str, bytes | str], list[Note]]:
    """Return a function: name and content of a file -> what is noted of it."""

    def notes_of(name: str, content: bytes | str) -> list[Note]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = open_source_file(path)
        source = next(source for source in SOURCES if source.recognises(file))
        return [item for item in source.read(file) if isinstance(item, Note)]

    return notes_of
