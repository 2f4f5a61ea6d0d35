"""What the readers of bills share: rows of a table in three formats, exact money, lines left out.

A bill holds all that a cloud charges for. Lines of other services than AI are counted, and told of
in one note for each file: a ledger of AI is no place for them, and silence is none either.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar

from clearbar.core.errors import Problem
from clearbar.spend.charge import MAX_QUANTITY, label_text
from clearbar.spend.files.csv_rows import csv_header, csv_rows
from clearbar.spend.files.entry import Entry, Note, text
from clearbar.spend.files.json_records import entries, fields
from clearbar.spend.files.parquet_rows import parquet_rows
from clearbar.spend.files.quarantine import QuarantineError, signed_usd
from clearbar.spend.files.timestamps import moment_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from clearbar.spend.charge import Record
    from clearbar.spend.files.source_file import SourceFile

_PARQUET: Final = b"PAR1"
_FOOTER_BYTES: Final = 1024 * 1024
_MARK_BYTES: Final = 8
"""At the end of a Parquet file: the length of its footer, and four letters."""
_JSON_NAMES: Final = (".json", ".jsonl", ".ndjson")
_EXACT: Final = Context(prec=60)
_CURRENCY_LETTERS: Final = 3
_NONE: Final = Decimal(0)
_LARGEST: Final = Decimal(10) ** 18
"""Of a quantity; larger is a broken line."""
_Kind = TypeVar("_Kind")
_MAX_KINDS: Final = 20_000
INVOICED: Final = 10**17
"""Of `Record.final`: a line that names its invoice stands before one of an open month."""


class Money(TypedDict, total=False):
    """The fields of a `Record` that say what a bill's line costs."""

    reported_cost_usd: Decimal | None
    reported_cost: Decimal | None
    reported_currency: str


def rows(file: SourceFile) -> Iterator[Entry | Problem]:
    """Yield the rows of a CSV, JSON or Parquet file as column -> value.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    if file.head.startswith(_PARQUET):
        yield from parquet_rows(file.path)
    elif file.name.endswith(_JSON_NAMES):
        for entry in entries(file):
            if isinstance(entry, Entry) and not isinstance(entry.value, dict):
                yield Problem("not a JSON object", "write one object for each row", entry.number)
            else:
                yield entry
    else:
        yield from csv_rows(file)


def read_lines(
    file: SourceFile,
    records_of: Callable[[Entry], Iterable[Record] | None],
    hint_of: Callable[[dict[str, Any]], str],
) -> Iterator[Record | Problem | Note]:
    """Yield the records of each line; at the end a note that counts those of other services.

    `records_of` returns None for such a line. `hint_of` is given the first of them.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    left_out, hint = 0, ""
    for row in rows(file):
        if isinstance(row, Problem):
            yield row
            continue
        try:
            records = records_of(row)
        except QuarantineError as error:
            yield error.problem(row.number)
            continue
        if records is None:
            left_out += 1
            hint = hint or hint_of(row.value)
        else:
            yield from records
    if left_out:
        were = "1 line of another service was" if left_out == 1 else None
        yield Note(f"{were or f'{left_out:,} lines of other services were'} left out", hint)


def has_columns(file: SourceFile, names: Sequence[str]) -> bool:
    """Return whether a CSV file's header, or a Parquet file's footer, names all of the columns."""
    if file.head.startswith(_PARQUET):
        footer = _footer(file)
        return all(bytes([len(name)]) + name.encode() in footer for name in names)
    return file.name.endswith(".csv") and set(names) <= set(csv_header(file.head))


def _footer(file: SourceFile) -> bytes:
    """Return a Parquet file's last bytes, which name its columns; empty where it has none."""
    try:
        with file.path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _MARK_BYTES))
            mark = stream.read(_MARK_BYTES)
            if not mark.endswith(_PARQUET):
                return b""
            length = min(int.from_bytes(mark[:4], "little") + _MARK_BYTES, size, _FOOTER_BYTES)
            stream.seek(size - length)
            return stream.read(length)
    except OSError:
        return b""


