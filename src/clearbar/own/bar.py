"""A bar as people write it: `resolved >= 0.92`, or `within 0.02 of claude-opus-4-6`."""

from __future__ import annotations

import re
from typing import Final

from clearbar.core.errors import ClearbarError
from clearbar.own.workflow import Bar

_AT_LEAST: Final = re.compile(r"(?P<metric>.+?)\s*>=\s*(?P<level>[0-9]+(\.[0-9]+)?)")
_WITHIN: Final = re.compile(r"within\s+(?P<margin>[0-9]+(\.[0-9]+)?)\s+of\s+(?P<tool>\S.*)")


def read_bar(text: str) -> tuple[Bar, str | None]:
    """Return the bar that `text` writes, and the metric that it names, if it names one.

    Raises:
        ClearbarError: when it is neither `METRIC >= LEVEL` nor `within MARGIN of TOOL`.
    """
    if match := _WITHIN.fullmatch(text):
        bar = Bar(within=_score(match["margin"], text), of=match["tool"], text=text)
        return bar, None
    if match := _AT_LEAST.fullmatch(text):
        return Bar(at_least=_score(match["level"], text), text=text), match["metric"]
    raise ClearbarError(
        f'"{text}" is no bar', "write resolved >= 0.92, or within 0.02 of claude-opus-4-6"
    )


def _score(text: str, bar: str) -> float:
    if not 0 <= float(text) <= 1:
        raise ClearbarError(f'"{bar}": expected a score from 0 to 1, found {text}')
    return float(text)
