"""`clearbar route serve`: the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.options import workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Where to listen. Default: [gateway] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: [gateway] port; 0: any.")
@click.option("--admin-host", metavar="ADDRESS", help="For operators. Default: admin_host.")
@click.option("--admin-port", type=click.IntRange(0, 65535), help="Default: [gateway] admin_port.")
@click.option("--logs", is_flag=True, help="Write a line of JSON for each call on standard output.")
@workspace_options
def command(
    workspace: Workspace,
    host: str | None,
    port: int | None,
    admin_host: str | None,
    admin_port: int | None,
    *,
    logs: bool,
    as_json: bool,
) -> None:
    """Run the gateway: requests in, to the tool that won, within budget, into the ledger.

    Clients keep their OpenAI or Anthropic library and change the address and the key. It ends with
    Ctrl-C or SIGTERM, when the requests in flight have ended.

    \b
    Examples:
      clearbar route key create support-replies --by platform@example.com
      clearbar route serve
      export OPENAI_BASE_URL=http://127.0.0.1:8787/v1 OPENAI_API_KEY=cb_...
      export ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ANTHROPIC_API_KEY=cb_...
    """
    say = _say_json if as_json or logs else _say
    workspace.serve(
        say, host=host, port=port, admin_host=admin_host, admin_port=admin_port, logs=logs
    )


def _say(what: str) -> None:
    click.echo(what)


def _say_json(what: str) -> None:
    """Say it on one line, for programs that read on and on."""
    import json

    click.echo(json.dumps({"event": "gateway", "said": what}))
