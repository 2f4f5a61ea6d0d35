"""`clearbar own outcome git`: merged work as outcomes of a coding workflow."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.completing import complete_branch, complete_workflow
from clearbar.cli.options import parsed_day, print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.own.merged.joining import Joined
    from clearbar.workspace import Workspace

_SHOWN: Final = 20


@click.command("git")
@click.argument(
    "repository", metavar="REPO", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--workflow",
    "name",
    metavar="NAME",
    required=True,
    shell_complete=complete_workflow,
    help="The workflow whose spend made the changes.",
)
@click.option(
    "--branch",
    metavar="NAME",
    shell_complete=complete_branch,
    help="Where work is merged. Default: the main branch.",
)
@click.option("--since", metavar="DATE", help="Read merges from this day on. Default: 90 days.")
@click.option("--dry-run", is_flag=True, help="Show the join; record nothing.")
@workspace_options
def command(
    workspace: Workspace,
    repository: Path,
    name: str,
    branch: str | None,
    since: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Record what was merged in a git REPO as outcomes of a coding workflow.

    A change that the workflow's spend is joined to counts as 1, and as 0 once it is reverted. The
    revert itself is none, and a merge counts once in all clones of a repository.
    Spend is joined by the branch that the agent's log names; else by folder and time, where only
    one change fits. What cannot be joined is shown and not guessed.

    \b
    Examples:
      clearbar own outcome git . --workflow coding-agents
      clearbar own outcome git ../shop --workflow coding-agents --dry-run
    """
    from clearbar.own.merged.outcomes import merged_json

    found = workspace.merged_work(repository, name, branch, parsed_day(since), record=not dry_run)
    if as_json:
        print_json(
            merged_json(
                found.joined, name, found.history.root.name, found.history.branch, found.recorded
            )
        )
        return
    _print(found.joined)
    new, known = found.recorded
    recorded = "nothing recorded (--dry-run)" if dry_run else f"{new:,} new, {known:,} known"
    click.echo(f"outcomes: {recorded}")


def _print(joined: Joined) -> None:
    from rich.table import Table

    from clearbar.cli.spark import printable
    from clearbar.cli.terminal import console
    from clearbar.core.money import usd
    from clearbar.own.merged.joining import HOW

    whole = sum((part.cost_usd for part in joined.coverage.values()), start=Decimal(0))
    coverage = Table("spend", box=None, pad_edge=False)
    for heading in ("calls", "cost", "share"):
        coverage.add_column(heading, justify="right", no_wrap=True)
    for how, words in HOW.items():
        part = joined.coverage[how]
        share = f"{part.cost_usd / whole:.0%}" if whole else "-"
        coverage.add_row(words, f"{part.calls:,}", usd(part.cost_usd), share)
    console().print(coverage)
    changes = Table(box=None, pad_edge=False)
    changes.add_column("merged", no_wrap=True)
    changes.add_column("branch", overflow="ellipsis")
    changes.add_column("commit", no_wrap=True)
    changes.add_column("cost", justify="right", no_wrap=True)
    changes.add_column("", no_wrap=True)
    dearest = sorted(joined.changes, key=lambda each: -each[1].cost_usd)[:_SHOWN]
    for change, usage in dearest:
        state = "reverted" if change.reverted_at else ""
        named = printable(change.branch or "(one commit)")
        day, cost = str(change.merged_at.date()), usd(usage.cost_usd)
        changes.add_row(day, named, change.sha[:10], cost, state)
    if dearest:
        console().print(changes)
    if len(joined.changes) > _SHOWN:
        click.echo(f"{len(joined.changes) - _SHOWN:,} cheaper changes: see --json")
