"""A trial while it runs: a live table for a person, plain lines for a log, on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from clearbar.cli.spark import printable
from clearbar.core.money import usd
from clearbar.trial.certifying.certificate_words import cases_text, wealth_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    from clearbar.trial.running.standing import Standing
    from clearbar.trial.trial import Outcome

    Progress: TypeAlias = Callable[[Standing], None]

LINE_SECONDS: Final = 5.0
"""Between two plain lines of one tool, while nothing is decided."""
_HALF: Final = 9
"""Characters from the middle of a wealth bar to either threshold."""
_NAME_WIDTH: Final = 18
_AROUND: Final = 4
"""Lines of a table that are of no tool: two of its head, a rule, and the last."""
_STYLES: Final[dict[Outcome, str]] = {"clears": "bold green", "fails": "red", "undecided": "yellow"}


@contextmanager
def trial_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield what shows progress on standard error; None where nothing is to be shown."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console

        with _live(Console(stderr=True, highlight=False, markup=False)) as show:
            yield show
    else:
        yield PlainProgress(lambda line: click.echo(line, err=True))


class PlainProgress:
    """Writes a line for each tool every few seconds, and at once where a tool is decided."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._written: dict[str, float] = {}
        self._decided: set[str] = set()

    def __call__(self, standing: Standing) -> None:
        """Take note of a standing, and write it if it is time."""
        now, before = self._clock(), self._written.get(standing.tool)
        new = standing.outcome is not None and standing.tool not in self._decided
        due = standing.n > 0 and (before is None or now - before >= LINE_SECONDS)
        if new or due:
            self._written[standing.tool] = now
            self._write(standing_line(standing))
        if standing.outcome is not None:
            self._decided.add(standing.tool)


def standing_line(standing: Standing) -> str:
    """Return a standing as one line."""
    outcome = f"{standing.outcome.upper()} " if standing.outcome else ""
    mean = "" if standing.mean is None else f", mean {_mean_text(standing)}"
    return (
        f"{outcome}{printable(standing.tool)}: {cases_text(standing.n)}{mean}, wealth for "
        f"{_of(standing.log_for, standing.log_for_needed)}, against "
        f"{_of(standing.log_against, standing.log_against_needed)}; "
        f"{usd(standing.tool_usd)} on it, {usd(standing.spent_usd)} spent so far"
    )


def wealth_bar(standing: Standing, *, ascii_only: bool = False) -> Text:
    """Return how far both bets are: from the middle, left to `fails` and right to `clears`."""
    from rich.text import Text

    full, empty, middle = ("=", ".", "|") if ascii_only else ("━", "┄", "┃")
    against = _filled(standing.log_against, standing.log_against_needed)
    favour = _filled(standing.log_for, standing.log_for_needed)
    return Text.assemble(
        (empty * (_HALF - against), "dim"),
        (full * against, "red"),
        middle,
        (full * favour, "green"),
        (empty * (_HALF - favour), "dim"),
    )


def standings_table(
    standings: Sequence[Standing], *, room: int | None = None, ascii_only: bool = False
) -> Group:
    """Return standings as a table that 60 columns hold, the tool that is being asked last.

    In `room` lines the first tools give way, which are decided. The last line is not filled up:
    what a terminal echoes there, as on Ctrl-C, must not begin another.
    """
    from rich.console import Group
    from rich.text import Text

    if not standings:
        return Group(Text("no answer yet"))
    most = len(standings) if room is None else max((room - _AROUND) // 2, 1)
    last = standings[-most:]
    table = _empty_table()
    for each in last:
        first = printable(each.tool), f"{each.n:,} of {each.cases:,}", _mean_text(each)
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in first))
        outcome = Text((each.outcome or "").upper(), _STYLES[each.outcome] if each.outcome else "")
        table.add_row(outcome, usd(each.tool_usd), wealth_bar(each, ascii_only=ascii_only))
    more = len(standings) - len(last)
    said = f"{more} more before {'it' if len(last) == 1 else 'these'}; " if more else ""
    spent = max(each.spent_usd for each in standings)
    return Group(table, Text(f"{said}{usd(spent)} spent so far"))


def _empty_table() -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("tool\noutcome", min_width=_NAME_WIDTH)
    table.add_column("cases\nspent", justify="right", min_width=14)
    table.add_column("mean, bounds\nfails  wealth clears", min_width=23)
    return table


@contextmanager
def _live(console: Console) -> Iterator[Progress]:
    from rich.live import Live

    standings: dict[str, Standing] = {}
    ascii_only = not console.encoding.startswith("utf")

    def table() -> Group:
        listed = list(standings.values())
        return standings_table(listed, room=console.height, ascii_only=ascii_only)

    def show(standing: Standing) -> None:
        standings[standing.tool] = standing

    with Live(console=console, transient=True, refresh_per_second=8, get_renderable=table):
        yield show


def _mean_text(standing: Standing) -> str:
    if standing.mean is None or standing.low is None or standing.high is None:
        return "-"
    return f"{standing.mean:.3f} ({standing.low:.3f}..{standing.high:.3f})"


def _of(log_wealth: float, log_needed: float) -> str:
    return f"{wealth_text(log_wealth)} of {wealth_text(log_needed)}"


def _filled(log_wealth: float, log_needed: float) -> int:
    """Return how many characters of a half are full; all of them only where it is enough."""
    if log_wealth >= log_needed:
        return _HALF
    return min(max(int(log_wealth / log_needed * _HALF), 0), _HALF - 1)
