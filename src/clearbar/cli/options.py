"""What all verbs share: the workspace, the clock, JSON, the default subcommand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from clearbar.core.errors import ClearbarError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from clearbar.core.period import Period
    from clearbar.workspace import Workspace


class DefaultGroup(click.Group):
    """A group whose first command runs when no other is named: `clearbar spend 2026-10`."""

    default = "show"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where none is given."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)  # what comes next is being completed
        first = args[0] if args else ""
        meant = "" if first in self.commands else nearest(first, self.commands)
        if meant and not self.is_argument(ctx, first):
            ctx.fail(f'there is no command "{first}".{meant}')
        if first not in self.commands and first not in ("-h", "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def is_argument(self, ctx: click.Context, word: str) -> bool:
        """Return whether a word that resembles a command is meant for the default one."""
        del ctx, word
        return False

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands, and what the default command takes."""
        command = self.commands[self.default]
        inside = click.Context(command, ctx, self.default, resilient_parsing=True)
        found = [
            *super().shell_complete(ctx, incomplete),
            *command.shell_complete(inside, incomplete),
        ]
        arguments = (each for each in command.params if isinstance(each, click.Argument))
        if (first := next(arguments, None)) is not None and not incomplete.startswith("-"):
            found += first.shell_complete(inside, incomplete)
        return list({item.value: item for item in found}.values())

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the default command's own help, then the other commands."""
        command = self.commands[self.default]
        if ctx.parent is not None:
            command.format_help(click.Context(command, ctx.parent, ctx.info_name), formatter)
        self.format_commands(ctx, formatter)


workspace_option = click.option(
    "--workspace",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The folder with clearbar.toml.",
)
as_of_option = click.option("--as-of", metavar="DATE", help="Judge as if it were this day (UTC).")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON with documented fields."
)
engine_option = click.option(
    "--engine",
    metavar="ADDRESS",
    envvar="CLEARBAR_ENGINE",
    help="Run the queries on Spark Connect: sc://host:15002.",
)


def workspace_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --workspace, --as-of and --json; the function gets `workspace`, opened, and `as_json`."""
    from functools import update_wrapper

    @workspace_option
    @as_of_option
    @json_option
    @engine_option
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


@contextmanager
def writing(path: str | Path, option: str) -> Iterator[None]:
    """Say which option names another file, where this one cannot be written."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = f"name a file in a folder that you may write to: {option} FILE"
        raise ClearbarError(f"{path} cannot be written: {why}", hint) from error


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
