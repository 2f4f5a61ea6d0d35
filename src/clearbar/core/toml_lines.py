"""Which line each key of a TOML text stands on: what the parser itself does not tell.

Reads only what `tomllib` has accepted, so it looks for where things end and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys and positions from the top: `("workflow", 0, "match", 1, "label.channel")`."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}#\n]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)


class TomlLines:
    """The lines of a valid TOML text, by key path."""

    def __init__(self, text: str) -> None:
        self._lines = _Locator(text.replace("\r\n", "\n")).lines

    def line_of(self, path: KeyPath) -> int:
        """Return the 1-based line of a key or an element, else of the nearest table around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


class _Locator:
    """Walks once over the text and notes the line of everything that it passes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.newlines = [found.start() for found in re.finditer("\n", text)]
        self.lines: dict[KeyPath, int] = {}
        self.lengths: dict[KeyPath, int] = {}
        """Of each array of tables: how many of its tables were opened so far."""
        table: KeyPath = ()
        while self.skip_blank() < len(self.text):
            if self.peek("["):
                table = self.header()
            else:
                self.key_and_value(table)

    def peek(self, mark: str) -> bool:
        return self.text.startswith(mark, self.at)

    def skip_blank(self) -> int:
        return self.take(_BLANK)

    def take(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1
        return self.at

    def note(self, path: KeyPath, start: int) -> None:
        self.lines.setdefault(path, bisect_right(self.newlines, start - 1) + 1)

    def header(self) -> KeyPath:
        start = self.at
        brackets = 2 if self.peek("[[") else 1
        self.at += brackets
        path = self.key((), start)
        self.at += brackets
        if brackets == 2:  # noqa: PLR2004 - as in `[[`
            position = self.lengths.get(path, 0)
            self.lengths[path] = position + 1
            path = (*path, position)
            self.note(path, start)
        return path

    def key(self, table: KeyPath, start: int) -> KeyPath:
        """Read a dotted key; return its path, each part of which is noted."""
        path = table
        while True:
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
            path = (*path, self.key_part())
            self.note(path, start)
            self.skip_blank()
            if not self.peek("."):
                return path
            self.at += 1

    def key_part(self) -> str:
        start = self.skip_blank()
        if self.peek('"') or self.peek("'"):
            self.take(_STRING)
            return _unquoted(self.text[start : self.at])
        self.take(_BARE_KEY)
        return self.text[start : self.at]

    def key_and_value(self, table: KeyPath) -> None:
        path = self.key(table, self.at)
        self.at += 1  # the equals sign
        self.value(path)

    def value(self, path: KeyPath) -> None:
        self.skip_blank()
        if self.peek("["):
            self.elements(path)
        elif self.peek("{"):
            self.pairs(path)
        elif self.peek('"') or self.peek("'"):
            self.take(_STRING)
        else:
            self.take(_BARE_VALUE)

    def elements(self, path: KeyPath) -> None:
        self.at += 1
        position = 0
        while not self.closes("]"):
            element = (*path, position)
            self.note(element, self.at)
            self.value(element)
            position += 1

    def pairs(self, path: KeyPath) -> None:
        self.at += 1
        while not self.closes("}"):
            self.key_and_value(path)

    def closes(self, bracket: str) -> bool:
        """Skip blanks and a comma; skip the bracket too if it comes next, and say so."""
        self.skip_blank()
        if self.peek(","):
            self.at += 1
            self.skip_blank()
        closing = self.peek(bracket)
        self.at += closing
        return closing


def _unquoted(text: str) -> str:
    return next(iter(tomllib.loads(f"{text} = 0")))
