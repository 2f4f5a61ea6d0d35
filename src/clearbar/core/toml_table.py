"""Reads declared tables key by key; gathers every fault with its line; knows what it documents.

A `Key` says what a key means and of which kind its value is. Readers take values by their keys, so
what is documented is what is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from clearbar.core.errors import ClearbarError, DeclarationError, nearest
from clearbar.core.toml_lines import KeyPath, TomlLines

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SHOWN: Final = 60
_HINT: Final = "nothing was read; correct the lines named above"


def expected(what: str, found: object, more: str = "") -> ClearbarError:
    """Return the error for a value that is of another kind."""
    return ClearbarError(f"expected {what}, found {shown(found)}{'.' if more else ''}{more}")


def shown(value: object) -> str:
    """Return a value as TOML writes it, cut short; of tables and lists only the word."""
    match value:
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 4]}..."'
        case bool():
            return str(value).lower()
        case _:
            return str(value)


class Faults:
    """What is wrong with a declared file; all of it is said at once."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = TomlLines(text)
        self._found: list[tuple[int, str]] = []

    def line_of(self, path: KeyPath) -> int:
        """Return the 1-based line of a key."""
        return self._lines.line_of(path)

    def add(self, path: KeyPath, what: str) -> None:
        """Note what is wrong with the value at `path`."""
        line = self.line_of(path)
        self._found.append((line, f"{self._file}:{line}: {_dotted(path)}: {what}"))

    def raise_if_any(self) -> None:
        """Do nothing where no fault was found.

        Raises:
            DeclarationError: with one fault a line, in the order of the file.
        """
        if self._found:
            ordered = sorted(self._found, key=lambda fault: fault[0])
            raise DeclarationError("\n".join(what for _, what in ordered), _HINT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the file."""

    faults: Faults
    path: KeyPath = ()

    @property
    def line(self) -> int:
        """The 1-based line."""
        return self.faults.line_of(self.path)

    def at(self, *parts: str | int) -> Place:
        """Return the place of a key or an element below this one."""
        return Place(self.faults, self.path + parts)

    def fault(self, what: str) -> None:
        """Note that something is wrong here."""
        self.faults.add(self.path, what)

    def read(self, parse: Callable[[], T]) -> T | None:
        """Return what `parse` does; when it raises a ClearbarError, note that and return None."""
        try:
            return parse()
        except ClearbarError as error:
            # A fault is one line: of a hint that draws where the fault is, the last line stays.
            way_out = error.hint.rpartition("\n")[2].strip(" ^")
            self.fault(f"{error.message} ({way_out})" if way_out else error.message)
            return None


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """A kind of value: how it is called, and how it is read."""

    name: str
    read: Callable[[object, Place], T_co]
    """Raises ClearbarError when the value is not of this kind."""
    show: Callable[[Any], str] = shown
    """How a value of this kind is written in TOML."""
    keys: tuple[Key[Any], ...] = ()
    """The keys of a table."""


@dataclass(frozen=True, slots=True)
class Key(Generic[T_co]):
    """A key that a table may have."""

    name: str
    kind: Kind[T_co]
    default: T_co
    """Stands for the key where it is left out, or wrong."""
    meaning: str
    """One sentence."""
    example: str = ""
    """A value as written in TOML."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class KeyDoc:
    """A line of the reference: what one key of the file means."""

    table: str
    """Dotted name of the table that holds it; empty at the top."""
    name: str
    type: str
    default: str
    """As written in TOML; empty where there is none."""
    required: bool
    meaning: str
    example: str


class Table:
    """A table of the file. Keys that it may not have are faults from the start."""

    def __init__(
        self, values: Mapping[str, object], place: Place, keys: Sequence[Key[Any]]
    ) -> None:
        self.values = values
        self.place = place
        known = [key.name for key in keys]
        for name in values:
            if name not in known:
                way_out = nearest(name, known) or f" Known here: {', '.join(known)}."
                place.at(name).fault(f"unknown key.{way_out}")

    def take(self, key: Key[T]) -> T:
        """Return the value of a key; its default where it is left out, or wrong, which is noted."""
        if key.name not in self.values:
            if key.required:
                self.place.fault(f'expected the key "{key.name}" ({key.kind.name}), found none')
            return key.default
        place, value = self.place.at(key.name), self.values[key.name]
        taken = place.read(lambda: key.kind.read(value, place))
        return key.default if taken is None else taken


def reference(keys: Sequence[Key[Any]], table: str = "") -> tuple[KeyDoc, ...]:
    """Return the documentation of keys, and of the keys below them, in their order."""
    docs: list[KeyDoc] = []
    for key in keys:
        default = key.kind.show(key.default) if key.default and not key.required else ""
        doc = KeyDoc(
            table, key.name, key.kind.name, default, key.required, key.meaning, key.example
        )
        below = f"{table}.{key.name}" if table else key.name
        docs += [doc, *reference(key.kind.keys, below)]
    return tuple(docs)


def _dotted(path: KeyPath) -> str:
    names = [part for part in path if isinstance(part, str)]
    return ".".join(name if _is_bare(name) else json.dumps(name) for name in names) or "(top)"


def _is_bare(name: str) -> bool:
    return bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
