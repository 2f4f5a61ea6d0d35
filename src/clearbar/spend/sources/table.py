"""Any table whose columns are declared in clearbar.toml: CSV, JSON Lines, JSON or Parquet.

Where: the files that a `[[table]]` names. Each row is a record. The declaration says which column
fills which field, what is the same for all rows, and, where a cache column is mapped, whether
cached tokens are counted inside the input or beside it: there is no default, for the wrong guess
is wrong by the whole cache.

Times are ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970; texts
without an offset are in the declared zone. In CSV, money may carry `$` and thousands may be set
apart by commas. A row without a value in the identity column, or of a table without one, is known
by all that it says, in mapped columns and others, and by how many equal rows stand before it in the
file: two equal rows of a file are two charges, the same file twice adds nothing, and a corrected
mapping makes no other charges.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import ZoneInfo

from clearbar.core.errors import ClearbarError, Problem, nearest
from clearbar.spend import identity
from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    DIMENSIONS,
    METERS,
    Origin,
    Record,
    label_text,
)
from clearbar.spend.files.csv_rows import csv_rows
from clearbar.spend.files.entry import Entry, each_record, provenance
from clearbar.spend.files.json_records import entries
from clearbar.spend.files.parquet_rows import parquet_rows
from clearbar.spend.files.quarantine import quantity, rest_of, usd
from clearbar.spend.files.timestamps import moment_us
from clearbar.spend.shapes.provider_names import provider_named, service_tier_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from clearbar.spend.files.entry import Counts
    from clearbar.spend.files.source_file import SourceFile
    from clearbar.spend.files.table_mapping import TableMapping

NAME: Final = "table"
PARSER_VERSION: Final = 1
TITLE: Final = "Any table, by a declared mapping"
WHERE: Final = "the files that a [[table]] in clearbar.toml names"
CONVENTION: Final = (
    "As declared: `cached_tokens` and `reasoning_tokens` say inside or beside; cached tokens have "
    "no default."
)

_ROWS_LOOKED_AT: Final = 1_000
"""In so many rows each mapped column must occur once; JSON leaves out what it does not know."""
_GROUPED: Final = re.compile(r"-?\$?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")

_Values = dict[str, Any]


def recognises(file: SourceFile) -> bool:
    """Return whether a mapping is declared for the file."""
    return file.mapping is not None


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each row.

    Raises:
        ClearbarError: when a mapped column is not in the file.
        UnreadableFile: when the file is damaged.
    """
    mapping = file.mapping
    if mapping is None:
        raise ClearbarError(f"{file.path.name} has no mapping", "declare a [[table]] for it")
    rows = _rows(file)
    first = list(islice(rows, _ROWS_LOOKED_AT))
    _check_columns(file, mapping, [row.value for row in first if isinstance(row, Entry)])
    reader = _Reader(mapping)
    yield from each_record(chain(first, rows), reader.record)


def _rows(file: SourceFile) -> Iterator[Entry | Problem]:
    if file.head.startswith(b"PAR1"):
        return parquet_rows(file.path)
    is_json = file.name.endswith((".json", ".jsonl", ".ndjson"))
    return _objects(file) if is_json else csv_rows(file)


def _objects(file: SourceFile) -> Iterator[Entry | Problem]:
    for entry in entries(file):
        if isinstance(entry, Entry) and not isinstance(entry.value, dict):
            yield Problem("not a JSON object", "write one object for each row", entry.number)
        else:
            yield entry


def _check_columns(file: SourceFile, mapping: TableMapping, rows: list[_Values]) -> None:
    known = {column for row in rows for column in row}
    for field, column in chain(mapping.columns.items(), mapping.labels.items()):
        if rows and not any(_cell(row, column) is not _ABSENT for row in rows):
            raise ClearbarError(
                f'{file.path.name} has no column "{column}"',
                f'the table "{mapping.name}" takes {field} from it.{nearest(column, known)}',
            )


