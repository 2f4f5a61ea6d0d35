"""`clearbar own discover`: entries of clearbar.toml for spend that belongs to no workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_period
from clearbar.cli.options import chosen_period, print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.command("discover")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option("--append", is_flag=True, help="Write them to the end of clearbar.toml.")
@workspace_options
def command(workspace: Workspace, period: str | None, *, append: bool, as_json: bool) -> None:
    """Propose workflow entries for unattributed spend, dearest first, as text to review.

    An entry is named after the first of these that the spend names: the workflow that the caller
    itself gave, agent, project, team, service, key, model. A person adds owner, metric and bar.

    \b
    Examples:
      clearbar own discover
      clearbar own discover 30d
      clearbar own discover >> clearbar.toml
    """
    found = workspace.proposals(chosen_period(workspace, period, "all"))
    if as_json:
        print_json({"proposals": [each.json() for each in found]})
        return
    if not found:
        click.echo("all spend belongs to a workflow", err=True)
        return
    text = "".join(each.text for each in found)
    if append:
        workspace.declare(text)
        click.echo(f"{len(found):,} workflows written to clearbar.toml", err=True)
    else:
        click.echo(text.lstrip("\n"), nl=False)
