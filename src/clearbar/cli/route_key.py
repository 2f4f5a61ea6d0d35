"""`clearbar route key`: the keys that clients of the gateway send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_key, complete_team, complete_workflow
from clearbar.cli.options import print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.route.keys import ListedKey
    from clearbar.workspace import Workspace

_BY = click.option("--by", required=True, metavar="WHO", help="Who does so: a role or an address.")


@click.group("key")
def command() -> None:
    """Issue, list and revoke the keys of clients."""


@command.command("create")
@click.argument("workflow", required=False, shell_complete=complete_workflow)
@click.option(
    "--team",
    metavar="NAME",
    default="",
    shell_complete=complete_team,
    help="For all workflows of a team instead.",
)
@click.option("--name", metavar="TEXT", default="", help="What people call it.")
@click.option("--environment", metavar="NAME", default="", help="Fixes it: production, staging.")
@_BY
@workspace_options
def create(
    workspace: Workspace,
    workflow: str | None,
    team: str,
    name: str,
    environment: str,
    by: str,
    *,
    as_json: bool,
) -> None:
    """Issue a key for a WORKFLOW, or for a team. It is shown this once.

    \b
    Examples:
      clearbar route key create support-replies --by platform@example.com
      clearbar route key create --team support --environment staging --by "Head of Support"
    """
    issued = workspace.issue_key(
        workflow=workflow or "", team=team, name=name, environment=environment, by=by
    )
    key = issued.key
    if as_json:
        print_json(
            {
                "key_id": key.key_id,
                "key": issued.token,
                "workflow": key.workflow or None,
                "team": key.team or None,
                "name": key.name,
                "environment": key.environment,
            }
        )
        return
    click.echo(issued.token)
    click.echo(
        f"The key {key.key_id} is {_whose(key.workflow, key.team)}. It is shown this once: put it"
        " where your client reads its API key. Only its hash is kept here.",
        err=True,
    )


@command.command("list")
@workspace_options
def list_keys(workspace: Workspace, *, as_json: bool) -> None:
    """List the keys, never the keys themselves.

    When a key was last used is known up to the minute.

    \b
    Example:
      clearbar route key list
    """
    found = workspace.keys()
    if as_json:
        print_json({"keys": [key_json(each) for each in found]})
        return
    from clearbar.cli import route_view
    from clearbar.cli.terminal import console

    route_view.print_keys(console(), found)


@command.command("revoke")
@click.argument("key_id", shell_complete=complete_key)
@_BY
@workspace_options
def revoke(workspace: Workspace, key_id: str, by: str, *, as_json: bool) -> None:
    """End the key KEY_ID, the eight characters after cb_. Running gateways learn it in seconds.

    \b
    Example:
      clearbar route key revoke k3vq7n2a --by platform@example.com
    """
    ended = workspace.revoke_key(key_id, by=by)
    if as_json:
        print_json(key_json(ended))
    else:
        click.echo(f"{ended.key.key_id} was revoked on {ended.revoked_at} by {ended.revoked_by}")


def key_json(listed: ListedKey) -> dict[str, object]:
    """Return a key as JSON values, without its hash."""
    key = listed.key
    return {
        "key_id": key.key_id,
        "workflow": key.workflow or None,
        "team": key.team or None,
        "name": key.name,
        "environment": key.environment,
        "issued_by": listed.issued_by,
        "issued_at": listed.issued_at,
        "revoked_by": listed.revoked_by,
        "revoked_at": listed.revoked_at,
        "last_used_at": listed.last_used_at,
    }


def _whose(workflow: str, team: str) -> str:
    return f"for the workflow {workflow}" if workflow else f"for the workflows of the team {team}"
