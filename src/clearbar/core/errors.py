"""Errors a person can act on, and problems that are data.

ClearbarError          what went wrong, and a hint on the way out
 +- DeclarationError   clearbar.toml: file, line, key, what was expected
 +- UnknownName        no such workflow, charge or source
 +- LedgerError        the ledger cannot be opened or read
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

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


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ' Did you mean "x"?' for the closest of `names`, or an empty string."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
