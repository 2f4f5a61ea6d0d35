"""The command line: its verbs, each loaded only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from shutil import get_terminal_size
from typing import Any, Final

import click

from clearbar.core.errors import ClearbarError, nearest, refused

VERBS: Final = {
    "init": "Make a workspace, or a sample company to look at.",
    "report": "Read usage files, show the scorecard and a verdict on every workflow.",
    "spend": "What AI cost: add records, show sums, trace a number to its bytes.",
    "own": "Who owns each workflow, and what a good outcome costs.",
    "trial": "Find the cheapest tool that clears a bar, with a certificate.",
    "gate": "Fund, pause or kill: verdicts, defences, overrides, history.",
    "route": "Send requests to the tool that won, within budget; show the routes and why.",
    "check": "Verify the ledger, the docket and clearbar.toml.",
    "completion": "Print the script that completes commands with the tab key.",
}


_ENGINE_ERRORS: Final = frozenset(
    {"DatabaseError", "OperationalError", "IOException", "InvalidInputException"}
)
"""By name, as DuckDB and SQLite are not loaded for `--help`."""


class VerbGroup(click.Group):
    """The top of the command line. `--help` imports no verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"clearbar.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was probably meant."""
        if args and args[0] not in VERBS:
            ctx.fail(f'there is no verb "{args[0]}".{nearest(args[0], VERBS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs with one line each."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run; an error a person can act on is printed as such, without a traceback."""
        try:
            return super().main(*args, **extra)
        except ClearbarError as error:
            _tell(error.message, error.hint)
            sys.exit(error.exit_code)
        except Exception as error:
            if _is_interrupted(error):
                click.echo("\nAborted!", err=True)
                sys.exit(1)
            if not _is_of_the_disk(error):
                raise
            _tell(*_of_the_disk(error))
            sys.exit(1)


def _tell(message: str, hint: str) -> None:
    """Print an error and its hint; on a terminal their lines end between words."""
    lines = [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    if sys.stderr.isatty():
        from clearbar.cli.terminal import broken

        width = get_terminal_size().columns
        lines = [part for line in lines for part in broken(line, width)]
    for line in lines:
        click.echo(line, err=True)


def _is_interrupted(error: Exception) -> bool:
    """Return whether Ctrl-C ended a query: DuckDB then raises this, and no KeyboardInterrupt."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def _is_of_the_disk(error: Exception) -> bool:
    """Return whether files could not be read or written, ours or another's."""
    return isinstance(error, OSError) or type(error).__name__ in _ENGINE_ERRORS


def _of_the_disk(error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError) and error.filename:
        return refused(str(error.filename), error)
    hint = "is the disk full, or a file damaged? clearbar check"
    return str(error).strip().splitlines()[0], hint


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--workspace",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The folder that holds clearbar.toml. Default: found from here upward.",
)
@click.version_option(package_name="clearbar", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, workspace: str | None) -> None:
    """Clear the bar: what each AI workflow costs, who owns it, and what to do about it.

    \b
    Start here:
      clearbar report ~/.claude/projects     read usage, see verdicts
      clearbar init --demo demo              a sample company to look at
      clearbar spend 2026-10 --by model      sums of one month
    """
    context.obj = workspace
