"""`clearbar gate`: verdicts, and what people say to them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_workflow
from clearbar.cli.options import DefaultGroup, parsed_day, print_json, workspace_options
from clearbar.cli.outcomes import read_declared_outcomes

if TYPE_CHECKING:
    from datetime import date

    from clearbar.gate.verdict import Decision
    from clearbar.workspace import Workspace

_BY = click.option("--by", required=True, metavar="WHO", help="Who says so: a role or an address.")
_WHY = click.option("--why", required=True, metavar="TEXT", help="The reason, for the record.")
_WORKFLOW = click.argument("workflow", shell_complete=complete_workflow)


@click.group("gate", cls=DefaultGroup)
def command() -> None:
    """Fund, pause or kill: show verdicts, answer them, look back."""


@command.command("show")
@click.option("--check", is_flag=True, help="For CI: exit 1 if something has to change.")
@workspace_options
def show(workspace: Workspace, *, check: bool, as_json: bool) -> None:
    """Show a verdict on every workflow, dearest first, and record what is new.

    With --check nothing is recorded. It fails when a spending workflow has no owner or metric, or
    when a verdict would change.

    \b
    Examples:
      clearbar gate
      clearbar gate --check
      clearbar gate --json
    """
    read_declared_outcomes(workspace)
    if check:
        _check(workspace, as_json=as_json)
        return
    verdicts, news = workspace.judge()
    if as_json:
        from clearbar.gate.verdict_json import verdicts_json

        print_json(verdicts_json(verdicts))
        return
    from clearbar.cli import gate_view
    from clearbar.cli.terminal import console

    mode = gate_view.mode_of(workspace.declared)
    gate_view.print_verdicts(console(), verdicts, workspace.scorecard(), mode)
    if workspace.is_as_of_another_day:
        click.echo(f"judged as of {workspace.as_of}: nothing is recorded")
    else:
        click.echo(f"{len(news)} new in the docket, which ends at {workspace.docket_head}")


@command.command("defend")
@_WORKFLOW
@_BY
@_WHY
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How long it holds. Default: to the next review."
)
@workspace_options
def defend(
    workspace: Workspace, workflow: str, by: str, why: str, days: int | None, *, as_json: bool
) -> None:
    """Stand up for a WORKFLOW. A defence expires.

    \b
    Example:
      clearbar gate defend support-replies --by support-lead@example.com --why "94% resolved"
    """
    made = workspace.defend(workflow, by=by, why=why, days=days)
    if as_json:
        print_json(
            {
                "workflow": made.workflow,
                "by": made.by,
                "on": str(made.on),
                "expires": str(made.expires),
            }
        )
    else:
        click.echo(f"{made.workflow} is defended by {made.by} until {made.expires}")


@command.command("override")
@_WORKFLOW
@click.argument("decision", type=click.Choice(["fund", "pause", "kill"]))
@_BY
@_WHY
@click.option(
    "--until",
    required=True,
    callback=lambda _, __, text: parsed_day(text),
    metavar="DATE",
    help="The first day on which it no longer holds.",
)
@workspace_options
def override(
    workspace: Workspace,
    workflow: str,
    decision: Decision,
    by: str,
    why: str,
    until: date,
    *,
    as_json: bool,
) -> None:
    """Decide on a WORKFLOW against the table, for a time. The reasons stay visible.

    \b
    Example:
      clearbar gate override digest fund --by cfo@example.com --why "the audit" --until 2026-12-15
    """
    made = workspace.override(workflow, decision, by=by, why=why, until=until)
    if as_json:
        print_json(
            {
                "workflow": made.workflow,
                "decision": made.decision,
                "by": made.by,
                "until": str(made.until),
            }
        )
    else:
        click.echo(f"{made.workflow}: {made.decision} until {made.until}, decided by {made.by}")


@command.command("history")
@_WORKFLOW
@workspace_options
def history(workspace: Workspace, workflow: str, *, as_json: bool) -> None:
    """Show all that was ever decided, defended or overridden about a WORKFLOW.

    \b
    Example:
      clearbar gate history support-replies
    """
    entries = workspace.gate_history(workflow)
    if as_json:
        from clearbar.gate.verdict_json import entry_json

        print_json({"workflow": workflow, "entries": [entry_json(entry) for entry in entries]})
        return
    from clearbar.cli import gate_view
    from clearbar.cli.terminal import console

    gate_view.print_history(console(), workflow, entries)


def _check(workspace: Workspace, *, as_json: bool) -> None:
    from clearbar.cli.terminal import say

    problems = workspace.gate_problems()
    if as_json:
        print_json(
            {"problems": [{"line": p.line, "what": p.what, "hint": p.hint} for p in problems]}
        )
    for problem in problems if not as_json else ():
        where = "" if problem.line is None else f"clearbar.toml:{problem.line}: "
        say(f"{where}{problem.what}")
        say(f"  {problem.hint}")
    if not problems and not as_json:
        click.echo("nothing to change")
    sys.exit(1 if problems else 0)
