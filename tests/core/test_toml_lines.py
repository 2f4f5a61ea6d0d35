"""Every key and element of a TOML text has a line, however it is written."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.toml_lines import KeyPath, TomlLines

if TYPE_CHECKING:
    from collections.abc import Iterator

TRICKY = '''\
# a [comment] = "with" {signs}
a.b."c.d" = 1          # dotted, quoted
'single' = [ 1, [2, 3], { x = "]" } ]
text = """
[not.a.table]
key = "not a key" \\""" ""quoted"""""
lit = \'\'\'
] } '' = "
\'\'\'
empty = ""
none = []
nothing = {}
list = [
  # a comment ]
  "one",
  { two = 2, three = [ "}", ']' ] },
]

[table]
when = 2026-01-01 07:32:00Z
[table.below."de\\u0065p"]
k = inf
[[many]]
n = 1
[[many]]
n = 2
[many.sub]
m = 3
[[many.more]]
o = 4
[[many.more]]
o = 5
[[many]]
[[ many . more ]]
o = 6
'''


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, each in pairs:
        yield (*path, key)
        yield from paths(each, (*path, key))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_and_element_has_a_line_and_nothing_else_has(newline: str) -> None:
    text = TRICKY.replace("\n", newline)
    assert set(TomlLines(text)._lines) == set(paths(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("a", "b", "c.d"), 2),
        (("single", 1, 0), 3),
        (("single", 2, "x"), 3),
        (("text",), 4),
        (("lit",), 7),
        (("list",), 13),
        (("list", 0), 15),
        (("list", 1, "three", 1), 16),
        (("table", "below", "deep"), 21),
        (("table", "below", "deep", "k"), 22),
        (("many", 0), 23),
        (("many", 1, "n"), 26),
        (("many", 1, "sub", "m"), 28),
        (("many", 1, "more", 1, "o"), 32),
        (("many", 2, "more", 0, "o"), 35),
    ],
)
def test_a_key_stands_on_its_line(path: KeyPath, line: int) -> None:
    assert TomlLines(TRICKY).line_of(path) == line


def test_what_is_not_there_stands_where_the_nearest_table_does() -> None:
    assert TomlLines(TRICKY).line_of(("many", 1, "absent", "far")) == 25


def test_at_the_top_the_line_is_the_first() -> None:
    assert TomlLines("").line_of(()) == 1
    assert TomlLines(TRICKY).line_of(("absent",)) == 1


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


def written(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{quoted(key)} = {written(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[\n" + "".join(f"  {written(each)}, # ]\n" for each in value) + "]"
    if isinstance(value, str):
        return f"'''\n{value}'''"
    return str(value)


plain = st.text(st.sampled_from('ab]}"#=,[{\n\\ '), max_size=6)
values = st.recursive(
    st.integers() | plain | st.dates(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(plain, below, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(plain, values, max_size=4))
def test_any_keys_and_values_are_found(document: dict[str, object]) -> None:
    text = "\n".join(f"{quoted(key)} = {written(each)}" for key, each in document.items())
    assert set(TomlLines(text)._lines) == set(paths(tomllib.loads(text)))
