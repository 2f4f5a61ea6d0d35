"""The terminal that tables are printed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Return a console that paints nothing by itself: no numbers or paths in colour."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)
