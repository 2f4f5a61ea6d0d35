"""A group of commands of which some stand in modules of their own, loaded when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from clearbar.cli.options import DefaultGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_HELP: Final = 80


class LazyGroup(DefaultGroup):
    """A group that knows of its other commands only their names and a line each."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self._later: set[str] = set()

    def load_later(self, lines: Mapping[str, str], *, hidden: tuple[str, ...] = ()) -> None:
        """Add commands: name -> what the help says; `NAME` stands in `cli/GROUP_NAME.py`."""
        for name, line in lines.items():
            self.add_command(click.Command(name, short_help=line))
        for name in hidden:
            self.add_command(click.Command(name, hidden=True))
        self._later.update(lines, hidden)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, loaded."""
        if cmd_name not in self._later:
            return super().get_command(ctx, cmd_name)
        loaded: click.Command = import_module(f"clearbar.cli.{self.name}_{cmd_name}").command
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with one line each."""
        del ctx
        shown = [each for _, each in sorted(self.commands.items()) if not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(each.name or "", each.get_short_help_str(_LONGEST_HELP)) for each in shown]
            )
