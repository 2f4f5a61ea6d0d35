"""`clearbar route budgets`: what every budget has left."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from clearbar.cli.options import print_json, workspace_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.budgets.balances import Balance
    from clearbar.workspace import Workspace

_NUSD = 10**9


@click.command("budgets")
@click.option("--all", "past", is_flag=True, help="Also days and months that are over.")
@workspace_options
def command(workspace: Workspace, *, past: bool, as_json: bool) -> None:
    """Show what every budget has left.

    Workers take leases of a budget and report about once a second. What they hold for calls in
    flight is at most what they have leased.

    \b
    Examples:
      clearbar route budgets
      clearbar route budgets --all --json
    """
    from clearbar.route.budgets.balances import running

    found = workspace.budget_balances()
    shown = found if past else running(found, workspace.as_of)
    if as_json:
        print_json([_json(each) for each in shown])
    elif shown:
        _print(shown)
    else:
        click.echo("No budget has been used" + (" yet." if past or not found else " this month."))


def _print(shown: Sequence[Balance]) -> None:
    from rich.table import Table

    from clearbar.cli.spark import printable
    from clearbar.cli.terminal import console

    table = Table(box=None, pad_edge=False)
    table.add_column("account", overflow="fold")
    for name in ("limit", "spent", "held", "leased", "left"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in shown:
        amounts = (
            each.limit_nusd,
            each.spent_nusd,
            each.held_nusd,
            each.leased_nusd,
            each.left_nusd,
        )
        table.add_row(printable(each.account), *map(_usd, amounts), _note(each))
    console().print(table)


def _usd(nusd: int) -> str:
    from clearbar.core.money import usd

    return usd(Decimal(nusd) / _NUSD)


def _note(balance: Balance) -> str:
    if balance.spent_nusd >= balance.limit_nusd:
        return "spent"
    if balance.draining:
        return "draining"
    return f"over {max(balance.warned):.0%}" if balance.warned else ""


def _json(balance: Balance) -> dict[str, Any]:
    from clearbar.core.money import plain

    amounts = {
        f"{name}_usd": plain(Decimal(getattr(balance, f"{name}_nusd")) / _NUSD)
        for name in ("limit", "spent", "held", "leased", "left")
    }
    return {
        "account": balance.account,
        "scope": balance.scope,
        "name": balance.name,
        "per": balance.per,
        "period": balance.period,
        **amounts,
        "draining": balance.draining,
        "warned": list(balance.warned),
    }
