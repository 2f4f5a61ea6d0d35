"""Good texts made bad: other numbers, other strings, other cells, where the format holds them."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

QUOTED: Final = "Zq7secret"
"""Stands in texts that are put into files; no problem may ever quote it."""
_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_STRING: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"')
NUMBERS: Final = (
    b"-1",
    b"0",
    b"1.5",
    b"-0.0",
    b"1e400",
    b"-1e400",
    b"1e-7000",
    b"1e999999999",
    b"1e99999999999999999999",
    b"1e-99999999999999999999",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"nan",
    b"inf",
    b"sNaN",
    b"0x10",
    b"1_000",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"10000000000000",
    b"253402300800",
    b"253402300800000000",
    b"-62135596801",
    b"true",
    b"null",
    b'"12"',
    b'""',
    b"[]",
    b"{}",
    b"[[1]]",
    "１２".encode(),  # noqa: RUF001 - digits that are no ASCII
    "\u0663".encode(),
)
STRINGS: Final = (
    b'""',
    b"null",
    b"17",
    b"[]",
    b"{}",
    b"true",
    f'"{QUOTED}"'.encode(),
    f'"{QUOTED} said in a prompt"'.encode(),
    b'"\\ud800"',
    b'"\\udfff\\ud800 x"',
    b'"\\u0000"',
    b'"a\\u0000b"',
    b'"\\n\\r\\u2028"',
    b'"|=|"',
    b'"{"',
    b'"[1"',
    b'"{\\"a\\":"',
    b'"0000-00-00T00:00:00Z"',
    b'"0001-01-01T00:00:00Z"',
    b'"9999-12-31T23:59:59.999999999Z"',
    b'"9999-12-31T23:59:59-23:59"',
    b'"0001-01-01T00:00:00+23:59"',
    b'"2026-02-30"',
    b'"2026-06-30T23:59:60Z"',
    b'"2026-13-01T00:00:00Z"',
    b'"99999-01-01T00:00:00Z"',
    b'"NaN"',
    b'"1e400"',
    b'"-5"',
    b'"arn:aws:"',
    b'"arn:aws:bedrock:::::::::"',
    b'"msg_1"',
    b'"../../../etc/passwd"',
    b'"file:///etc/passwd"',
    b'"\'; DROP TABLE records; --"',
    b'"%s%n{0}{self}"',
    '"\U0001f4a9\u202e"'.encode(),
)
_LONG: Final = (1_000, 20_000, 100_000)


def other_number(order: Random, content: bytes) -> bytes:
    return _put(order, content, _NUMBER, _number(order))


def other_string(order: Random, content: bytes) -> bytes:
    return _put(order, content, _STRING, _string(order))


def deep_nesting(order: Random, content: bytes) -> bytes:
    depth = order.choice((30, 900, 1_100, 50_000))
    deep = order.choice(
        (
            b"[" * depth,
            b"[" * depth + b"]" * depth,
            b'{"a":' * depth + b"1" + b"}" * depth,
            b'{"data":' * depth + b"1" + b"}" * depth,
            b'{"data":[' * depth + b"]}" * depth,
        )
    )
    return _put(order, content, order.choice((_NUMBER, _STRING)), deep)


def doubled_key(order: Random, content: bytes) -> bytes:
    """Write a key of an object a second time, with another value."""
    found = list(re.finditer(rb'("[^"\\\n]{1,60}"): ?[\w".\-]+,', content))
    if not found:
        return content
    chosen = order.choice(found)
    value = order.choice((_number(order), _string(order)))
    return content[: chosen.end()] + chosen[1] + b":" + value + b"," + content[chosen.end() :]


def cells(order: Random, content: bytes) -> bytes:
    """Change some cells of a table; of what is none, its lines are taken for rows."""
    text = content.decode("utf-8", "replace").replace("\x00", "")
    rows = list(csv.reader(text[:200_000].splitlines(), strict=False))[:500]
    if not rows:
        return content
    for _ in range(order.choice((1, 1, 3, 10))):
        _change_row(order, order.choice(rows))
    written = io.StringIO()
    separator = order.choice((",", ",", ",", ";", "\t"))
    csv.writer(written, delimiter=separator, lineterminator="\n").writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def broken_quotes(order: Random, content: bytes) -> bytes:
    place = order.randrange(len(content) + 1)
    return content[:place] + order.choice((b'"', b'""', b'"\n', b',"', b"'")) + content[place:]


def wide_row(order: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    row = order.choice((b",", b"a,", b'"",', b"1;", b"\t")) * order.choice((50, 3_000, 60_000))
    lines.insert(order.randrange(min(3, len(lines) + 1)), row + b"\n")
    return b"".join(lines)


def _change_row(order: Random, row: list[str]) -> None:
    place = order.randrange(len(row) + 1)
    value = order.choice((_number(order), _string(order).strip(b'"'), QUOTED.encode()))
    if place < len(row) and order.random() < 0.8:
        row[place] = value.decode("utf-8", "replace")
    elif order.random() < 0.5:
        row.insert(place, value.decode("utf-8", "replace"))
    elif row:
        row.pop()


def _number(order: Random) -> bytes:
    if order.random() < 0.05:
        length = order.choice((400, 5_000, 100_000))
        digits = order.choice((b"9", b"1", b"0")) * length
        return order.choice((digits, b"-" + digits, b"0." + digits, digits + b".5", b"1e" + digits))
    return order.choice(NUMBERS)


def _string(order: Random) -> bytes:
    if order.random() < 0.05:
        filling = order.choice((b"a", QUOTED.encode(), b"\\u00e9", b"|"))
        return b'"' + filling * (order.choice(_LONG) // len(filling)) + b'"'
    return order.choice(STRINGS)


def _put(order: Random, content: bytes, pattern: re.Pattern[bytes], value: bytes) -> bytes:
    """Put a value where a pattern is found, at one place or more."""
    found = [match.span() for match in pattern.finditer(content[:40_000])]
    if not found:
        return content + value
    count = order.choice((1, 1, 1, 2, 5)) if len(value) < 1_000 else 1
    for first, last in sorted(order.sample(found, min(count, len(found))), reverse=True):
        content = content[:first] + value + content[last:]
    return content


TEXTS: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    other_number,
    other_number,
    other_number,
    other_string,
    other_string,
    deep_nesting,
    doubled_key,
    cells,
    cells,
    broken_quotes,
    wide_row,
)
