"""Errors a person can act on, and problems that are data.

ClearbarError          what went wrong, and a hint on the way out
 +- DeclarationError   clearbar.toml: file, line, key, what was expected
 +- UnknownName        no such workflow, charge or source
 +- LedgerError        the ledger cannot be opened or read
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class ClearbarError(Exception):
    """Something a person has to change. `exit_code` is what the command line exits with."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DeclarationError(ClearbarError):
    """clearbar.toml does not say something that Clearbar understands."""

    exit_code = 2


class UnknownName(ClearbarError):  # noqa: N818 - it names the thing that is unknown
    """A name that nothing here has."""

    exit_code = 2


class LedgerError(ClearbarError):
    """The ledger cannot be opened, read or trusted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One record that could not be taken in: where it stands, what is wrong, how to mend it.

    `what` and `hint` never quote the record's own text: it may hold prompts or secrets.
    """

    what: str
    hint: str = ""
    line: int | None = None
    """1-based line (or row) in the file; None when the whole file is meant."""


_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.EEXIST})


def refused(path: str | Path, error: OSError) -> tuple[str, str]:
    """Return what the disk refused to do with a file or folder, and the way out."""
    what = f"{path} cannot be read or written: {(error.strerror or str(error)).lower()}"
    if error.errno in _DENIED:
        return what, let_write(Path(path))
    if error.errno in _FULL:
        return what, "free some space there, then run it again"
    if error.errno in _NO_FOLDER:
        return what, "a file stands where a folder has to be: move it away"
    return what, "is the disk full, or a file damaged? clearbar check"


def let_write(path: Path) -> str:
    """Return the way out for a user who may not write: the nearest folder that is there."""
    folder = next((each for each in (path, *path.parents) if each.is_dir()), path)
    return f"let this user write to {folder}, or take another workspace: --workspace DIR"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ' Did you mean "x"?' for the closest of `names`, or an empty string."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
