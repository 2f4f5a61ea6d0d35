"""Text files of lines, some of them compressed; the same lines give the same bytes."""

from __future__ import annotations

import csv
import gzip
from io import StringIO
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def json_line(value: dict[str, Any]) -> bytes:
    """Return a value as one line of JSON, without its end."""
    return msgspec.json.encode(value)


def csv_line(cells: Iterable[str]) -> bytes:
    """Return cells as one line of CSV, without its end."""
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a file, compressed where its name ends in `.gz`."""
    content = b"".join(line + b"\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=5, mtime=0)
    path.write_bytes(content)
