"""Rewrite the expected half of the samples: `make samples`; the diff is the review.

A sample is a pair: `<source>/<case>.in.<ending>` and `<source>/<case>.expected.json`; for tables
also `<case>.mapping.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from clearbar.core.errors import Problem
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from clearbar.spend.charge import Record

HERE = Path(__file__).parent


def cases() -> list[Path]:
    """Return the input halves."""
    return sorted(HERE.glob("*/*.in.*"))


def expected_half(case: Path) -> Path:
    """Return where the expected half stands."""
    return case.with_name(case.name.partition(".in.")[0] + ".expected.json")


def told(case: Path) -> list[dict[str, Any]]:
    """Return what the case's source makes of it."""
    file = open_source_file(case, _mapping(case))
    source = next(source for source in SOURCES if source.recognises(file))
    return [
        {"source": source.NAME, **_plain(item)} for item in sorted(source.read(file), key=_place)
    ]


def _mapping(case: Path) -> TableMapping | None:
    path = case.with_name(case.name.partition(".in.")[0] + ".mapping.json")
    if not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=TableMapping)


def _place(item: Record | Problem | Note) -> tuple[int, str]:
    return (0 if isinstance(item, Note) else item.line or 0), repr(item)


def _plain(item: Record | Problem | Note) -> dict[str, Any]:
    if isinstance(item, Note):
        return {"note": item._asdict()}
    kind = "problem" if isinstance(item, Problem) else "record"
    return {kind: msgspec.to_builtins(item)}


def main() -> None:
    """Rewrite them all."""
    for case in cases():
        text = json.dumps(told(case), indent=1, ensure_ascii=False)
        expected_half(case).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
