"""`clearbar report`: the main job in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_path
from clearbar.cli.options import (
    as_of_option,
    engine_option,
    json_option,
    parsed_day,
    print_json,
    workspace_option,
    writing,
)
from clearbar.cli.outcomes import read_declared_outcomes

if TYPE_CHECKING:
    from clearbar.workspace import Workspace


@click.command("report")
@click.argument("paths", nargs=-1, metavar="[PATH...]", shell_complete=complete_path)
@workspace_option
@as_of_option
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the page goes. Default: report.html in the workspace.",
)
@engine_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    folder: str | None,
    as_of: str | None,
    html: Path | None,
    engine: str | None,
    *,
    as_json: bool,
) -> None:
    """Read usage files, then show the scorecard and a verdict on every workflow.

    Where there is no workspace yet, this folder becomes one, with a workflow proposed for each
    project, team or service that the files name. Nothing is recorded but the usage: `clearbar gate`
    records verdicts.

    \b
    Examples:
      clearbar report ~/.claude/projects
      clearbar report 'exports/*.jsonl.gz' --html spend.html
      clearbar report
    """
    from clearbar.workspace import Workspace

    start = folder or context.find_root().obj
    fresh = not Workspace.exists(start)
    if fresh and paths:
        from clearbar.cli.init import make_workspace
        from clearbar.spend.files.candidates import candidates

        candidates(paths, Path.cwd())  # a path that is not there must not leave a workspace behind
        click.echo(f"wrote {make_workspace(Path(start or '.'))}", err=True)
    with Workspace.find(start, as_of=parsed_day(as_of), engine=engine) as workspace:
        _read(workspace, paths, quiet=as_json)
        if fresh:
            count = workspace.propose_workflows()
            click.echo(
                f"clearbar.toml now proposes workflows: {count}; finish them there", err=True
            )
        _show(workspace, html, as_json=as_json)


def _read(workspace: Workspace, paths: tuple[str, ...], *, quiet: bool) -> None:
    from clearbar.cli import spend_view

    if paths:
        with spend_view.progress_bar(quiet=quiet) as progress:
            summary = workspace.add(paths, progress)
        if not quiet:
            spend_view.print_summary(summary)
            click.echo()
    read_declared_outcomes(workspace)


def _show(workspace: Workspace, html: Path | None, *, as_json: bool) -> None:
    from clearbar.web.report import render

    moved = workspace.follow_the_ledger()
    scorecard, verdicts = workspace.scorecard(), workspace.verdicts()
    page = html or workspace.folder / "report.html"
    name = workspace.declared.workspace_name or workspace.folder.name
    rendered = render(scorecard, verdicts, workspace_name=name)
    with writing(page, "--html"):
        page.write_text(rendered, encoding="utf-8")
    if as_json:
        from clearbar.gate.verdict_json import verdicts_json
        from clearbar.own.card_json import scorecard_json

        print_json(
            {"scorecard": scorecard_json(scorecard), **verdicts_json(verdicts), "page": str(page)}
        )
        return
    from clearbar.cli import gate_view, scorecard_view
    from clearbar.cli.terminal import console

    if moved:
        click.echo(
            f"nothing in the last days: shown as of {moved}, the day after the newest charge"
        )
    screen = console()
    scorecard_view.print_scorecard(screen, scorecard, {each.workflow: each for each in verdicts})
    click.echo()
    gate_view.print_verdicts(screen, verdicts, scorecard, gate_view.mode_of(workspace.declared))
    click.echo(f"\nthe page: {page}")
