"""Lines as a source reads them from a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.sources import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.spend.sources import Source

MAPPING = TableMapping(
    "t", "*", {"started_at": "at", "input_tokens": "in", "cost_usd": "usd"}, timezone="Asia/Tokyo"
)


def read_lines(source: Source, lines: Sequence[bytes], ending: str = ".jsonl") -> list[object]:
    """Return what a source makes of a file of these lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        path.write_bytes(b"\n".join(lines))
        mapping = MAPPING if source is table else None
        return list(source.read(open_source_file(path, mapping)))
