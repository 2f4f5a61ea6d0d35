"""Globs as people write them: `*`, `?`, `[abc]`, `[!abc]`; the case of letters does not matter."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import Final

from clearbar.core.errors import ClearbarError

_CLASS: Final = re.compile(r"\[(?:!|(?!!))(\][^\]]*|[^\]]+)\]")
_RANGE: Final = re.compile(r"(.)-(.)", re.DOTALL)


@lru_cache(maxsize=8192)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return the pattern that matches the texts, in lower case, that the glob stands for."""
    return re.compile(translate(glob.lower()))


def literal_prefix(glob: str) -> str:
    """Return how every text begins, in lower case, that the glob stands for."""
    return re.split(r"[*?\[]", glob.lower(), maxsplit=1)[0]


def check_glob(glob: str) -> str:
    """Return the glob.

    Raises:
        ClearbarError: when it cannot stand for what its author meant.
    """
    if not glob or glob != glob.strip():
        raise ClearbarError(f'"{glob}" is no glob', "no space at its ends; * stands for anything")
    if "[" in _CLASS.sub("", glob):
        raise ClearbarError(f'"{glob}" opens a [ that is never closed', "[[] stands for the sign [")
    for letters in _CLASS.findall(glob):
        for low, high in _RANGE.findall(letters):
            if low > high:
                raise ClearbarError(f'"{glob}" holds an empty range', f"write {high}-{low}")
    return glob
