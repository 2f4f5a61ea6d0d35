"""The evidence path of one tool as inline SVG: its mean against the bar, and its two bets.

Never here: colours (the style sheet has them, by class), text that is not escaped, a script.
"""

from __future__ import annotations

import math
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from clearbar.trial.certifying.certificate_words import (
    cases_text,
    interval_text,
    mean_text,
    wealth_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from clearbar.trial.trial import Finding, Step

_SIDE: Final = 1000
"""Both sides of the square that a panel is drawn in, before it is stretched to its place."""
_MEAN_TOP: Final = 28
_MEAN_HEIGHT: Final = 128
_WEALTH_TOP: Final = 194
_WEALTH_HEIGHT: Final = 136
_FLOOR: Final = _WEALTH_TOP + _WEALTH_HEIGHT
_AIR: Final = 0.18
"""Beyond a threshold or a bound, as a share of what lies before it."""
_STEPS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MOST_LINES: Final = 4
_POINTS_A_STRIP: Final = 4
"""How many drawn points share a text to point at."""
_LAST_TICK: Final = 0.74
"""A label further right would run into the one at the end."""
_LEAST_SPAN: Final = 0.04
_MOST_TICKS: Final = 5

_LINE_HEIGHT: Final = 14
_PANEL: Final = Markup(
    '<svg class="panel" y="{}" width="100%" height="{}" viewBox="0 0 1000 1000"'
    ' preserveAspectRatio="none">{}</svg>'
)


def evidence_plot(finding: Finding, bar: float, *, relative: bool, points: int) -> Markup:
    """Return the mean and the bets of a tool, case by case; empty where it was not asked.

    `bar` is the level that the mean has to clear (of a relative bar, minus its margin). At most
    about `points` points are drawn, always with the last.
    """
    if not finding.path or finding.mean is None:
        return Markup()
    steps = thinned(finding.path, points)
    return Markup('<svg class="evidence" role="img" aria-label="{}">{}{}{}{}</svg>').format(
        _label(finding, bar, relative=relative),
        _mean_panel(finding, steps, bar, relative=relative),
        _wealth_panel(finding, steps),
        _ticks(steps[-1].n),
        _hits(steps, relative=relative),
    )


def thinned(steps: Sequence[Step], most: int) -> Sequence[Step]:
    """Return about `most` of the steps at most, evenly, the last one always among them."""
    stride = math.ceil(len(steps) / most) or 1
    return steps[::-1][::stride][::-1]


def _label(finding: Finding, bar: float, *, relative: bool) -> str:
    mean = mean_text(finding.mean, relative=relative)
    bounds = interval_text(finding, relative=relative)
    return (
        f"{finding.tool} after {cases_text(finding.n)}: mean {mean}, bounds {bounds}, "
        f"bar {bar:{'+' if relative else ''}.4g}; the bet that it clears stands at "
        f"{wealth_text(finding.log_for)} of {wealth_text(finding.log_for_needed)} needed, "
        f"the bet that it fails at {wealth_text(finding.log_against)} of "
        f"{wealth_text(finding.log_against_needed)}"
    )


def _mean_panel(finding: Finding, steps: Sequence[Step], bar: float, *, relative: bool) -> Markup:
    low, high = _range_of_means(steps, bar, -1.0 if relative else 0.0)
    last, sign = steps[-1].n, "+" if relative else ""

    def at(level: float) -> float:
        return (high - level) / (high - low) * _SIDE

    def place(level: float) -> float:
        return _MEAN_TOP + at(level) / _SIDE * _MEAN_HEIGHT

    grid = [each for each in _grid(low, high) if abs(place(each) - place(bar)) > _LINE_HEIGHT]
    upper = [(step.n, at(step.high)) for step in steps]
    lower = [(step.n, at(step.low)) for step in steps]
    drawn = Markup('<path class="bounds" d="{}"/><path class="mean" d="{}"/>').format(
        f"{_line(upper, last)}L{_line(lower[::-1], last)[1:]}z",
        _line([(step.n, at(step.mean)) for step in steps], last),
    )
    bounds = interval_text(finding, relative=relative)
    said = f"{mean_text(finding.mean, relative=relative)} ({bounds})"
    parts = (
        _captions(_MEAN_TOP - 16, "Mean difference" if relative else "Mean score", said),
        _PANEL.format(_MEAN_TOP, _MEAN_HEIGHT, drawn),
        _lines(grid, place, "grid"),
        _lines([bar], place, "bar"),
        _texts([(level, f"{level:{sign}.3g}") for level in grid], place, "grid"),
        _texts([(bar, f"bar {bar:{sign}.4g}")], place, "bar"),
    )
    return Markup("").join(parts)


def _range_of_means(steps: Sequence[Step], bar: float, least: float) -> tuple[float, float]:
    """Return the lowest and highest level worth drawing: early bounds, far out, may leave it."""
    late = steps[len(steps) // 4 :]
    held = [bar, *(step.mean for step in late), steps[-1].low, steps[-1].high]
    air = max(max(held) - min(held), _LEAST_SPAN) * _AIR
    return max(min(held) - air, least - 0.02), min(max(held) + air, 1.02)


def _grid(low: float, high: float) -> Iterator[float]:
    step = next((each for each in _STEPS if (high - low) / each <= _MOST_LINES), _STEPS[-1])
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield round(number * step, 4)


def _wealth_panel(finding: Finding, steps: Sequence[Step]) -> Markup:
    top = _reach(finding.log_for_needed, [step.log_for for step in steps])
    bottom = _reach(finding.log_against_needed, [step.log_against for step in steps])

    def at(log_wealth: float) -> float:
        return (top - log_wealth) / (top + bottom) * _SIDE

    def place(log_wealth: float) -> float:
        return _WEALTH_TOP + at(log_wealth) / _SIDE * _WEALTH_HEIGHT

    bets = Markup("").join(
        (
            _bet("for", [(step.n, max(step.log_for, 0.0)) for step in steps], at),
            _bet("against", [(step.n, -max(step.log_against, 0.0)) for step in steps], at),
        )
    )
    thresholds = ((finding.log_for_needed, 1, "clears"), (finding.log_against_needed, -1, "fails"))
    needed = [
        (sign * log, f"{word} at {wealth_text(log)}")
        for log, sign, word in thresholds
        if math.isfinite(log)
    ]
    said = f"for {wealth_text(finding.log_for)}, against {wealth_text(finding.log_against)}"
    parts = (
        _captions(_WEALTH_TOP - 10, "Wealth of the two bets", said),
        _lines([0.0], place, "middle"),
        _PANEL.format(_WEALTH_TOP, _WEALTH_HEIGHT, bets),
        _lines([level for level, _ in needed], place, "needed"),
        _texts([(0.0, "1"), *needed], place, "needed"),
    )
    return Markup("").join(parts)


def _reach(needed: float, logs: Iterable[float]) -> float:
    """Return how far from the middle a half of the panel goes: past its threshold."""
    known = [log for log in (needed, *logs) if math.isfinite(log)]
    return max(*known, 1.0) * (1 + _AIR)


def _bet(kind: str, points: Sequence[tuple[int, float]], at: Callable[[float], float]) -> Markup:
    """Return a bet as an area from the middle line, with an edge where it has made money."""
    last, base = points[-1][0], at(0.0)
    whole = [(0, 0.0), *points]
    edge = ""
    for start, end in pairwise(whole):
        if start[1] or end[1]:
            first, second = ((n, at(log)) for n, log in (start, end))
            joined = edge.endswith(_point(*first, last))
            edge += ("" if joined else f"M{_point(*first, last)}") + f"L{_point(*second, last)}"
    area = _line([(n, at(log)) for n, log in whole], last)
    return Markup('<path class="area {0}" d="{1}V{2}H0z"/><path class="{0}" d="{3}"/>').format(
        kind, area, round(base), edge
    )


def _lines(levels: Iterable[float], place: Callable[[float], float], kind: str) -> Markup:
    """Return lines across a panel."""
    return Markup("").join(
        Markup('<line class="{0}" x2="100%" y1="{1}" y2="{1}"/>').format(kind, _short(place(level)))
        for level in levels
    )


def _texts(
    levels: Iterable[tuple[float, str]], place: Callable[[float], float], kind: str
) -> Markup:
    """Return texts on the lines at their left end."""
    return Markup("").join(
        Markup('<text class="{}" x="3" y="{}" dy="-3">{}</text>').format(
            kind, _short(place(level)), text
        )
        for level, text in levels
    )


def _captions(y: int, left: str, right: str) -> Markup:
    return Markup(
        '<text class="caption" y="{0}">{1}</text><text class="end" x="100%" y="{0}">{2}</text>'
    ).format(y, left, right)


def _ticks(last: int) -> Markup:
    """Return the numbers of cases below the panels."""
    size = 10 ** math.floor(math.log10(last))
    step = next(
        (
            each
            for each in (size / 5, size / 2, size, size * 2)
            if each >= 1 and last / each <= _MOST_TICKS
        ),
        size * 2,
    )
    inner = takewhile(lambda n: n / last <= _LAST_TICK, (int(step) * i for i in range(1, 9)))
    marks = Markup("").join(
        Markup(
            '<line class="tick" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
            '<text x="{0}%" y="{3}" text-anchor="middle">{4:,}</text>'
        ).format(_short(n / last * 100), _FLOOR, _FLOOR + 4, _FLOOR + 16, n)
        for n in inner
    )
    return Markup('{}<text class="end" x="100%" y="{}">{}</text>').format(
        marks, _FLOOR + 16, cases_text(last)
    )


def _hits(steps: Sequence[Step], *, relative: bool) -> Markup:
    """Return invisible strips over both panels that tell, when pointed at, what was known then."""
    told = thinned(steps, max(len(steps) // _POINTS_A_STRIP, 1))
    last, before, strips = told[-1].n, 0, []
    for step in told:
        strips.append(
            Markup('<rect x="{}%" width="{}%"><title>{}</title></rect>').format(
                _short(before / last * 100),
                _short((step.n - before) / last * 100),
                f"{cases_text(step.n)}: mean {mean_text(step.mean, relative=relative)} "
                f"({step.low:.3f} to {step.high:.3f}); wealth for {wealth_text(step.log_for)}, "
                f"against {wealth_text(step.log_against)}",
            )
        )
        before = step.n
    return Markup('<g class="strips">{}</g>').format(Markup("").join(strips))


def _line(points: Sequence[tuple[int, float]], last: int) -> str:
    return "M" + "L".join(_point(n, y, last) for n, y in points)


def _point(n: int, y: float, last: int) -> str:
    """Return a place in a panel; what leaves it goes on just outside."""
    return f"{round(n / last * _SIDE)} {round(min(max(y, -_SIDE), 2 * _SIDE))}"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
