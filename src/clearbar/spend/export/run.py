"""An export from beginning to end: which rows, in which columns, into which file."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

from clearbar.core.errors import ClearbarError, UnknownName, nearest
from clearbar.spend.export import focus, table
from clearbar.spend.export.focus_columns import COLUMNS, DECIMALS, MOMENTS
from clearbar.spend.export.write import whole, write_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from clearbar.core.period import Period
    from clearbar.spend.export.charges import Charges
    from clearbar.spend.export.focus import Explained
    from clearbar.spend.export.focus_columns import Version

Grain = Literal["charge", "day"]
FORMATS: Final = {
    "csv": "a table, one row a charge or a day",
    "parquet": "the same as a Parquet file",
    "focus-1.2": "FOCUS 1.2, by the day; CSV, or Parquet where the file is named so",
    "focus-1.4": "FOCUS 1.4, by the day; CSV, or Parquet where the file is named so",
}
"""What an export can be, with its meaning."""
GRAINS: Final[tuple[Grain, ...]] = ("charge", "day")
_FOCUS: Final = "focus-"


def export(
    charges: Charges,
    period: Period,
    form: str,
    by: str | None,
    output: Path | None,
    stream: IO[str],
    explained: Explained,
    scratch: Path,
) -> int:
    """Write the charges of a period; return how many rows.

    `by` None is the format's usual: each charge, and in FOCUS the day. `output` None writes CSV to
    `stream`.

    Raises:
        UnknownName: when there is no such format or grain.
        ClearbarError: when Parquet has no file to go to, or the file cannot be written.
    """
    by = by or ("day" if form.startswith(_FOCUS) else "charge")
    _check(form, by)
    is_parquet = form == "parquet" or (
        form.startswith(_FOCUS) and output is not None and output.suffix == ".parquet"
    )
    if output is None and is_parquet:
        raise ClearbarError("a Parquet file needs a name", "add --output FILE.parquet")
    rows, types = _rows(charges, period, form, cast("Grain", by), explained)
    if output is None:
        return write_csv(stream, list(types), rows)
    with whole(output) as staged:
        if is_parquet:
            return write_parquet(staged, types, rows, scratch)
        with staged.open("w", encoding="utf-8", newline="") as target:
            return write_csv(target, list(types), rows)


def _check(form: str, by: str) -> None:
    if form not in FORMATS:
        raise UnknownName(
            f'no format "{form}".{nearest(form, FORMATS)}', f"one of {', '.join(FORMATS)}"
        )
    if by not in GRAINS:
        known = f"one of {', '.join(GRAINS)}"
        raise UnknownName(f'no rows by "{by}".{nearest(by, GRAINS)}', known)
    if form.startswith(_FOCUS) and by != "day":
        raise ClearbarError(
            "FOCUS has rows by the day", "leave out --by, or ask for csv or parquet"
        )


def _rows(
    charges: Charges, period: Period, form: str, by: Grain, explained: Explained
) -> tuple[Iterator[Mapping[str, Any]], dict[str, str]]:
    """Return the rows, and the type of each of their columns."""
    if form.startswith(_FOCUS):
        version = cast("Version", form.removeprefix(_FOCUS))
        types = {name: _focus_type(name) for name in COLUMNS[version]}
        return _in_focus(charges, period, explained, version), types
    if by == "day":
        return _by_day(charges, period), table.types_of(table.BY_DAY)
    return _one_by_one(charges, period), table.types_of(table.BY_CHARGE)


def _focus_type(name: str) -> str:
    if name in DECIMALS:
        return "DECIMAL(38,24)"
    return "TIMESTAMP" if name in MOMENTS else "VARCHAR"


def _in_focus(
    charges: Charges, period: Period, explained: Explained, version: Version
) -> Iterator[dict[str, Any]]:
    for group in charges.groups(period):
        yield from focus.of_group(group, explained, version)
    for line in charges.beside(period):
        yield focus.of_beside(line, version)


def _by_day(charges: Charges, period: Period) -> Iterator[dict[str, Any]]:
    yield from map(table.of_group, charges.groups(period))
    yield from map(table.of_beside, charges.beside(period))


def _one_by_one(charges: Charges, period: Period) -> Iterator[dict[str, Any]]:
    for row, origin, workflow in charges.one_by_one(period):
        yield table.of_charge(row, origin, workflow)
    yield from map(table.of_beside, charges.beside(period))
