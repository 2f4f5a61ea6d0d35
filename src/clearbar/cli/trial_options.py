"""Options of trials: money, names of tools, where the page goes."""

from __future__ import annotations

import os
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import click

from clearbar.cli.completing import complete_tools

_MOST_USD: Final = 10**9
SEED: Final = click.IntRange(min=0)
"""Of the order of the cases, as in clearbar.toml."""


def _page(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Return where the page goes, if it can: nobody wants to hear otherwise once all is paid."""
    del context, parameter
    if path is not None and not path.absolute().parent.is_dir():
        raise click.BadParameter(f'there is no folder "{path.parent}"')
    if path is not None and not path.exists() and not os.access(path.absolute().parent, os.W_OK):
        raise click.BadParameter(f'you may not write into the folder "{path.parent}"')
    return path


HTML = click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_page,
    help="Write the page of it.",
)


def dollars(context: click.Context, parameter: click.Parameter, text: str | None) -> Decimal | None:
    """Return the amount of US dollars that an option names."""
    del context, parameter
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= _MOST_USD:
        raise click.BadParameter(f'"{text}" is no amount of US dollars; write 5 or 2.50')
    return amount


def names(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Return the names that an option lists, each once."""
    del context, parameter
    if text is None:
        return None
    listed = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not listed:
        raise click.BadParameter("name one tool or more, with commas between them")
    return listed


TOOLS: Final = click.option(
    "--tools",
    metavar="A,B",
    callback=names,
    shell_complete=complete_tools,
    help="Try only these. Default: what the trial declares.",
)