_ABSENT: Final = object()


def _cell(row: _Values, column: str) -> Any:
    """Return the value of a column, `usage.input` being `input` in the object `usage`."""
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


class _Reader:
    """Turns the rows of one file into records; counts equal rows that have no identity."""

    def __init__(self, mapping: TableMapping) -> None:
        self._mapping = mapping
        self._zone: tzinfo = ZoneInfo(mapping.timezone)
        self._equal_rows: Counter[str] = Counter()

    def record(self, row: Entry) -> Record:
        """Return the row's record.

        Raises:
            QuarantineError: when the row does not add up.
        """
        mapping = self._mapping
        taken = {field: _taken(row.value, column) for field, column in mapping.columns.items()}
        labels = {
            name: _plain(_taken(row.value, column)) for name, column in mapping.labels.items()
        }
        values = {**mapping.constants, **taken}
        meters = _meters(values, mapping)
        calls = _count(values, "calls")
        billed = mapping.cost_basis == "billed"
        return Record(
            identity=self._identity(row.value, taken),
            evidence="provider" if billed else "gateway",
            origin=_origin(values, labels),
            started_at_us=moment_us(values.get("started_at"), "started_at", self._zone),
            grain="call" if calls in {None, 1} else "bucket",
            calls=1 if calls is None else calls,
            usage="final" if any(count is not None for count in meters.values()) else "missing",
            service_tier=service_tier_named(_plain(values.get("service_tier"))),
            **meters,
            reported_cost_usd=usd(_ungrouped(values.get("cost_usd")), "cost_usd"),
            reported_basis=mapping.cost_basis,
            session_id=_plain(values.get("session_id")),
            task_id=_plain(values.get("task_id")),
            **provenance(row),
        )

    def _identity(self, row: _Values, taken: _Values) -> str:
        """Return the identity; the mapping is no part of it, so that it can be corrected."""
        name = self._mapping.name
        if given := _plain(taken.get("identity")):
            known = identity.is_provider_id(given)
            return identity.upstream(name, given) if known else identity.gateway(name, given)
        said = (f"{column}={value}" for column, value in sorted(row.items()))
        content = identity.content(NAME, name, *said)
        self._equal_rows[content] += 1
        return f"{content}:{self._equal_rows[content]}"


def _taken(row: _Values, column: str) -> Any:
    value = _cell(row, column)
    return None if value is _ABSENT else value


def _plain(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _ungrouped(value: object) -> object:
    """Return a number without `$` and without commas between thousands."""
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        return value.replace(",", "").replace("$", "")
    return value


def _count(values: _Values, field: str) -> int | None:
    return quantity(_ungrouped(values.get(field)), field)


def _meters(values: _Values, mapping: TableMapping) -> Counts:
    meters: dict[str, int | None] = {
        field: _count(values, field) for field in METERS if field in values
    }
    if mapping.cached_tokens == "inside":
        inside = {
            field: meters[field]
            for field in (*CACHE_READ_METERS, *CACHE_WRITE_METERS)
            if field in meters
        }
        meters["input_tokens"] = rest_of(meters.get("input_tokens"), "input_tokens", **inside)
    reasoning = _count(values, "reasoning_tokens")
    output = meters.get("output_tokens")
    if mapping.reasoning_tokens == "inside":
        rest_of(output, "output_tokens", reasoning_tokens=reasoning)
    elif output is not None or reasoning is not None:
        meters["output_tokens"] = quantity((output or 0) + (reasoning or 0), "output_tokens")
    meters["reasoning_tokens"] = reasoning
    return cast("Counts", meters)


def _origin(values: _Values, labels: dict[str, str]) -> Origin:
    dimensions = {name: _plain(values.get(name)) for name in DIMENSIONS if name != "source"}
    dimensions["provider"] = provider_named(dimensions["provider"])
    return Origin(source=NAME, **dimensions, labels=label_text(labels))
