"""Small plots as inline SVG: pure functions from numbers to markup.

Never here: colours (the style sheet has them, by class), text that is not escaped, a script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

SCALE_WIDTH: Final = 150
_SCALE_MARGIN: Final = 6
_MOST_DECADE_GAPS: Final = 2
_THOUSAND: Final = 3
"""Its power of ten."""
_SPARK_HEIGHT: Final = 24
_PLOT_HEIGHT: Final = 100
_MOST_TICKS: Final = 5
_LAST_TICK: Final = 0.9
"""A label that would start further right than this share of the width might be cut off."""


DECADES: Final = Markup('<use href="#decades"/>')
"""What stands behind an interval on a shared scale: see `decade_lines`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One segment of a stacked bar. `kind` is its class in the style sheet."""

    label: str
    value: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class LogScale:
    """Decades from 10**`low` to 10**`high`, shared by all intervals of a column."""

    low: int
    high: int

    def at(self, value: float) -> float:
        """Return where `value` lies: 0 at the left end, 1 at the right; none below 0 or above 1."""
        if value <= 0:
            return 0.0
        return _inside((math.log10(value) - self.low) / (self.high - self.low))

    @property
    def decades(self) -> range:
        """The exponents of the marked powers of ten, both ends included."""
        return range(self.low, self.high + 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a timeline, and the point of its line."""

    height: float
    line: float
    tooltip: str
    quiet: bool = False
    """Drawn paler: a weekend."""


