"""What all verbs share: the workspace, the clock, JSON, the default subcommand, completion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from clearbar.core.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from click.shell_completion import CompletionItem

    from clearbar.core.period import Period
    from clearbar.workspace import Workspace


class DefaultGroup(click.Group):
    """A group whose first command runs when no other is named: `clearbar spend 2026-10`."""

    default = "show"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where none is given."""
        first = args[0] if args else ""
        if first not in self.commands and (meant := nearest(first, self.commands)):
            ctx.fail(f'there is no command "{first}".{meant}')
        if first not in self.commands and first not in ("-h", "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the default command's own help, then the other commands."""
        command = self.commands[self.default]
        if ctx.parent is not None:
            command.format_help(click.Context(command, ctx.parent, ctx.info_name), formatter)
        self.format_commands(ctx, formatter)


def workspace_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --workspace, --as-of and --json; the function gets `workspace`, opened, and `as_json`."""
    from functools import update_wrapper

    @click.option("--workspace", "folder", metavar="DIR", help="The folder with clearbar.toml.")
    @click.option("--as-of", metavar="DATE", help="Judge as if it were this day (UTC).")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")
    @click.option(
        "--engine",
        metavar="ADDRESS",
        envvar="CLEARBAR_ENGINE",
        help="Run the queries on Spark Connect: sc://host:15002.",
    )
    @click.pass_context
    def opened(
        context: click.Context,
        /,
        folder: str | None,
        as_of: str | None,
        engine: str | None,
        **values: Any,
    ) -> Any:
        from clearbar.workspace import Workspace

        top = context.find_root().obj
        with Workspace.find(folder or top, as_of=parsed_day(as_of), engine=engine) as workspace:
            return context.invoke(function, workspace, **values)

    return update_wrapper(opened, function)


def parsed_day(text: str | None) -> date | None:
    """Return the day that an option names."""
    if text is None:
        return None
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f'"{text}" is no day; write YYYY-MM-DD') from error


def chosen_period(workspace: Workspace, text: str | None, default: str) -> Period:
    """Return the period that an argument names."""
    from clearbar.core.period import parse_period

    return parse_period(text or default, workspace.as_of)


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def complete_workflow(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a declared workflow."""
    from click.shell_completion import CompletionItem

    from clearbar.core.errors import ClearbarError
    from clearbar.workspace import Workspace

    del parameter
    try:
        with Workspace.find(context.find_root().params.get("workspace")) as workspace:
            names = [workflow.name for workflow in workspace.declared.workflows]
    except ClearbarError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
