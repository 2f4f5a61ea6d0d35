"""What the files of a tool hold: a rule that is edited is another tool."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearbar.tools.tool import Tool

_PIECE: Final = 2**20


def contents_digest(tool: Tool, folder: Path) -> str:
    """Return the SHA-256 of the workspace's files that make up a tool; empty where there are none.

    Of rules and classifiers: their file, and the tables that it names. Of a command: each word of
    it that names a file of the folder. Of a function: its module, where that stands in the folder,
    without what it imports.

    Raises:
        ClearbarError: when such a file cannot be read.
    """
    if tool.kind == "rules":
        from clearbar.tools.rules import load_rules  # noqa: PLC0415 - only where used

        return load_rules(folder / (tool.file or "")).digest
    if tool.kind == "classifier":
        from clearbar.tools.classifier import load_classifier  # noqa: PLC0415 - loads numpy

        return load_classifier(folder / (tool.file or "")).digest
    total = hashlib.sha256()
    empty = total.hexdigest()
    for path in _files(tool, folder):
        total.update(_digest(tool, path))
    found = total.hexdigest()
    return "" if found == empty else found


def _files(tool: Tool, folder: Path) -> Iterable[Path]:
    match tool.kind:
        case "command":
            named = (folder / word for word in tool.command if _is_short(word))
            return [path for path in named if path.is_file() and path.is_relative_to(folder)]
        case "python":
            path = folder.joinpath(*(tool.function or "").partition(":")[0].split("."))
            homes = (path.with_name(f"{path.name}.py"), path / "__init__.py")
            return [home for home in homes if home.is_file()][:1]
        case _:
            return []


def _is_short(word: str) -> bool:
    """Return whether a word can be a path at all."""
    return 0 < len(word) < 1_000 and "\0" not in word  # noqa: PLR2004 - longer ones name no file


def _digest(tool: Tool, path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ClearbarError(
            f'the file {path.name} of the tool "{tool.name}" cannot be read: {error.strerror}',
            "it is looked for in the folder of clearbar.toml",
        ) from error
    return digest.digest()
