"""`clearbar spend anomalies`: charges far outside what is usual for their workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.completing import complete_period
from clearbar.cli.options import chosen_period, print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.spend.anomalies import Anomalies
    from clearbar.workspace import Workspace

_SHOWN: Final = 30


@click.command("anomalies")
@click.argument("period", required=False, shell_complete=complete_period)
@workspace_options
def command(workspace: Workspace, period: str | None, *, as_json: bool) -> None:
    """Show charges far outside the costs that are usual for their workflow and model.

    They count in every sum: this says which to look at, and how much money each is about. Of
    costs that vary as they usually do, at most one charge in a hundred thousand is shown.

    \b
    Examples:
      clearbar spend anomalies
      clearbar spend anomalies 30d --json
    """
    found = workspace.anomalies(chosen_period(workspace, period, "all"))
    if as_json:
        from clearbar.spend.anomalies import anomalies_json

        print_json(anomalies_json(found))
    else:
        _print(found)


def _print(anomalies: Anomalies) -> None:
    from clearbar.cli.terminal import say
    from clearbar.core.money import usd

    if not (anomalies.compared or anomalies.too_few):
        say("no charges to compare in this period: clearbar spend add PATH")
        return
    if anomalies.found:
        _print_found(anomalies)
        say("follow one to its bytes: clearbar spend trace CHARGE")
    if len(anomalies.found) > _SHOWN:
        say(f"{len(anomalies.found) - _SHOWN:,} smaller ones: see --json")
    say(
        f"{len(anomalies.found):,} charges, {usd(anomalies.effect_usd)} beyond what is usual;"
        f" {anomalies.compared:,} kinds of charges compared, {anomalies.too_few:,} with too few"
    )


def _print_found(anomalies: Anomalies) -> None:
    from rich.table import Table

    from clearbar.cli.spark import printable
    from clearbar.cli.terminal import NARROW, console
    from clearbar.core.money import usd

    shown = console()
    names = ("workflow",) if shown.width < NARROW else ("workflow", "model")
    table = Table(box=None, pad_edge=False)
    for heading in ("charge", "day"):
        table.add_column(heading, no_wrap=True)
    for heading in names:  # money, days and ids are never cut: names give way
        table.add_column(heading, overflow="fold")
    for heading in ("cost", "usual", "effect"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in anomalies.found[:_SHOWN]:
        named = (each.workflow, each.origin.model or "(none)")[: len(names)]
        sums = (usd(each.cost_usd), usd(each.usual_usd), usd(each.effect_usd))
        table.add_row(each.charge_id[:12], str(each.day), *map(printable, named), *sums)
    shown.print(table)
