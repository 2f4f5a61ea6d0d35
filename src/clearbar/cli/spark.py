"""A series as one line of characters, and text that a terminal shows as it stands."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUIET: Final = "_"
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = ".:-=+*#@"


def spark(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return at most `width` characters, each as high as the mean of some neighbours.

    `_` is zero; the highest character is the greatest mean. Empty where all are zero.
    """
    means = _grouped(values, width)
    top = max(means, default=0.0)
    if top <= 0:
        return ""
    marks = _ASCII if ascii_only else _BLOCKS
    return "".join(_mark(each / top, marks) for each in means)


def printable(text: str) -> str:
    """Return the text without the codes that a terminal obeys: a name may come from a file."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _grouped(values: Sequence[float], width: int) -> list[float]:
    groups = min(width, len(values))
    edges = [len(values) * i // groups for i in range(groups + 1)] if groups else [0]
    parts = (values[start:end] for start, end in pairwise(edges))
    return [sum(part) / len(part) for part in parts]


def _mark(share: float, marks: str) -> str:
    return marks[min(int(share * len(marks)), len(marks) - 1)] if share > 0 else _QUIET
