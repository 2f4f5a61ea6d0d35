"""`clearbar spend receive`: what OpenTelemetry exporters send becomes charges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_variable
from clearbar.cli.options import workspace_options

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


def _number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Return the value; a range of click lets NaN pass."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number of seconds", context, parameter)
    return value


@click.command("receive")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen.", metavar="ADDRESS"
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4318,
    show_default=True,
    metavar="NUMBER",
    help="On which port; 0 for any that is free.",
)
@click.option(
    "--token-env",
    default="",
    metavar="NAME",
    shell_complete=complete_variable,
    help="Variable with the senders' token.",
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.5, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    callback=_number,
    help="How often what came is read into the ledger.",
)
@workspace_options
def command(
    workspace: Workspace,
    host: str,
    port: int,
    token_env: str,
    every_s: float,
    *,
    as_json: bool,
) -> None:
    """Receive traces and events from OpenTelemetry exporters, over HTTP in protobuf or JSON.

    An answer means that it is on the disk. Of spans and events only names, ids, times and counts
    are kept, never prompts or answers. What came is read into the ledger while it runs, a trace
    once nothing came of it for 15 seconds, and the rest when it ends: with Ctrl-C or SIGTERM.
    Other machines may send only with a token.

    \b
    Examples:
      clearbar spend receive
      export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
      CLEARBAR_RECEIVE_TOKEN=... clearbar spend receive --host 0.0.0.0 \\
        --token-env CLEARBAR_RECEIVE_TOKEN
      export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20...'
    """
    say = _say_json if as_json else click.echo
    workspace.receive(say, host=host, port=port, token_env=token_env, every_s=every_s)


def _say_json(what: str) -> None:
    """Say it on one line, for programs that read on and on."""
    import json

    click.echo(json.dumps({"event": "receiver", "said": what}))
