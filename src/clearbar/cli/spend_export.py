"""`clearbar spend export`: charges as CSV, Parquet or FOCUS, for others to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearbar.cli.completing import complete_period, of_meanings
from clearbar.cli.options import chosen_period, print_json, workspace_options
from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.workspace import Workspace


def _formats() -> Mapping[str, str]:
    from clearbar.spend.export.run import FORMATS

    return FORMATS


def _grains() -> Mapping[str, str]:
    from clearbar.spend.export.run import GRAINS

    return dict.fromkeys(GRAINS, "")


@click.command("export")
@click.argument("period", required=False, shell_complete=complete_period)
@click.option(
    "--format",
    "form",
    default="csv",
    metavar="FORMAT",
    shell_complete=of_meanings(_formats),
    help="csv, parquet, focus-1.2 or focus-1.4. Default: csv.",
)
@click.option(
    "--by",
    metavar="WHAT",
    shell_complete=of_meanings(_grains),
    help="What a row is: charge or day. FOCUS is by the day.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="The file to write. Without it: standard output.",
)
@workspace_options
def command(
    workspace: Workspace,
    period: str | None,
    form: str,
    by: str | None,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Write charges to a file, in all or in a PERIOD. Their sum is that of `clearbar spend`.

    What bills and calls both tell of, and what corrects a closed month, are rows of their own. A
    FOCUS file says of each row, in x_CostBasis, whether it is billed or an estimate; it is written
    as Parquet where FILE ends in .parquet. The file appears whole, or not at all. In CSV, a text
    that a spreadsheet would run as a formula has an apostrophe in front.

    \b
    Examples:
      clearbar spend export 2026-10 > october.csv
      clearbar spend export 2026-10 --format parquet --output october.parquet
      clearbar spend export 2026-10 --format focus-1.4 --output october.csv
    """
    if as_json and output is None:
        raise ClearbarError("--json says what was written to a file", "add --output FILE")
    if sys.stdout is None and output is None:
        raise ClearbarError("there is no standard output", "add --output FILE")
    chosen = chosen_period(workspace, period, "all")
    target = None if output is None else Path(output)
    rows = workspace.export(chosen, form, by, target, sys.stdout)
    if as_json:
        print_json({"file": output, "format": form, "rows": rows})
    elif output is not None:
        click.echo(f"{rows:,} rows written to {output}")