def money(amount: object, name: str, currency: str) -> Money:
    """Return what a line costs, in US dollars or in the currency that it is billed in.

    Raises:
        QuarantineError: when there is no amount, or no currency.
    """
    cost = signed_usd(amount, name)
    if cost is None:
        raise QuarantineError(f"{name} is missing", "a line of a bill without an amount")
    code = currency.strip().upper()
    if len(code) != _CURRENCY_LETTERS or not code.isalpha():
        raise QuarantineError("no currency", "a line of a bill names its currency by three letters")
    if code == "USD":
        return {"reported_cost_usd": cost}
    return {"reported_cost": cost, "reported_currency": code}


def sign_of(cost: Money) -> str:
    """Return `-` for money that is given back: such a line never replaces one that is charged."""
    amount = cost.get("reported_cost_usd") or cost.get("reported_cost")
    return "-" if amount is not None and amount < 0 else ""


def number(value: object) -> Decimal | None:
    """Return a number exactly, however large a bill writes it; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and found.copy_abs() <= _LARGEST else None


def whole(amount: object, per_unit: int) -> int | None:
    """Return how many there are in `amount` units of so many; None where that is no whole number.

    Bills count tokens in thousands or millions, with decimals.
    """
    units = number(amount)
    if units is None:
        return None
    count = _EXACT.multiply(units, Decimal(per_unit))
    if count != count.to_integral_value() or not 0 <= count <= MAX_QUANTITY:
        return None
    return int(count)


def final(amount: object, *, invoiced: bool) -> int:
    """Return which of two readings of one line counts: the one invoiced, then the one of more.

    The lines of an open month grow from one export to the next.
    """
    grown = min(int((number(amount) or _NONE).copy_abs() * 1000), INVOICED - 1)
    return (INVOICED if invoiced else 0) + grown


def labels(values: Mapping[str, object], tags: Mapping[str, object]) -> str:
    """Return the text of labels: what the line says of itself, and the tags that people gave it."""
    named = {key: text(value) for key, value in tags.items()}
    return label_text(named | {key: text(value) for key, value in values.items()})


def tags_of(value: object) -> dict[str, Any]:
    """Return tags as they stand in an object, in JSON written as text, or in a list of pairs.

    A line keeps its money where they cannot be read.
    """
    if isinstance(value, list):
        pairs = [each for each in value if isinstance(each, dict)]
        return {text(pair.get("key")): pair.get("value") for pair in pairs}
    try:
        return fields(value)
    except QuarantineError:
        return {"tags": "unreadable"}


class Repeats:
    """Counts lines that say the same: a bill may well hold two equal ones, and both count."""

    def __init__(self) -> None:
        self._once: set[int] = set()
        self._more: Counter[int] = Counter()

    def numbered(self, *key: str) -> tuple[str, ...]:
        """Return the key; of a second and later equal one, with its number."""
        told = chr(31).join(key).encode("utf-8", "replace")
        digest = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")
        if digest not in self._once:
            self._once.add(digest)
            return key
        self._more[digest] += 1
        return (*key, f"#{self._more[digest] + 1}")


class Kinds(Generic[_Kind]):
    """What many lines share, worked out once for each combination of what some columns say."""

    def __init__(self, columns: Sequence[str], make: Callable[[dict[str, Any]], _Kind]) -> None:
        self._columns = columns
        self._make = make
        self._known: dict[object, _Kind] = {}

    def of(self, row: dict[str, Any]) -> _Kind:
        """Return what a row shares with others.

        Raises:
            QuarantineError: when that cannot be trusted.
        """
        told: object = tuple([row.get(column) for column in self._columns])
        try:
            return self._known[told]
        except KeyError:
            pass
        except TypeError:  # a map or a list, from a Parquet file
            told = str(told)
            if told in self._known:
                return self._known[told]
        if len(self._known) >= _MAX_KINDS:
            self._known.clear()
        made = self._known[told] = self._make(row)
        return made


@lru_cache(maxsize=1024)
def _moment_of_text(value: str, name: str) -> int:
    return moment_us(value, name)


def moment(value: object, name: str) -> int:
    """Return microseconds since 1970; bills repeat few moments many times.

    Raises:
        QuarantineError: when `value` says no moment.
    """
    return _moment_of_text(value, name) if type(value) is str else moment_us(value, name)
