"""Good JSON made bad: a value anywhere in it replaced, left out, wrapped, moved or multiplied.

What is no JSON is taken as lines of it; a line that is none stays as it is.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from tests.spend.sources.fuzz.texts import QUOTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

_MOST_COPIED: Final = 20_000
_MOST_PLACES: Final = 1_000
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    1e308,
    10**15,
    10**19,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "NaN",
    "12",
    "-3",
    "1e400",
    QUOTED,
    [],
    {},
    [[]],
    [{}],
    [None],
    {"": None},
    {"data": []},
    {QUOTED: QUOTED},
    [1, "a", None],
    "\ud800",
    "\x00",
    "a" * 2_000,
    "2026-01-05T17:00:30Z",
    "9999-12-31T23:59:59Z",
    1767632430,
    1767632430000,
    10**18,
    '{"a": 1}',
    "[1, 2",
)
_NAMES: Final = ("id", "usage", "timestamp", "model", "data", "type", "", QUOTED, "__class__")

_Place = tuple[Any, Any]
"""What holds a value, and its key or index there."""


def structured(order: Random, content: bytes, change: Callable[[Random, Any], None]) -> bytes:
    """Change a document, or some lines of a file that has one on each."""
    text = content.decode("utf-8", "replace")
    try:
        whole = [json.loads(text)]
    except (ValueError, RecursionError):
        lines = text.split("\n")[:2_000]
        for _ in range(order.choice((1, 1, 2, 5))):
            place = order.randrange(len(lines))
            lines[place] = _changed_line(order, lines[place], change)
        return "\n".join(lines).encode("utf-8", "replace")
    for _ in range(order.choice((1, 1, 2, 5))):
        change(order, whole)
    return _written(order, whole[0] if whole else None)


def _changed_line(order: Random, line: str, change: Callable[[Random, Any], None]) -> str:
    lead = "data: " if line.startswith("data: ") else ""
    try:
        value = [json.loads(line.removeprefix(lead))]
    except (ValueError, RecursionError):
        return line
    change(order, value)
    return lead + _written(order, value[0] if value else None).decode("utf-8", "replace")


def _written(order: Random, value: Any) -> bytes:
    ascii_only = order.random() < 0.8
    try:
        text = json.dumps(value, ensure_ascii=ascii_only)
    except RecursionError:
        return b"["
    return text.encode("utf-8", "surrogatepass" if order.random() < 0.5 else "replace")


def replace(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    holder[key] = deepcopy(order.choice(_VALUES))


def leave_out(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    del holder[key]


def rename(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    if isinstance(holder, dict):
        holder[order.choice(_NAMES)] = holder.pop(key)


def wrap(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    value = holder[key]
    as_text = json.dumps(value)
    holder[key] = order.choice(([value], {"data": value}, {"data": [value]}, as_text, [as_text]))


def swap(order: Random, root: Any) -> None:
    """Put a copy of a value where another one stands."""
    holder, key = _place(order, root)
    other, place = _place(order, root)
    holder[key] = json.loads(json.dumps(other[place]))


def multiply(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    value = holder[key]
    copies = order.choice((2, 3, 50)) if len(json.dumps(value)) < _MOST_COPIED else 2
    many = value * copies if isinstance(value, list | str) else [value] * copies
    holder[key] = deepcopy(many) if isinstance(many, str) else [deepcopy(each) for each in many]


def many_fields(order: Random, root: Any) -> None:
    holder, key = _place(order, root)
    count = order.choice((10, 100, 1_000))
    holder[key] = {f"{QUOTED}-{number}": number for number in range(count)}


def _place(order: Random, root: Any) -> _Place:
    places: list[_Place] = []
    for place in _places(root):
        places.append(place)
        if len(places) >= _MOST_PLACES:
            break
    return order.choice(places) if places else ([None], 0)


def _places(root: Any) -> Iterator[_Place]:
    waiting = [root]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def _structural(change: Callable[[Random, Any], None]) -> Callable[[Random, bytes], bytes]:
    def changed(order: Random, content: bytes) -> bytes:
        try:
            return structured(order, content, change)
        except RecursionError:  # deeper than Python can copy
            return content

    return changed


_CHANGES: Final = (replace, replace, replace, leave_out, rename, wrap, swap, multiply, many_fields)
STRUCTURES: Final[tuple[Callable[[Random, bytes], bytes], ...]] = tuple(map(_structural, _CHANGES))
