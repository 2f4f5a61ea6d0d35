"""How one routed tool stands against its bar: samples in order -> bets, and an alarm. Pure.

Which test it is follows from what can be known of an answer without its true reference:

- The grader needs no reference: scores against an absolute bar, differences against a relative one.
- Only the old tool's answer can stand for the reference: then what is known is agreement, and how
  much of it is right is not known from traffic. So the first `LEARNT` samples under a certificate,
  when it is fresh, say how far the two agree (the lower bound at 95%); the bar is that much less
  what the score itself may lose. A score that falls by f lets agreement fall by f at most; so where
  the old tool stays as it was, no alarm is false that a test of the score would not have raised.

The state is a function of the samples alone: a restart changes nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from clearbar.own.quantiles import beta_quantile
from clearbar.route.watching.drift import PairedDrift, ScoreDrift, run_length

if TYPE_CHECKING:
    from datetime import datetime

    from clearbar.route.watching.sample import Sample, Watched

LEARNT: Final = 200
"""Samples that say how far a tool agrees with the old one while its certificate is fresh."""
SHOWN: Final = 50
"""The last so many values, whose mean is told."""
_TAIL: Final = 0.05
_LEAST_BAR: Final = 0.05
_MOST_BAR: Final = 0.99
_PACED_FROM: Final = 50
"""The rate of grading is taken from so many samples on."""
_DAY_S: Final = 86_400.0

Kind = Literal["score", "difference", "agreement"]


class Stand:
    """One tool under one certificate."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.kind: Kind | None = None
        """What its values are; None before the first."""
        self.bar: float | None = None
        """Against which the values are tested; None while it is not known yet."""
        self.n = 0
        """Values, those too from which the bar was learnt."""
        self.last_sample = 0
        """The last sample that was looked at, graded or not."""
        self._sum = 0.0
        self._last: deque[float] = deque(maxlen=SHOWN)
        self._first_at: datetime | None = None
        self._test: ScoreDrift | PairedDrift | None = None

    @property
    def mean(self) -> float | None:
        """The mean of all values."""
        return self._sum / self.n if self.n else None

    @property
    def recent(self) -> float | None:
        """The mean of the last `SHOWN` values."""
        return sum(self._last) / len(self._last) if self._last else None

    @property
    def tested(self) -> int:
        """Values that were bet on."""
        return 0 if self._test is None else self._test.n

    @property
    def statistic(self) -> float:
        """How far the bets have come; at `threshold` it is an alarm."""
        return 0.0 if self._test is None else self._test.statistic

    @property
    def threshold(self) -> float:
        """What the bets have to come to."""
        return self.watched.run_length if self._test is None else self._test.threshold

    @property
    def alarmed(self) -> bool:
        """Whether the tool was seen to fall under its bar."""
        return self._test is not None and self._test.alarmed

    def take(self, sample: Sample) -> bool:
        """Take in the next sample; return whether the alarm stands."""
        self.last_sample = sample.sample_id
        found = _value(sample)
        if found is None or self.alarmed:
            return self.alarmed
        kind, value = found
        if self.kind is None:
            self._begin(kind)
        if kind != self.kind:
            return self.alarmed
        self._first_at = self._first_at or sample.at
        if self._test is not None:
            self._test.threshold = self._paced(sample.at)
            self._test.add(value)
        self.n += 1
        self._sum += value
        self._last.append(value)
        if self._test is None and self.n == LEARNT:
            self._learn()
        return self.alarmed

    def finding(self) -> str:
        """Return the alarm with its numbers, in a sentence."""
        if self.bar is None or self.recent is None:
            return ""
        tool, recent, old = self.watched.tool, self.recent, self.watched.old_tool
        said = {
            "score": f"{tool} scores {recent:.3f}, under its bar of {self.bar:g}",
            "difference": f"{tool} scores {recent:+.3f} against {old}, "
            f"further below than the {-self.bar:g} that its bar allows",
            "agreement": f"{tool} agrees with {old} on {recent:.3f}, under the {self.bar:.3f} "
            "that its certificate leaves room for",
        }[self.kind or "score"]
        return (
            f"{said}, over the last {len(self._last)} of {self.n:,} graded answers: the bet that "
            f"it fell stands at {self.statistic:,.0f}, and {self.threshold:,.0f} are an alarm"
        )

    def _begin(self, kind: Kind) -> None:
        self.kind = kind
        bar, length = self.watched.bar, self.watched.run_length
        if kind == "score" and bar.at_least is not None:
            self.bar = min(max(bar.at_least, _LEAST_BAR), _MOST_BAR)
            self._test = ScoreDrift(self.bar, length)
        elif kind == "difference" and bar.within is not None:
            self.bar = -bar.within
            self._test = PairedDrift(bar.within, length)

    def _learn(self) -> None:
        """Take the bar from the agreement so far; there is none where the two hardly agree."""
        if self.kind != "agreement":
            return
        agreed = self._sum
        low = beta_quantile(_TAIL, agreed, self.n - agreed + 1) if agreed else 0.0
        bar = low - self.watched.fall
        if bar >= _LEAST_BAR:
            self.bar = min(bar, _MOST_BAR)
            self._test = ScoreDrift(self.bar, self.watched.run_length)

    def _paced(self, at: datetime) -> float:
        """Return the threshold for the next value: fixed, or of the pace before it."""
        days, first = self.watched.false_alarm_days, self._first_at
        if days is None or first is None or self.n < _PACED_FROM:
            return self.watched.run_length
        passed = (at - first).total_seconds() / _DAY_S
        return run_length(self.n / passed, days) if passed > 0 else self.watched.run_length


def _value(sample: Sample) -> tuple[Kind, float] | None:
    """Return what a sample says of the tool; None where it was not graded."""
    if sample.difference is not None:
        return "difference", sample.difference
    if sample.score is None:
        return None
    return ("agreement" if sample.by_old else "score"), sample.score
