"""Outcomes on the command line: declared files are read where their figures are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from clearbar.own.outcome_reading import OutcomesRead
    from clearbar.workspace import Workspace

_SHOWN_BAD: Final = 5


def read_declared_outcomes(workspace: Workspace) -> None:
    """Read what is new in the declared files, and say on standard error what is wrong in them."""
    print_bad_outcomes(workspace.add_declared_outcomes(), most=_SHOWN_BAD)


def print_bad_outcomes(read: OutcomesRead, most: int | None = None) -> None:
    """Print on standard error what was not taken in."""
    for path, problem in read.problems[:most]:
        line = "" if problem.line is None else f":{problem.line}"
        click.echo(f"{path}{line}: {problem.what}", err=True)
    if most is not None and read.problems:
        click.echo(f"outcomes that were not taken in: {len(read.problems):,}", err=True)
