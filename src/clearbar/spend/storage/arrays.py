"""Columns of plain values as arrays, which the engine reads many times as fast as lists.

NumPy is imported when the first array is made: a tenth of a second that only adding has to pay.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_NULL: Final = -(2**63)
"""Stands for None among integers: not every version of the engine heeds the mask of an array."""
_NO_DEFAULTS: Final[Mapping[str, object]] = MappingProxyType({})


def array_of(values: Sequence[Any], kind: str) -> Array:
    """Return a column of integers for one of the engine's types of integers, else one of texts."""
    if _is_integer(kind):
        return _integers(values)
    return _texts(values if kind == "VARCHAR" else [v if v is None else str(v) for v in values])


def constant(value: object, count: int, kind: str) -> Array:
    """Return a column that says the same in every row."""
    return array_of([value], kind).repeat(count)


def joined(arrays: Sequence[Array]) -> Array:
    """Return columns of one type, one below the other."""
    import numpy as np  # noqa: PLC0415 - see above

    return np.concatenate(arrays)


@contextmanager
def shown(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    types: Mapping[str, str],
    arrays: Mapping[str, Array],
    defaults: Mapping[str, object] = _NO_DEFAULTS,
) -> Iterator[None]:
    """Let a connection see arrays as a view with the columns `types`.

    A column without an array says its default in every row.
    """
    values = [
        f'{_told(name, kind) if name in arrays else literal(defaults[name], kind)} AS "{name}"'
        for name, kind in types.items()
    ]
    connection.execute("SET pandas_analyze_sample = 0")  # a text is a text, whatever it looks like
    connection.register(f"{view}_arrays", dict(arrays))
    select = f"SELECT {', '.join(values)} FROM {view}_arrays"
    connection.execute(f"CREATE TEMP VIEW {view} AS {select}")
    try:
        yield
    finally:
        connection.execute(f"DROP VIEW {view}")
        connection.unregister(f"{view}_arrays")


def literal(value: object, kind: str) -> str:
    """Return a value of one of the engine's types in SQL; no text that is not our own."""
    return f"NULL::{kind}" if value is None else f"'{value}'::{kind}"


def _is_integer(kind: str) -> bool:
    return kind.endswith("INT") or kind == "INTEGER"


def _told(name: str, kind: str) -> str:
    told = f'nullif("{name}", {_NULL})' if _is_integer(kind) else f'"{name}"'
    return f"{told}::{kind}"


def _integers(values: Sequence[int | None]) -> Array:
    import numpy as np  # noqa: PLC0415 - see above

    try:
        return np.fromiter(values, np.int64, len(values))
    except TypeError:  # some are None
        told = (_NULL if value is None else value for value in values)
        return np.fromiter(told, np.int64, len(values))


def _texts(values: Sequence[str | None]) -> Array:
    import numpy as np  # noqa: PLC0415 - see above

    array = np.empty(len(values), np.object_)
    array[:] = values
    return array
