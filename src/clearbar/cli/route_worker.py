"""`clearbar route worker`: one worker of the gateway. The supervisor starts it; people do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.options import workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.command("worker", hidden=True)
@click.argument("name")
@click.argument("listening", type=int)
@click.argument("parent", type=int)
@workspace_options
def command(
    workspace: Workspace,
    name: str,
    listening: int,
    parent: int,
    *,
    as_json: bool,  # noqa: ARG001 - every verb has it
) -> None:
    """Serve on the socket LISTENING, until the pipe PARENT ends."""
    workspace.serve_worker(name, listening, parent)
