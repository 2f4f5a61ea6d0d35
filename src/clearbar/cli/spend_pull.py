"""`clearbar spend pull`: usage and costs from where an API has them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_account, of_meanings
from clearbar.cli.options import parsed_day, print_json, workspace_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clearbar.spend.pull.api import Span
    from clearbar.spend.pull.pulling import Pulled, Shown
    from clearbar.workspace import Workspace


def _titles() -> Mapping[str, str]:
    from clearbar.spend.pull.apis import APIS

    return {name: api.title for name, api in APIS.items()}


@click.command("pull")
@click.argument("api", shell_complete=of_meanings(_titles))
@click.option("--since", metavar="DATE", help="Pull from this day (UTC) on.")
@click.option(
    "--account",
    metavar="NAME",
    default="",
    shell_complete=complete_account,
    help="Of which account, if you have several.",
)
@workspace_options
def command(
    workspace: Workspace, api: str, since: str | None, account: str, *, as_json: bool
) -> None:
    """Fetch usage and costs from an API, and read them into the ledger.

    API is openai, anthropic, litellm, langfuse or openrouter. Keys are taken from the environment
    alone: OPENAI_ADMIN_KEY, ANTHROPIC_ADMIN_KEY, LITELLM_MASTER_KEY with LITELLM_PROXY_URL,
    LANGFUSE_PUBLIC_KEY with LANGFUSE_SECRET_KEY, OPENROUTER_API_KEY.

    The first pull takes the last 31 days. Later ones go on from there and fetch the last days
    again, which may have changed: of one bucket or line of a bill the newest pull is right. The
    pages are kept in .clearbar/pulled/, without prompts and answers.

    \b
    Examples:
      clearbar spend pull openai
      clearbar spend pull anthropic --since 2026-09-01
      clearbar spend pull openai --account eu-subsidiary
    """
    from clearbar.cli import spend_view
    from clearbar.spend.ingest import summary_json

    with _progress(quiet=as_json) as shown:
        pulled, summary = workspace.pull(api, parsed_day(since), account, shown=shown)
    if as_json:
        series = [each.json() for each in pulled]
        print_json({"api": api, "series": series, "added": summary_json(summary)})
    else:
        for each in pulled:
            click.echo(_line(each))
        spend_view.print_summary(summary)
    if any(each.failed for each in pulled):
        sys.exit(1)


def _line(pulled: Pulled) -> str:
    days = f"{pulled.start} to {pulled.end}" if pulled.start else ""
    line = f"{pulled.name}: {days}, {_counted(pulled.pages, 'page')}" if days else pulled.name
    if pulled.withdrawn:
        line += f", {_counted(pulled.withdrawn, 'line')} no longer told of"
    if pulled.failed:
        hint = f"\n  {pulled.hint}" if pulled.hint else ""
        return f"{line}: failed: {pulled.failed}{hint}"
    return line if days else f"{line}: nothing due"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Shown | None]:
    """Yield what shows the pages on standard error, if a person is looking."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.status import Status

    with Status("asking", console=Console(stderr=True)) as status:

        def show(series: str, span: Span, pages: int) -> None:
            status.update(f"{series} {span.start} to {span.end}: page {pages:,}")

        yield show
