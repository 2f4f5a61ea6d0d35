"""`clearbar completion`: the script that completes commands with the tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      clearbar completion bash >> ~/.bashrc
      clearbar completion zsh > ~/.zfunc/_clearbar
      clearbar completion fish > ~/.config/fish/completions/clearbar.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"no completion for {shell}")
    root = context.find_root().command
    click.echo(kind(root, {}, "clearbar", "_CLEARBAR_COMPLETE").source())
