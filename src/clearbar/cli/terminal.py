"""The terminal that tables and sentences are printed on."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NARROW: Final = 72
"""Below so many columns, tables leave out what can be done without."""
_COMMAND: Final = re.compile(r"clearbar( [^\s,;:]+)+")


def console() -> Console:
    """Return a console that paints nothing by itself: no numbers or paths in colour."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def table(*names: str, left: int = 1) -> Table:
    """Return a table of `left` columns of texts, then figures. No figure is cut: texts give way."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, name in enumerate(names):
        if number < left:
            made.add_column(name, overflow="fold")
        else:
            made.add_column(name, justify="right", no_wrap=True)
    return made


def say(line: str, indent: int = 2) -> None:
    """Print a sentence; on a terminal its lines end between words, and no command is broken."""
    if sys.stdout is None:  # closed by the caller: `>&-`
        return
    lines = [line]
    if sys.stdout.isatty():
        lines = broken(line, shutil.get_terminal_size().columns, indent)
    sys.stdout.write("".join(f"{each}\n" for each in lines))


def broken(line: str, width: int, indent: int = 2) -> list[str]:
    """Return a line as lines of at most `width`, the further ones indented by so much more.

    One with a word that fits in no line, such as a path, stays whole: the terminal breaks it.
    """
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), line)
    beneath = " " * (len(line) - len(line.lstrip()) + indent)
    if len(beneath) + max(map(len, kept.split()), default=0) > width:
        return [line]
    found = textwrap.wrap(
        kept,
        width,
        subsequent_indent=beneath,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [each.replace("\0", " ") for each in found] or [line]
