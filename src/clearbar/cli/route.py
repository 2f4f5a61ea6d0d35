"""`clearbar route`: where requests go, and why; its other commands, each loaded when called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.options import DefaultGroup, complete_workflow, print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace

_LATER: Final = {
    "budgets": "Show what every budget has left.",
    "capture": "Show or export the requests that are kept.",
    "key": "Issue, list and revoke the keys of clients.",
    "serve": "Run the gateway.",
    "watch": "Show how the tools in force do.",
}
"""Commands of other modules, with what `--help` says of them, so that it loads none."""
_HIDDEN: Final = "worker"
_LONGEST_HELP: Final = 80


class RouteGroup(DefaultGroup):
    """The commands of `clearbar route`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in (*_LATER, _HIDDEN):
            return super().get_command(ctx, cmd_name)
        loaded: click.Command = import_module(f"clearbar.cli.route_{cmd_name}").command
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with one line each."""
        del ctx
        shown = [each for _, each in sorted(self.commands.items()) if not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(each.name or "", each.get_short_help_str(_LONGEST_HELP)) for each in shown]
            )


@click.group("route", cls=RouteGroup)
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


for _name, _text in _LATER.items():
    command.add_command(click.Command(_name, short_help=_text))
command.add_command(click.Command(_HIDDEN, hidden=True))
