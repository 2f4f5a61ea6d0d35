"""Records on their way into the ledger: taken one by one, handed to the engine as whole columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec.structs import astuple, fields

from clearbar.spend.charge import Record
from clearbar.spend.columns import TAKEN
from clearbar.spend.storage.arrays import array_of, constant, joined, literal, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    import duckdb

    from clearbar.spend.charge import Origin
    from clearbar.spend.storage.arrays import Array

Kind: TypeAlias = "tuple[Origin, tuple[str, ...]]"
"""What many records of a file have in common: the origin, and the fields that `SHARED` names."""
_SLICE_RECORDS: Final = 256
"""So many become columns at a time: few enough to be in the processor's cache still."""
NANO_DOLLARS: Final = "reported_cost_nusd"
"""Stands for `reported_cost_usd` where whole nano-dollars say it, which are quicker to take."""
_TAKEN: Final = {**TAKEN, NANO_DOLLARS: "BIGINT"}
_COLUMNS: Final = {"row_id": "BIGINT", "given_number": "BIGINT", **_TAKEN}
_DEFAULTS: Final = {field.name: field.default for field in fields(Record)} | {NANO_DOLLARS: None}


class Batch:
    """Records in memory. A slice at a time becomes arrays, which take a third of the room."""

    def __init__(self) -> None:
        self._slice: list[Record] = []
        self._given_numbers: list[int] = []
        self._slices: list[dict[str, Array]] = []
        """Columns of each, without those in which every record says the default."""

    def add(self, record: Record, given_number: int) -> None:
        """Take a record, and the number of what it shares with others."""
        self._slice.append(record)
        self._given_numbers.append(given_number)
        if len(self._slice) >= _SLICE_RECORDS:
            self._turn()

    def add_all(self, columns: Mapping[str, Sequence[Any]], given_numbers: Sequence[int]) -> None:
        """Take records as columns; what is not there is the default in each of them."""
        if self._slice:
            self._turn()
        arrays = {name: array_of(values, _TAKEN[name]) for name, values in columns.items()}
        arrays["given_number"] = array_of(given_numbers, "BIGINT")
        self._slices.append(arrays)

    def tells(self, name: str) -> bool:
        """Return whether any record says other than the default of a column."""
        if self._slice:
            self._turn()
        return any(name in columns for columns in self._slices)

    def shown(
        self, connection: duckdb.DuckDBPyConnection, view: str
    ) -> AbstractContextManager[None]:
        """Let a connection see the records as a view.

        Its columns are `row_id`, `given_number`, `TAKEN` and `NANO_DOLLARS`.
        """
        if self._slice:
            self._turn()
        names = {name for columns in self._slices for name in columns}
        arrays = {name: joined([_column(name, each) for each in self._slices]) for name in names}
        arrays["row_id"] = array_of(range(len(arrays["given_number"])), "BIGINT")
        return shown(connection, view, _COLUMNS, arrays, _DEFAULTS)

    def _turn(self) -> None:
        """Turn the records of the slice into columns."""
        values = zip(*map(astuple, self._slice), strict=True)
        told = dict(zip(Record.__struct_fields__, values, strict=True))
        columns = {
            name: array_of(told[name], kind)
            for name, kind in TAKEN.items()
            if not _is_only(told[name], _DEFAULTS[name])
        }
        columns["given_number"] = array_of(self._given_numbers, "BIGINT")
        self._slices.append(columns)
        self._slice, self._given_numbers = [], []


def kind_of(record: Record) -> Kind:
    """Return what a record has in common with many others."""
    return record.origin, (
        record.evidence,
        record.grain,
        record.status,
        record.usage,
        record.service_tier,
        record.speed,
        record.geo,
        record.reported_basis,
        record.reported_currency,
        record.charge_category,
        record.commitment_status,
    )


def unsaid(name: str) -> str:
    """Return the default of a column, in SQL."""
    return literal(_DEFAULTS[name], _TAKEN[name])


def _is_only(values: tuple[object, ...], value: object) -> bool:
    return values[0] == value and values.count(value) == len(values)


def _column(name: str, columns: dict[str, Array]) -> Array:
    """Return a column of a slice, also one in which every record says the default."""
    if name in columns:
        return columns[name]
    return constant(_DEFAULTS[name], len(columns["given_number"]), _TAKEN[name])
