"""`clearbar route`: where requests go, and why; its other commands, each loaded when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_workflow
from clearbar.cli.group import LazyGroup
from clearbar.cli.options import print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.group("route", cls=LazyGroup)
def command() -> None:
    """Send requests to the tool that won, within budget: routes, keys, the gateway."""


@command.command("show")
@click.option(
    "--workflow", "name", metavar="NAME", shell_complete=complete_workflow, help="Only this one."
)
@workspace_options
def show(workspace: Workspace, name: str | None, *, as_json: bool) -> None:
    """Show where the requests of every workflow go, and why.

    \b
    Examples:
      clearbar route
      clearbar route --workflow support-replies
      clearbar route --json
    """
    if name is not None:
        workspace.workflow(name)
    table = workspace.route_table()
    chosen = [each for each in table.routes.values() if name in (None, each.workflow)]
    if as_json:
        from clearbar.route.route_json import routes_json

        print_json(routes_json(table, chosen, declared=workspace.declared.gateway.line is not None))
        return
    from clearbar.cli import route_view
    from clearbar.cli.terminal import console

    screen = console()
    route_view.print_routes(screen, chosen)
    if name is None:
        route_view.print_gateway(screen, table, workspace.declared.gateway)


command.load_later(
    {
        "budgets": "Show what every budget has left.",
        "capture": "Show or export the requests that are kept.",
        "key": "Issue, list and revoke the keys of clients.",
        "serve": "Run the gateway.",
        "watch": "Show how the tools in force do.",
    },
    hidden=("worker",),
)
