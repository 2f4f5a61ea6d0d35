"""`clearbar spend close`: what is reported of a month stays; later changes are corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from clearbar.cli.completing import complete_month
from clearbar.cli.options import print_json, workspace_options

if TYPE_CHECKING:
    from clearbar.spend.reconciling.closing import ClosedEntry
    from clearbar.workspace import Workspace


@click.command("close")
@click.argument("month", required=False, shell_complete=complete_month)
@workspace_options
def command(workspace: Workspace, month: str | None, *, as_json: bool) -> None:
    """Close a MONTH, such as 2026-10; without MONTH list what is closed.

    Every report of a closed month stays as it was, to the last decimal and to the workflow. What
    arrives or changes later (late records, bills, another price or rule) becomes corrections on
    the day on which they are seen, in the month that is open then. So the sum over all time is
    always true. A month is closed once it is over, and never opened again.

    \b
    Examples:
      clearbar spend close 2026-10
      clearbar spend close
    """
    entries = (
        workspace.closings() if month is None else workspace.close_month(_month(workspace, month))
    )
    if as_json:
        print_json({"closings": [_json(each) for each in entries]})
        return
    if not entries:
        click.echo("no month is closed: clearbar spend close MONTH")
    for each in entries:
        what = f"{each.month} closed" if each.kind == "close" else f"corrections of {each.day}"
        click.echo(f"{each.at}  {what}  {each.hash[:12]}")


def _month(workspace: Workspace, text: str) -> Any:
    from clearbar.core.errors import ClearbarError
    from clearbar.core.period import month_of, parse_period

    try:
        period = parse_period(text, workspace.as_of)
    except ClearbarError:
        period = None
    if period is None or period != month_of(period.start):
        raise ClearbarError(f'"{text}" is not one calendar month', "write it as 2026-10")
    return period


def _json(each: ClosedEntry) -> dict[str, Any]:
    return {
        "entry": each.entry,
        "kind": each.kind,
        "month": each.month,
        "day": each.day,
        "at": each.at,
        "hash": each.hash,
    }
