"""`clearbar own`: the scorecard, and the outcomes that it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearbar.cli import outcome_git
from clearbar.cli.completing import complete_period, complete_workflow
from clearbar.cli.group import LazyGroup
from clearbar.cli.options import chosen_period, print_json, workspace_options
from clearbar.cli.outcomes import print_bad_outcomes, read_declared_outcomes

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.group("own", cls=LazyGroup)
def command() -> None:
    """Show who owns each workflow and what a good outcome costs; record outcomes."""


@command.command("show")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option(
    "--workflow", "name", metavar="NAME", shell_complete=complete_workflow, help="Only this one."
)
@workspace_options
def show(workspace: Workspace, period: str | None, name: str | None, *, as_json: bool) -> None:
    """Show the scorecard of a PERIOD. Default: the days on which verdicts rest (30d).

    PERIOD is 2026, 2026-Q3, 2026-09, 30d, 2026-09-01..2026-10-01 or all.

    \b
    Examples:
      clearbar own
      clearbar own 2026-Q3 --json
      clearbar own --workflow support-replies
    """
    read_declared_outcomes(workspace)
    chosen = chosen_period(workspace, period, f"{workspace.period.days}d")
    scorecard = workspace.scorecard(chosen)
    if name is not None:
        workspace.workflow(name)
    if as_json:
        from clearbar.own.card_json import card_json, scorecard_json

        cards = [card for card in scorecard.cards if card.workflow.name == name]
        print_json(scorecard_json(scorecard) if name is None else card_json(cards[0]))
        return
    from clearbar.cli import card_view, scorecard_view
    from clearbar.cli.terminal import console

    if name is None:
        scorecard_view.print_scorecard(console(), scorecard)
    else:
        card = next(card for card in scorecard.cards if card.workflow.name == name)
        for line in card_view.card_lines(card):
            click.echo(line)


@command.group("outcome")
def outcome() -> None:
    """Record what workflows produced, scored from 0 to 1."""


@outcome.command("add")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@workspace_options
def add(workspace: Workspace, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Read outcomes from CSV or JSONL FILEs. The same outcome twice adds nothing.

    Columns: workflow, task_id, score (0 to 1), scored_at, said_by; and worth_usd if known.
    Failures are outcomes too: they count with score 0.

    \b
    Example:
      clearbar own outcome add outcomes/support.csv
    """
    read = workspace.add_outcomes(files)
    if as_json:
        problems = [
            {"uri": str(path), "line": p.line, "what": p.what, "hint": p.hint}
            for path, p in read.problems
        ]
        print_json({"new": read.new, "known": read.known, "problems": problems})
        return
    told = read.new + read.known + len(read.problems)
    click.echo(
        f"{told:,} outcomes: {read.new:,} new, {read.known:,} known, {len(read.problems):,} bad"
    )
    print_bad_outcomes(read)


outcome.add_command(outcome_git.command)
command.load_later({"discover": "Propose workflows for spend that belongs to none."})
