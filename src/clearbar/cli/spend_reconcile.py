"""`clearbar spend reconcile`: how bills and logs agree, and what is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

from clearbar.cli.completing import complete_period
from clearbar.cli.options import chosen_period, print_json, workspace_options
from clearbar.core.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearbar.spend.reconciliation import Account, Compared, Reconciliation
    from clearbar.workspace import Workspace

    _Row = tuple[str, str, Sequence[Compared], Decimal]

_NARROW: Final = 72
_SUMS: Final = ("billed", "logged", "residual", "coverage", "error")
_BAR: Final = 10
_GAP: Final = 3
_LEAST_NAME: Final = 12
"""Columns that a name keeps, where it is so long, before it is cut."""
_SPARK: Final = 31
_SHOWN_DAYS: Final = 62
_LEAST_DAYS: Final = 3
"""With fewer there is no shape to see."""


@click.command("reconcile")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option(
    "--by",
    type=click.Choice(["provider", "account", "day"]),
    default="account",
    show_default=True,
    help="What a row is.",
)
@workspace_options
def command(workspace: Workspace, period: str | None, by: str, *, as_json: bool) -> None:
    """Compare what providers billed with what was logged, in all or in a PERIOD.

    A bill sets the total of its days and the logs set the split; the difference is the residual,
    which is nobody's. Coverage is the share of the bill that logs explain; error is how far both
    are apart day by day, so that too much on one day does not make up for too little on another.

    The JSON has every account with its days, whatever --by says.

    \b
    Examples:
      clearbar spend reconcile
      clearbar spend reconcile 2026-10 --by day
      clearbar spend reconcile 30d --json
    """
    found = workspace.reconciliation(chosen_period(workspace, period, "all"))
    if as_json:
        from clearbar.spend.reconciliation_words import reconciliation_json

        print_json(reconciliation_json(found))
        return
    if not found.accounts:
        click.echo("no calls and no bills in this period: clearbar spend add FILE")
        return
    from clearbar.cli.terminal import console, say

    screen = console()
    ascii_only = not screen.encoding.startswith("utf")
    rows = list(_rows(found, by))
    screen.print(_table(rows, by, screen.width, ascii_only=ascii_only))
    for line in _remarks(found, ascii_only=ascii_only):
        say(line) if " = " not in line else click.echo(line)  # what is to be copied stays whole


def _rows(found: Reconciliation, by: str) -> Iterator[_Row]:
    """Yield provider, account or day, what is compared, and what is logged on other days."""
    if by == "provider":
        for provider in dict.fromkeys(each.provider for each in found.accounts):
            mine = [each for each in found.accounts if each.provider == provider]
            compared = [day for each in mine for day in each.compared]
            yield provider, "", compared, sum((_unbilled(each) for each in mine), Decimal(0))
        return
    for account in found.accounts:
        if by == "account":
            name = account.name or "(unknown)"
            yield account.provider, name, account.compared, _unbilled(account)
            continue
        for each in account.compared[-_SHOWN_DAYS:]:
            name = str(each.day) if each.days == 1 else f"{each.day} +{each.days - 1}d"
            yield account.provider, name, [each], Decimal(0)


def _unbilled(account: Account) -> Decimal:
    return account.logged_usd - account.compared_usd


def _table(rows: Sequence[_Row], by: str, width: int, *, ascii_only: bool) -> Any:
    """Return the table; where it would be too wide, coverage first gives up its bar."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from clearbar.cli.spark import printable

    headings = ("provider",) if by == "provider" else ("provider", by)
    shown = (0, 1, 3, 4) if width < _NARROW else (0, 1, 2, 3, 4)  # the residual can be reckoned
    lines = [(*headings, *(_SUMS[place] for place in shown))]
    for provider, name, compared, unbilled in rows:
        names = (provider or "(unknown)", name)[: len(headings)]
        sums = _cells(compared, unbilled, ascii_only=ascii_only)
        lines.append((*map(printable, names), *(sums[place] for place in shown)))
    if _width(lines) > width:
        lines = [(*line[:-2], line[-2].split(" ")[-1], line[-1]) for line in lines]
    room = width - _width([line[len(headings) :] for line in lines]) - _GAP * len(headings)
    least = min(_LEAST_NAME, max(room // len(headings), 1))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, heading in enumerate(lines[0]):
        if place < len(headings):  # money is never cut: names give way
            longest = max(len(line[place]) for line in lines)
            table.add_column(heading, overflow="ellipsis", min_width=min(longest, least))
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Return how many columns a table of these cells takes."""
    widest = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return sum(widest) + _GAP * (len(widest) - 1)


def _cells(compared: Sequence[Compared], unbilled: Decimal, *, ascii_only: bool) -> tuple[str, ...]:
    billed = sum((each.billed_usd for each in compared), Decimal(0))
    logged = sum((each.logged_usd for each in compared), Decimal(0))
    if not compared:
        return "no bill", usd(unbilled), "-", "-", "-"
    off = sum((each.off_usd for each in compared), Decimal(0))
    if billed <= 0:
        return usd(billed), usd(logged), usd(billed - logged), "-", "-"
    share = float(logged / billed)
    return (
        usd(billed),
        usd(logged),
        usd(billed - logged),
        f"{_bar(share, ascii_only=ascii_only)} {share:>4.0%}",
        f"{float(off / billed):.1%}",
    )


def _bar(share: float, *, ascii_only: bool) -> str:
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    filled = min(max(int(share * _BAR), 0), _BAR)
    return full * filled + empty * (_BAR - filled)


def _remarks(found: Reconciliation, *, ascii_only: bool) -> Iterator[str]:
    from clearbar.cli.spark import printable
    from clearbar.spend.reconciliation_words import missing

    for account in found.accounts:
        said = missing(account, found)
        if not said and not account.compared:
            continue
        yield ""
        yield printable(" ".join(filter(None, (account.provider or "(unknown)", account.name))))
        yield from _sparks(account, ascii_only=ascii_only)
        if account.other_usd:
            yield f"  tax, credits, purchases: {usd(account.other_usd)}"
        for what, step in said:
            yield f"  {printable(what)}"
            yield from (f"    {printable(line)}" for line in step.splitlines())


def _sparks(account: Account, *, ascii_only: bool) -> Iterator[str]:
    from clearbar.cli.spark import spark

    if len(account.compared) < _LEAST_DAYS:
        return
    billed = [max(each.billed_usd, Decimal(0)) for each in account.compared]
    logged = [max(each.logged_usd, Decimal(0)) for each in account.compared]
    for name, costs in (("billed", billed), ("logged", logged)):
        if line := spark([float(cost) for cost in costs], _SPARK, ascii_only=ascii_only):
            yield f"  {name} by day  {line}  at most {usd(max(costs))}"