def log_scale(numbers: Iterable[float | None]) -> LogScale | None:
    """Return the whole decades that hold all positive numbers; None without any."""
    ends = [number for number in numbers if number is not None and number > 0]
    if not ends:
        return None
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    return LogScale(low, max(high, low + 1))


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Return one thin bar for each value, on a scale of its own that holds zero."""
    top, bottom = _extent(values)
    return Markup(
        '<svg class="spark" viewBox="-.5 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><path d="{}"/></svg>'
    ).format(
        max(len(values), 1),
        _SPARK_HEIGHT,
        label,
        _bars_path(enumerate(values), top, bottom, _SPARK_HEIGHT),
    )


def stacked_bar(parts: Sequence[Part], label: str) -> Markup:
    """Return the positive parts side by side, each as wide as its share of them."""
    positive = [part for part in parts if part.value > 0]
    total = sum(float(part.value) for part in positive)
    segments, left = [], 0.0
    for part in positive:
        width = float(part.value) / total * 100
        segments.append(
            Markup('<rect x="{}%" width="{}%" height="100%" class="{}"><title>{}</title></rect>')
            .format(_short(left), _short(width), part.kind, part.label)
        )  # fmt: skip
        left += width
    return Markup('<svg class="stack" role="img" aria-label="{}">{}</svg>').format(
        label, Markup("").join(segments)
    )


def interval(
    value: float,
    ends: tuple[float | None, float | None],
    at: Callable[[float], float],
    label: str,
    backdrop: Markup,
) -> Markup:
    """Return a value as a tick on the band of its interval; an end that is None is an arrow.

    `at` says where a number lies, from 0 to 1; `backdrop` is `DECADES` or a `unit_track`.
    """
    low, high = ends
    left = "M7 4L2 7l5 3M3 7" if low is None else f"M{_short(_across(at(low)))} 7"
    right = f"H{SCALE_WIDTH - 3}m-4-3l5 3l-5 3" if high is None else f"H{_short(_across(at(high)))}"
    open_ended = " open" if None in ends else ""
    return Markup(
        '<svg class="interval{}" viewBox="0 0 {} 14" role="img" aria-label="{}">{}'
        '<path class="band" d="{}{}"/><path class="value" d="M{} 1v12"/></svg>'
    ).format(open_ended, SCALE_WIDTH, label, backdrop, left, right, _short(_across(at(value))))


def unit_track(level: float | None) -> Markup:
    """Return the line from 0 to 1 behind an interval, with the mark of a level to compare with."""
    track = f"M{_SCALE_MARGIN} 7H{SCALE_WIDTH - _SCALE_MARGIN}"
    mark = "" if level is None else f"M{_short(_across(_inside(level)))} 0v14"
    return Markup('<path class="track" d="{}"/><path class="level" d="{}"/>').format(track, mark)


def decade_lines(scale: LogScale) -> Markup:
    """Return the faint lines behind every interval, to be defined once as `#decades`."""
    marks = (f"M{_short(_across(scale.at(10.0**exponent)))} 0v14" for exponent in scale.decades)
    return Markup('<path id="decades" d="{}"/>').format("".join(marks))


def decade_axis(scale: LogScale) -> Markup:
    """Return the labels of a shared scale: all of its decades, or a few."""
    step = math.ceil((scale.high - scale.low) / _MOST_DECADE_GAPS)
    texts = (
        Markup('<text x="{}" y="9" text-anchor="{}">{}</text>').format(
            _short(_across(scale.at(10.0**exponent))),
            "end" if exponent == scale.high else "start" if exponent == scale.low else "middle",
            _power_of_ten(exponent),
        )
        for exponent in scale.decades[::step]
    )
    return Markup('<svg class="axis" viewBox="0 0 {} 12" aria-hidden="true">{}</svg>').format(
        SCALE_WIDTH, Markup("").join(texts)
    )


def bullet(value: float, limit: float, label: str) -> Markup:
    """Return `value` as a bar against the mark of its `limit`; what lies beyond it stands out."""
    scale = 100 / (max(value, limit) or 1)
    within, over = min(max(value, 0.0), limit) * scale, max(value - limit, 0.0) * scale
    return Markup(
        '<svg class="bullet" role="img" aria-label="{}"><rect class="track" width="100%"/>'
        '<rect class="within" width="{}%"/><rect class="over" x="{}%" width="{}%"/>'
        '<rect class="limit" x="{}%"/></svg>'
    ).format(label, _short(within), _short(within), _short(over), _short(limit * scale))


def timeline(
    bars: Sequence[Bar], ticks: Sequence[tuple[int, str]], label: str, captions: tuple[str, str]
) -> Markup:
    """Return bars with a line over them, each on its own scale from zero to its top.

    `ticks` are labels at the left edge of a bar, by index; `captions` name the two tops. The line
    is left out when all its points are zero. Text keeps its size however wide the plot is drawn.
    """
    heights = [bar.height for bar in bars]
    top, bottom = _extent(heights)
    loud = [(index, bar.height) for index, bar in enumerate(bars) if not bar.quiet]
    quiet = [(index, bar.height) for index, bar in enumerate(bars) if bar.quiet]
    hits = (
        Markup('<rect x="{}"><title>{}</title></rect>').format(_short(index - 0.5), bar.tooltip)
        for index, bar in enumerate(bars)
    )
    return Markup(
        '<svg class="plot" role="img" aria-label="{}">'
        '<text x="0" y="11">{}</text><text class="second" x="100%" y="11">{}</text>{}'
        '<svg y="18" width="100%" height="112" viewBox="-.5 0 {} 100" preserveAspectRatio="none">'
        '<path class="bars" d="{}"/><path class="quiet bars" d="{}"/><path class="line" d="{}"/>'
        '<g class="hit">{}</g></svg></svg>'
    ).format(
        label,
        *captions,
        _ticks(ticks, len(bars)),
        max(len(bars), 1),
        _bars_path(loud, top, bottom, _PLOT_HEIGHT),
        _bars_path(quiet, top, bottom, _PLOT_HEIGHT),
        _line_path([bar.line for bar in bars]),
        Markup("").join(hits),
    )


def _ticks(ticks: Sequence[tuple[int, str]], count: int) -> Markup:
    fitting = [(index / count, text) for index, text in ticks if index / count <= _LAST_TICK]
    step = math.ceil(len(fitting) / _MOST_TICKS) or 1
    return Markup("").join(
        Markup(
            '<line x1="{0}%" x2="{0}%" y1="18" y2="146"/><text x="{0}%" dx="4" y="145">{1}</text>'
        ).format(_short(share * 100), text)
        for share, text in fitting[::step]
    )


def _bars_path(bars: Iterable[tuple[int, float]], top: float, bottom: float, height: int) -> str:
    span = (top - bottom) or 1.0
    base = round(height * top / span)
    return "".join(
        f"M{index} {base}v{-round(value / span * height)}" for index, value in bars if value
    )


def _line_path(values: Sequence[float]) -> str:
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    ys = [round((1 - value / top) * (_PLOT_HEIGHT - 4)) + 2 for value in values]
    return f"M0 {ys[0]}" + "".join(f"L{index} {y}" for index, y in enumerate(ys[1:], 1))


def _extent(values: Sequence[float]) -> tuple[float, float]:
    return max(0.0, max(values, default=0.0)), min(0.0, min(values, default=0.0))


def _inside(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _across(share: float) -> float:
    return _SCALE_MARGIN + share * (SCALE_WIDTH - 2 * _SCALE_MARGIN)


def _power_of_ten(exponent: int) -> str:
    if exponent >= _THOUSAND:
        return f"${10 ** (exponent - _THOUSAND):,}k"
    return f"${10.0**exponent:.{max(-exponent, 0)}f}"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
