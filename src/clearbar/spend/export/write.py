"""Rows into a file, which appears whole or not at all: CSV or Parquet; or CSV to a stream."""

from __future__ import annotations

import csv
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.core.money import plain
from clearbar.spend.engine import connect, load_table, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BATCH_ROWS: Final = 20_000
_READABLE: Final = 0o666
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_csv(
    stream: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]], empty: str = ""
) -> int:
    """Write rows as CSV with a header; return how many. `empty` stands for what is not known.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: names come from
    whoever made the calls.
    """
    writer = csv.writer(stream, lineterminator="\n")
    quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    count = 0
    for row in rows:
        cells = [_said(row.get(name), empty) for name in columns]
        # Python before 3.13 does not quote a carriage return, which readers take for a line's end.
        (quoting if any("\r" in cell for cell in cells) else writer).writerow(cells)
        count += 1
    return count


def write_parquet(
    path: Path, types: Mapping[str, str], rows: Iterable[Mapping[str, Any]], scratch: Path
) -> int:
    """Write rows as a Parquet file; return how many. `types` are those of the columns."""
    names = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    with connect(scratch, threads=1) as connection:
        connection.execute(f"CREATE TEMP TABLE exported ({names})")
        connection.execute("SET preserve_insertion_order = true")
        count = 0
        for batch in _batches(rows):
            columns = {f'"{name}"': kind for name, kind in types.items()}
            values = [[_stored(row.get(name)) for name in types] for row in batch]
            load_table(connection, "batch", columns, values)
            connection.execute("INSERT INTO exported FROM batch")
            count += len(batch)
        target = quoted(str(path))
        connection.execute(f"COPY exported TO {target} (FORMAT parquet, COMPRESSION zstd)")
    return count


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes `path` in one step; nothing is left where it fails.

    What a link names is replaced, and not the link; a file that is there keeps its mode.

    Raises:
        ClearbarError: when the folder cannot be written to, or the path is no regular file.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise ClearbarError(f"{path} is no regular file", "leave out --output for standard output")
    mode = path.stat().st_mode if path.exists() else _READABLE & ~_umask()
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        hint = "give a file in a folder that is there and can be written to"
        raise ClearbarError(f"{path} cannot be written: {error.strerror}", hint) from error
    os.close(descriptor)
    staged = Path(name)
    try:
        yield staged
        staged.chmod(stat.S_IMODE(mode))
        _sync(staged)
        staged.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise ClearbarError(f"{path} cannot be written: {error.strerror}", "free space?") from error
    finally:
        staged.unlink(missing_ok=True)


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _said(value: object, empty: str) -> str:
    if value is None:
        return empty
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    is_formula = isinstance(value, str) and value.startswith(_FORMULAS) and len(value) > 1
    return f"'{value}" if is_formula else str(value)


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return format(value, "f") if isinstance(value, Decimal) else value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
