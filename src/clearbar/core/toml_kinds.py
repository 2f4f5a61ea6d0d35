"""The kinds of values that declared tables hold: text, money, dates, durations, lists, tables."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from clearbar.core.errors import ClearbarError, nearest
from clearbar.core.glob import check_glob
from clearbar.core.period import parse_days
from clearbar.core.toml_table import Kind, Table, expected, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from clearbar.core.toml_table import Key, Place

T = TypeVar("T")
Name = TypeVar("Name", bound=str)

MAX_USD: Final = Decimal(10**12)
_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


def _text(value: object, _: Place) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text:
        raise expected("text", value)
    if not text.isprintable():
        raise ClearbarError("expected text, found control characters in it")
    return text


def _exact_text(value: object, _: Place) -> str:
    if not isinstance(value, str) or not value:
        raise expected("text", value)
    return value


def _date(value: object, _: Place) -> date:
    # A TOML date with a time is a datetime, which Python counts among the dates.
    if type(value) is not date:
        raise expected("a date without quotes, such as 2026-11-01", value)
    return value


def _days(value: object, place: Place) -> int:
    if not isinstance(value, str):
        raise expected('a duration in quotes, such as "28d" or "6w"', value)
    return parse_days(_text(value, place))


def _usd(value: object, _: Place) -> Decimal:
    amount = decimal_of(value)
    if amount is None or not 0 <= amount <= MAX_USD:
        raise expected('US dollars, zero or more, such as "1204.50"', value)
    return amount


def _share(value: object, _: Place) -> Decimal:
    share = decimal_of(value)
    if share is None or not 0 <= share <= 1:
        raise expected("a share from 0 to 1", value)
    return share


def _glob(value: object, place: Place) -> str:
    return check_glob(_exact_text(value, place))


TEXT: Final = Kind("text", _text)
"""Some printable words; spaces and line breaks between them become one space."""
EXACT_TEXT: Final = Kind("text", _exact_text)
"""Text of which every character counts, such as the name of a column."""
DATE: Final = Kind("date", _date)
DAYS: Final = Kind("duration", _days, lambda days: f'"{days}d"')
"""Days, from text such as `28d` or `6w`."""
USD: Final = Kind("US dollars", _usd)
"""Exact; from text, a whole number or a TOML float, which is read as it is written."""
SHARE: Final = Kind("share", _share)
GLOB: Final = Kind("glob", _glob)


def decimal_of(value: object) -> Decimal | None:
    """Return the exact number that a value is or writes; None when it is none, or not finite."""
    match value:
        case bool():
            return None
        case int():
            return Decimal(value)
        case Decimal():
            return value if value.is_finite() else None
        case str():
            return Decimal(value) if _DECIMAL.fullmatch(value) else None
        case _:
            return None


def number(name: str, what: str, fits: Callable[[float], bool]) -> Kind[float]:
    """Return the kind of numbers that fit; `what` says which do."""

    def read(value: object, _: Place) -> float:
        found = decimal_of(value)
        if found is None or not fits(float(found)):
            raise expected(what, value)
        return float(found)

    return Kind(name, read)


def choice(names: tuple[T, ...]) -> Kind[T]:
    """Return the kind of texts that are one of `names`."""
    texts = [str(name) for name in names]
    quoted = [f'"{text}"' for text in texts]
    what = " or ".join([", ".join(quoted[:-1]), quoted[-1]])

    def read(value: object, _: Place) -> T:
        if isinstance(value, str) and value in texts:
            return names[texts.index(value)]
        raise expected(what, value, nearest(value, texts) if isinstance(value, str) else "")

    return Kind(what, read)


def list_of(kind: Kind[T], *, or_one: bool = False) -> Kind[tuple[T, ...]]:
    """Return the kind of lists of some kind; empty when one element is wrong, which is noted.

    With `or_one`, a single value stands for the list that holds it.
    """
    name = f"list of {kind.name}"

    def read(value: object, place: Place) -> tuple[T, ...]:
        if or_one and not isinstance(value, list):
            return (kind.read(value, place),)
        if not isinstance(value, list):
            raise expected(f"a {name}", value)
        read_ones = [_element(kind, each, place.at(at)) for at, each in enumerate(value)]
        found = [one for one in read_ones if one is not None]
        return tuple(found) if len(found) == len(value) else ()

    return Kind(f"{kind.name}, or {name}" if or_one else name, read)


def _element(kind: Kind[T], value: object, place: Place) -> T | None:
    return place.read(lambda: kind.read(value, place))


def table_of(keys: tuple[Key[Any], ...], build: Callable[[Table], T]) -> Kind[T]:
    """Return the kind of tables that have these keys."""

    def read(value: object, place: Place) -> T:
        return build(Table(as_table(value), place, keys))

    return Kind("table", read, _show_nothing, keys)


def tables_of(
    keys: tuple[Key[Any], ...], build: Callable[[Table], T], unique: str = ""
) -> Kind[tuple[T, ...]]:
    """Return the kind of lists of tables that have these keys.

    `unique` is a key whose value no two of them may share.
    """
    one = table_of(keys, build)

    def read(value: object, place: Place) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise expected("a list of tables, each under its own [[ ]]", value)
        _check_unique(value, unique, place)
        return list_of(one).read(value, place)

    return Kind("list of tables", read, _show_nothing, keys)


def _show_nothing(_: object) -> str:
    return ""  # the keys below say their own defaults


def _check_unique(tables: list[object], key: str, place: Place) -> None:
    first: dict[str, int] = {}
    for at, table in enumerate(tables):
        value = table.get(key) if isinstance(table, dict) else None
        name = " ".join(value.split()) if isinstance(value, str) else None
        if name and first.setdefault(name, at) != at:
            line = place.at(first[name], key).line
            place.at(at, key).fault(f"{shown(name)} is declared twice, first on line {line}")


def mapping_of(
    kind: Kind[T], what: str, names: Collection[Name] | None = None
) -> Kind[dict[Name, T]]:
    """Return the kind of tables from one of `names` (None: from any) to some kind of value."""

    def read(value: object, place: Place) -> dict[Name, T]:
        found: dict[Name, T] = {}
        for name, each in as_table(value).items():
            if names is not None and name not in names:
                way_out = nearest(name, names) or f" Known here: {', '.join(names)}."
                place.at(name).fault(f"no {what}.{way_out}")
            elif (one := _element(kind, each, place.at(name))) is not None:
                found[cast("Name", name)] = one
        return found

    return Kind(f"table: {what} = {kind.name}", read, _show_table)


def _show_table(values: dict[str, object]) -> str:
    return f"{{ {', '.join(f'{name} = {shown(each)}' for name, each in values.items())} }}"


def as_table(value: object) -> dict[str, object]:
    """Return the value as a table.

    Raises:
        ClearbarError: when it is none.
    """
    if not isinstance(value, dict):
        raise expected("a table", value)
    return cast("dict[str, object]", value)
