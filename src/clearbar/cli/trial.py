"""`clearbar trial`: find the cheapest tool that clears a workflow's bar, with a certificate."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.completing import complete_tool, complete_workflow, declared_workflows
from clearbar.cli.options import DefaultGroup, print_json, workspace_options
from clearbar.cli.trial_options import HTML, SEED, TOOLS, dollars
from clearbar.cli.trial_replay import replay, show_certificate

if TYPE_CHECKING:
    from decimal import Decimal

    from clearbar.trial.trial import Certificate
    from clearbar.workspace import Workspace

_STOPPED_BY_HAND: Final = 130
_WORKFLOW = click.argument("workflow", shell_complete=complete_workflow)


class TrialGroup(DefaultGroup):
    """`clearbar trial WORKFLOW` runs a trial; without a workflow, it lists them."""

    default = "run"

    def is_argument(self, ctx: click.Context, word: str) -> bool:
        """Return whether it is a workflow: one may be called "labels"."""
        return word in declared_workflows(ctx)


@click.group("trial", cls=TrialGroup)
def command() -> None:
    """Find the cheapest tool that clears a workflow's bar, with a certificate."""


@command.command("run")
@click.argument("workflow", required=False, shell_complete=complete_workflow)
@click.option("--dry-run", is_flag=True, help="Say what it would take; ask nothing.")
@click.option(
    "--budget",
    "budget_usd",
    metavar="USD",
    callback=dollars,
    help="Spend no more than this. Default: what the trial declares.",
)
@TOOLS
@click.option("--seed", metavar="N", type=SEED, help="Fixes the order of the cases.")
@HTML
@click.option("--yes", is_flag=True, help="Spend without asking first.")
@workspace_options
def run(
    workspace: Workspace,
    workflow: str | None,
    budget_usd: Decimal | None,
    tools: tuple[str, ...] | None,
    seed: int | None,
    html: Path | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Try the tools of a WORKFLOW, cheapest first, until one is shown to clear the bar.

    Without WORKFLOW, list the declared trials and what is known of them. What it may cost is said
    first. It can be stopped at any time (exit code 130) and run again: no answer is bought twice.

    \b
    Examples:
      clearbar trial
      clearbar trial support-replies --dry-run
      clearbar trial support-replies --budget 5 --html certificate.html
      clearbar trial support-replies --tools rules,haiku --yes --json
    """
    if workflow is None:
        _list(workspace, as_json=as_json)
        return
    from clearbar.cli import trial_forecast
    from clearbar.cli.terminal import console
    from clearbar.cli.trial_progress import trial_progress
    from clearbar.trial.certifying.certificate import LABELS_WANTED, STOPPED
    from clearbar.trial.forecast import forecast_json

    forecast = workspace.trial_forecast(workflow, tools=tools, budget_usd=budget_usd)
    if dry_run and as_json:
        print_json(forecast_json(forecast))
        return
    if not as_json:
        trial_forecast.print_forecast(console(), forecast)
    if dry_run:
        return
    trial_forecast.agree(forecast, yes=yes)
    if not as_json:
        click.echo()
    with trial_progress(quiet=as_json) as progress:
        certificate = workspace.run_trial(
            workflow, tools=tools, budget_usd=budget_usd, seed=seed, progress=progress
        )
    _show(certificate, html, as_json=as_json)
    if STOPPED in certificate.warnings:
        sys.exit(_STOPPED_BY_HAND)
    if LABELS_WANTED in certificate.warnings and (tools or seed is not None):
        click.echo(f"hint: {_label_command(workflow, tools, seed)}", err=True)
    _check_asked(certificate)


@command.command("show")
@_WORKFLOW
@HTML
@workspace_options
def show(workspace: Workspace, workflow: str, html: Path | None, *, as_json: bool) -> None:
    """Show the last certificate of a WORKFLOW, and what has changed since.

    \b
    Examples:
      clearbar trial show support-replies
      clearbar trial show support-replies --html certificate.html
    """
    from clearbar.core.errors import ClearbarError

    found = workspace.certificate(workflow)
    if found is None:
        raise ClearbarError(
            f"{workflow} has no certificate yet", f"make one: clearbar trial {workflow}"
        )
    certificate, stale = found
    _show(certificate, html, stale=stale, as_json=as_json)


@command.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--workflow",
    required=True,
    metavar="NAME",
    shell_complete=complete_workflow,
    help="Whose trial they decide.",
)
@click.option(
    "--tool",
    metavar="TOOL",
    shell_complete=complete_tool,
    help="What was evaluated, where no file says so.",
)
@click.option("--metric", metavar="NAME", help="Which of several metrics is the score.")
@HTML
@workspace_options
def import_(
    workspace: Workspace,
    files: tuple[Path, ...],
    workflow: str,
    tool: str | None,
    metric: str | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Decide the trial of a workflow from results of another evaluator, and keep the certificate.

    FILE is what promptfoo, Inspect AI, lm-evaluation-harness, DeepEval or OpenAI evals wrote for
    each sample, perhaps a file for each tool; or a table with the columns case, tool and score. It
    is recognised by its content.

    \b
    Examples:
      clearbar trial import results.json --workflow support-replies
      clearbar trial import opus.eval haiku.eval --workflow support-replies
    """
    from clearbar.cli import trial_forecast
    from clearbar.trial.recorded.evaluation import Choice

    scores, certificate = workspace.import_evidence(files, workflow, Choice(tool, metric))
    if not as_json:
        trial_forecast.print_import(scores)
        click.echo()
    _show(certificate, html, as_json=as_json)


@command.command("label")
@_WORKFLOW
@click.option("--by", required=True, metavar="WHO", help="Who judges: a role or an address.")
@TOOLS
@click.option(
    "--seed", metavar="N", type=SEED, help="The seed of the trial that waits for the labels."
)
@workspace_options
def label(
    workspace: Workspace,
    workflow: str,
    by: str,
    tools: tuple[str, ...] | None,
    seed: int | None,
    *,
    as_json: bool,
) -> None:
    """Judge answers of a WORKFLOW by hand, only where it matters.

    You see an input and the answers to it, in random order and without the names of the tools.
    y is right, n is wrong, 0 to 9 are tenths; s skips a case, q ends. What is judged is kept.
    Give --tools and --seed where the trial was run with them.

    \b
    Example:
      clearbar trial label support-replies --by support-lead@example.com
    """
    from clearbar.cli.label import label_cases

    wanted = workspace.labels_wanted(workflow, tools=tools, seed=seed)
    count = label_cases(workspace, workflow, wanted, by, err=as_json)
    if as_json:
        print_json({"workflow": workflow, "labels": count})
    else:
        click.echo(f"{count:,} answer{'' if count == 1 else 's'} judged")


@command.command("distil")
@_WORKFLOW
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the classifier goes. Default: WORKFLOW.classifier in the workspace.",
)
@click.option("--dry-run", is_flag=True, help="Show the learning curve; write nothing.")
@workspace_options
def distil(
    workspace: Workspace, workflow: str, out: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Train a classifier on the logged answers of a WORKFLOW: a tool that is no model at all.

    The learning curve says what to expect before any money is spent. Cases that it learns from
    are never used to certify it.

    \b
    Examples:
      clearbar trial distil ticket-topics --dry-run
      clearbar trial distil ticket-topics --out tools/topics.classifier
    """
    from clearbar.cli import distil_view
    from clearbar.cli.terminal import console

    place = None if dry_run else out or workspace.folder / f"{workflow}.classifier"
    report = workspace.distil(workflow, place)
    if as_json:
        print_json(distil_view.distil_json(report))
    else:
        distil_view.print_distil(console(), report)


command.add_command(replay)


def _list(workspace: Workspace, *, as_json: bool) -> None:
    from clearbar.cli import trial_forecast
    from clearbar.cli.terminal import console

    known = {
        trial.workflow: workspace.certificate(trial.workflow) for trial in workspace.declared.trials
    }
    if as_json:
        print_json(trial_forecast.listing_json(known))
    else:
        trial_forecast.print_listing(console(), known)


def _check_asked(certificate: Certificate) -> None:
    """Refuse to end as if all were well where every tool that was to be asked is broken."""
    from clearbar.core.errors import ClearbarError

    others = ("incumbent", "data_class", "dearer")
    reasons = {each.reason for each in certificate.findings if each.reason not in others}
    if reasons == {"broken"}:
        raise ClearbarError(
            f"nothing was decided of {certificate.identity.workflow}: no tool could be asked on",
            "what went wrong stands with each tool; mend it, and run the trial again",
        )


def _label_command(workflow: str, tools: tuple[str, ...] | None, seed: int | None) -> str:
    """Return what asks for the labels of this very trial."""
    words = ["clearbar", "trial", "label", workflow]
    words += ["--tools", ",".join(tools)] if tools else []
    words += [] if seed is None else ["--seed", str(seed)]
    return f"{shlex.join(words)} --by WHO"


def _show(
    certificate: Certificate,
    html: Path | None,
    *,
    stale: tuple[str, ...] = (),
    as_json: bool,
) -> None:
    """Print a certificate of the workspace, or its JSON; and write its page, if asked to."""
    from clearbar.trial.certifying.certificate import certificate_id, is_complete

    key = certificate_id(certificate) if is_complete(certificate) else None
    show_certificate(certificate, html, identifier=key, stale=stale, as_json=as_json)
