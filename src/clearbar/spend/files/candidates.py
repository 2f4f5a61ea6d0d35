"""Paths, folders and globs to the files they mean."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import escape, glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearbar.spend.files.table_mapping import TableMapping

_PASSED_OVER: Final = frozenset({".clearbar", ".git", ".venv", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to look at."""

    path: Path
    size: int
    named: bool
    """Whether the caller named this very file, so that it has to be readable."""
    given: Path
    """The path by which it was found; another than `path` where that is behind a link."""


def candidates(paths: Sequence[str], base: Path) -> list[Candidate]:
    """Return the files that some paths, folders and globs mean, each once, in a stable order.

    Raises:
        ClearbarError: when a path names nothing, or nothing that can be read twice.
    """
    found: dict[Path, tuple[bool, Path]] = {}
    for text in paths:
        for path, named in _expand(text, base):
            resolved = _resolved(path)
            before, given = found.get(resolved, (False, path))
            found[resolved] = before or named, given
    return [
        Candidate(path, path.stat().st_size, named, Path(os.path.normpath(given)))
        for path, (named, given) in sorted(found.items())
        if path.is_file()
    ]


def _resolved(path: Path) -> Path:
    """Return the file behind a path; a link that leads in a circle stands for itself, unread."""
    try:
        return path.resolve()
    except (RuntimeError, OSError):
        return path


def mapping_for(path: Path, mappings: Sequence[TableMapping], base: Path) -> TableMapping | None:
    """Return the first declared table whose glob takes the file."""
    text = str(path)
    for mapping in mappings:
        if fnmatch(text, str(Path(escape(str(base))) / _at_home(mapping.files))):
            return mapping
    return None


def _at_home(text: str) -> Path:
    """Return the path with `~` resolved; left as it stands where there is no such user."""
    with suppress(RuntimeError):
        return Path(text).expanduser()
    return Path(text)


def _expand(text: str, base: Path) -> Iterator[tuple[Path, bool]]:
    path = base / _at_home(text)
    if path.is_dir():
        yield from ((file, False) for file in _walk(path))
    elif path.is_file():
        yield path, True
    elif path.exists():
        raise ClearbarError(f"{text} is no regular file", "save it to a file first, then add that")
    elif has_magic(text):
        matches = [
            Path(match)
            for match in glob(  # noqa: PTH207 - Path.glob takes no absolute pattern
                str(path), recursive=True, include_hidden=True
            )
        ]
        if not matches:
            raise ClearbarError(f"{text} matches no file", "check the pattern and the folder")
        for match in matches:
            yield from (
                ((file, False) for file in _walk(match)) if match.is_dir() else ((match, False),)
            )
    else:
        raise ClearbarError(f"{text} does not exist", "name a file, a folder or a glob")


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):  # somebody removed it meanwhile
        return
    raise ClearbarError(
        f"{error.filename} cannot be read: {error.strerror}",
        "nothing was added; give yourself the right to read it, or name other paths",
    ) from error


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        for name in names:
            yield Path(root, name)
