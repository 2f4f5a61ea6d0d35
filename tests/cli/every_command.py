"""Every command of the command line, found by walking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator


def every_command() -> dict[str, click.Command]:
    """Return what people can call, by its words: `spend close`."""
    return {" ".join(words): command for words, command in _within(cli, click.Context(cli), ())}


def _within(
    group: click.Group, context: click.Context, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _within(command, click.Context(command, context, name), (*words, name))
        else:
            yield (*words, name), command
