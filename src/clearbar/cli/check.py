"""`clearbar check`: verify what everything rests on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from clearbar.cli.options import print_json, workspace_options
from clearbar.cli.terminal import say

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.command("check")
@click.option(
    "--head", metavar="N:HASH", help="An end of the docket noted earlier: it must still be in it."
)
@workspace_options
def command(workspace: Workspace, head: str | None, *, as_json: bool) -> None:
    """Verify the ledger's files, the docket's chain and clearbar.toml. Exit 1 if any is not sound.

    \b
    Examples:
      clearbar check
      clearbar check --head 12:9f3c...
    """
    problems = workspace.check(head)
    if as_json:
        listed = [{"what": problem.what, "hint": problem.hint} for problem in problems]
        head_now = _head(workspace)
        print_json({"sound": not problems, "problems": listed, "docket_head": head_now})
    else:
        for problem in problems:
            say(problem.what)
            say(f"  {problem.hint}")
        if not problems:
            click.echo(f"sound; the docket ends at {workspace.docket_head}")
    sys.exit(1 if problems else 0)


def _head(workspace: Workspace) -> str | None:
    """Return the end of the docket; None where it cannot be read, which is among the problems."""
    from clearbar.core.errors import LedgerError

    try:
        return workspace.docket_head
    except LedgerError:
        return None
