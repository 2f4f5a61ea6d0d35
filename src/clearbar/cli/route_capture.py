"""`clearbar route capture`: the requests that are kept, as cases for trials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from clearbar.cli.completing import complete_path, complete_workflow
from clearbar.cli.options import DefaultGroup, parsed_day, print_json, workspace_options, writing
from clearbar.cli.terminal import say

if TYPE_CHECKING:
    from clearbar.workspace import Workspace

_WORKFLOW = click.argument("workflow", shell_complete=complete_workflow)
_FOLDER = "captured"


@click.group("capture", cls=DefaultGroup)
def command() -> None:
    """Show or export the requests that are kept."""


@command.command("show")
@workspace_options
def show(workspace: Workspace, *, as_json: bool) -> None:
    """Show what is kept, by workflow. What is kept, and for how long, its [[route]] declares.

    \b
    Examples:
      clearbar route capture
      clearbar route capture --json
    """
    from clearbar.route.capturing.files import kept

    found = kept(_captured(workspace))
    if as_json:
        print_json(
            [
                {
                    "workflow": each.workflow,
                    "first_day": each.first.isoformat(),
                    "last_day": each.last.isoformat(),
                    "files": each.files,
                    "size_bytes": each.size_bytes,
                }
                for each in found
            ]
        )
        return
    if not found:
        say("Nothing is kept: declare `capture` in a [[route]] of clearbar.toml.")
    for each in found:
        days = "1 day" if each.files == 1 else f"{each.files} days"
        size = f"{each.size_bytes / 1e6:,.1f} MB"
        click.echo(f"{each.workflow}: {each.first} to {each.last}, {days} with requests, {size}")


@command.command("export")
@_WORKFLOW
@click.option("--since", metavar="DATE", help="Only requests of this day (UTC) and later.")
@click.option(
    "--out",
    metavar="FILE",
    shell_complete=complete_path,
    help="Write here; default: standard output.",
)
@workspace_options
def export(
    workspace: Workspace, workflow: str, since: str | None, out: str | None, *, as_json: bool
) -> None:
    """Write the kept requests of WORKFLOW as cases: JSON lines that `[[trial]] cases` reads.

    Encrypted ones are opened with the key in CLEARBAR_CAPTURE_KEY. What is written is plain text.

    \b
    Examples:
      clearbar route capture export support-replies > cases.jsonl
      clearbar route capture export support-replies --since 2026-10-01 --out cases.jsonl
    """
    from clearbar.core.errors import Problem
    from clearbar.route.capturing.files import rows
    from clearbar.route.capturing.protect import plain_line

    del as_json  # it is JSON in any case
    written, problems = 0, []
    found = rows(_captured(workspace), workflow, os.environ, parsed_day(since))
    with _output(out) as stream:
        for row in found:
            if isinstance(row, Problem):
                problems.append(row)
            else:
                stream.write(plain_line(row))
                written += 1
    left = f", {len(problems):,} could not be read: {problems[0].what}" if problems else ""
    click.echo(f"{written:,} cases{left}", err=True)
    if problems and not written:
        sys.exit(1)


@command.command("forget")
@_WORKFLOW
@click.confirmation_option("--yes", prompt="Delete all that is kept of this workflow?")
@workspace_options
def forget(workspace: Workspace, workflow: str, *, as_json: bool) -> None:
    """Delete all that is kept of WORKFLOW.

    \b
    Example:
      clearbar route capture forget support-replies
    """
    from clearbar.route.capturing import files

    gone = files.forget(_captured(workspace), workflow)
    if as_json:
        print_json({"files": gone})
    else:
        click.echo(f"{gone} {'file' if gone == 1 else 'files'} deleted")


@command.command("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")
def key(*, as_json: bool) -> None:
    """Print a new key for encrypted capture; keep it where secrets are kept.

    \b
    Example:
      export CLEARBAR_CAPTURE_KEY=$(clearbar route capture key)
    """
    from clearbar.route.capturing.protect import new_key

    made = new_key()
    if as_json:
        print_json({"key": made})
    else:
        click.echo(made)


def _captured(workspace: Workspace) -> Path:
    return workspace.route_folder / _FOLDER


def _output(out: str | None) -> IO[bytes]:
    """Return the file to write, which only its owner may read, or the standard output."""
    if out is not None:
        with writing(out, "--out"):
            Path(out).touch(mode=0o600)
    return click.open_file(out or "-", "wb")
