"""`clearbar spend`: add usage records, show sums, trace a number back to its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import (
    complete_book,
    complete_charge,
    complete_path,
    complete_period,
    of_meanings,
)
from clearbar.cli.group import LazyGroup
from clearbar.cli.options import chosen_period, print_json, workspace_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.workspace import Workspace


def _dimensions() -> Mapping[str, str]:
    from clearbar.spend.report import BY

    return BY


@click.group("spend", cls=LazyGroup)
def command() -> None:
    """Add usage records, show what they cost, trace a number to its bytes."""


@command.command("show")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option(
    "--by",
    default="workflow",
    metavar="WHAT",
    shell_complete=of_meanings(_dimensions),
    help="What a row is. Default: workflow.",
)
@click.option("--explain", is_flag=True, help="Say which rule took each origin.")
@workspace_options
def show(
    workspace: Workspace, period: str | None, by: str, *, explain: bool, as_json: bool
) -> None:
    """Show what was spent, in all or in a PERIOD.

    PERIOD is 2026, 2026-Q3, 2026-09, 2026-09-14, 30d, 2026-09-01..2026-10-01 or all.
    WHAT is workflow, model, provider, account, day, label, label:KEY, project, team, principal,
    service or source.

    \b
    Examples:
      clearbar spend
      clearbar spend 2026-10 --by model
      clearbar spend 30d --by label:team --json
      clearbar spend --explain
    """
    from clearbar.cli import spend_view

    chosen = chosen_period(workspace, period, "all")
    if explain:
        lines = workspace.explain(chosen)
        if as_json:
            print_json({"origins": [line.json() for line in lines]})
        else:
            spend_view.print_explanation(lines)
        return
    report = workspace.spend(chosen, by)
    if as_json:
        from clearbar.spend.report import report_json

        print_json(report_json(report))
    else:
        spend_view.print_report(report)


@command.command("add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_path)
@workspace_options
def add(workspace: Workspace, paths: tuple[str, ...], *, as_json: bool) -> None:
    """Read usage files into the ledger. The same file twice adds nothing.

    PATH is a file, a folder or a quoted glob; gzip is read too. Each file goes to the source that
    recognises it. Records that cannot be taken in are kept with a reason: clearbar spend problems.

    \b
    Examples:
      clearbar spend add ~/.claude/projects
      clearbar spend add 'exports/litellm-*.jsonl.gz'
    """
    from clearbar.cli import spend_view
    from clearbar.spend.ingest import summary_json

    with spend_view.progress_bar(quiet=as_json) as progress:
        summary = workspace.add(paths, progress)
    if as_json:
        print_json(summary_json(summary))
    else:
        spend_view.print_summary(summary)


@command.command("trace")
@click.argument("charge", required=False, shell_complete=complete_charge)
@click.option(
    "--period",
    shell_complete=complete_period,
    help="Without CHARGE: the dearest charges of a period.",
)
@workspace_options
def trace(workspace: Workspace, charge: str | None, period: str | None, *, as_json: bool) -> None:
    """Follow one CHARGE from its number back to the bytes it was read from.

    CHARGE is the beginning of a charge's id, four digits or more. Without it, the dearest charges
    are listed with their ids.

    \b
    Examples:
      clearbar spend trace
      clearbar spend trace 3f9a02c1
    """
    from clearbar.cli import spend_view

    if charge is None:
        dearest = workspace.dearest(chosen_period(workspace, period, "all"))
        if as_json:
            print_json({"charges": dearest})
        else:
            spend_view.print_dearest(dearest)
        return
    found = workspace.trace(charge)
    if as_json:
        from clearbar.spend.trace import trace_json

        print_json(trace_json(found))
    else:
        spend_view.print_trace(found)


@command.command("problems")
@workspace_options
def problems(workspace: Workspace, *, as_json: bool) -> None:
    """List the records that were not taken in: where they stand, what is wrong, what to do.

    \b
    Example:
      clearbar spend problems
    """
    from clearbar.cli import spend_view

    found = workspace.problems()
    if as_json:
        print_json({"problems": found})
    else:
        spend_view.print_problems(found)


@command.command("reprice")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option(
    "--book", metavar="X", shell_complete=complete_book, help="Another price book than today's."
)
@workspace_options
def reprice(workspace: Workspace, period: str | None, book: str | None, *, as_json: bool) -> None:
    """Price charges again with today's price book and declarations, in all or in a PERIOD.

    A charge keeps the price it came in with until you say this. The old price stays on record.

    X is a version as a charge's trace shows it, or its first letters; a file of .clearbar/prices,
    or a folder with one book. A version is the book with what clearbar.toml declared at that time,
    so the same version always gives the same prices.

    \b
    Examples:
      clearbar spend reprice 2026-10
      clearbar spend reprice --book 'genai-prices 0.2.3+1f0c9a2b'
    """
    count = workspace.reprice(chosen_period(workspace, period, "all"), book)
    if as_json:
        print_json({"repriced": count})
    else:
        click.echo(f"{count:,} records have a new price")


command.load_later(
    {
        "prices": "Show what models cost, and where sources of prices disagree.",
        "export": "Write charges to a file: CSV, Parquet or FOCUS.",
        "receive": "Receive traces and events from OpenTelemetry exporters.",
        "anomalies": "Show charges far outside what is usual for their workflow.",
        "close": "Close a month: what was reported of it stays.",
        "reconcile": "Compare what was billed with what was logged.",
        "pull": "Fetch usage and costs from a provider or a gateway.",
    }
)
