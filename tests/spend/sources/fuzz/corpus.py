"""What the mutated files are made of: the samples of all sources, and real files where they are."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import msgspec
from tests.spend.sources.samples import cases

from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.sources import SOURCES

_MOST_BYTES: Final = 48 * 1024
"""Of a real file; larger ones cost time and hold nothing else."""
_BILLS: Final = ("aws_cur", "focus", "gcp_billing")
"""Sources of tables that are given as Parquet too."""
_OTHERS: Final = "other"


class Sample(NamedTuple):
    """A good file, the source that reads it, and the mapping of a table."""

    source: str
    name: str
    content: bytes
    mapping: TableMapping | None = None


@cache
def corpus() -> tuple[Sample, ...]:
    """Return all good files, in a stable order: the same wherever the same files are there."""
    return (*_golden(), *_parquet(), *_real())


@cache
def by_source() -> dict[str, list[Sample]]:
    """Return the good files of each source: each has the same chance, however many files it has."""
    found: dict[str, list[Sample]] = {}
    for sample in corpus():
        found.setdefault(sample.source, []).append(sample)
    return found


def _golden() -> list[Sample]:
    return [
        Sample(case.parent.name, case.name, case.read_bytes(), mapping_of(case)) for case in cases()
    ]


def mapping_of(case: Path) -> TableMapping | None:
    """Return the mapping that stands beside a sample of a table."""
    path = case.with_name(case.name.partition(".in.")[0] + ".mapping.json")
    return msgspec.json.decode(path.read_bytes(), type=TableMapping) if path.exists() else None


def _parquet() -> list[Sample]:
    """Return the tables of bills as Parquet: all columns as text, and with kinds of their own."""
    found = []
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        for sample in _golden():
            if sample.source in _BILLS and sample.name.endswith(".csv"):
                table = Path(folder) / "table.csv"
                table.write_bytes(sample.content)
                for kind, option in (("text", "all_varchar = true"), ("kinds", "sample_size = -1")):
                    written = Path(folder) / "table.parquet"
                    connection.execute(
                        f"COPY (FROM read_csv('{table}', {option})) TO '{written}' (FORMAT parquet)"
                    )
                    name = sample.name.replace(".csv", f".{kind}.parquet")
                    found.append(Sample(sample.source, name, written.read_bytes()))
    return found


def _real() -> list[Sample]:
    beside = Path(__file__).parents[5] / "shared" / "data"
    folder = Path(os.environ.get("CLEARBAR_DATA", beside))
    paths = sorted((folder / "formats").rglob("*")) if folder.is_dir() else []
    found = []
    for path in paths:
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            file = open_source_file(path)
            name = next((each.NAME for each in SOURCES if each.recognises(file)), _OTHERS)
            found.append(Sample(name, path.name[-100:], path.read_bytes()))
    return found
