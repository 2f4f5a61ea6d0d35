"""Cheap signs that a tool has changed, without a grade: they raise the rate of sampling. Pure.

Signs are that it disagrees with the old tool, that its answers are not of the form that the grader
reads, that they are longer, that they take longer. Each is a rate: of disagreements, of failures,
of values above the 95th percentile of what was usual. The usual is what the first `LEARNT` values
were; the bets are those of `drift.py` that the rate is above what it may be.

The first three come from samples, which are few. Time and tokens come from calls, of which a few a
minute are drawn: those are many, and a false sign has to be rarer among them.

A pre-alarm is no alarm: a tool may change its manner and stay above its bar. All that follows is
that more is graded for a while. The rate depends on the past alone, so the test stays valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from clearbar.own.quantiles import beta_quantile
from clearbar.route.watching.drift import ScoreDrift

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.route.journal.seen_calls import SeenCall
    from clearbar.route.watching.sample import Sample

Sign = Literal["disagreement", "format", "length", "latency", "tokens"]

LEARNT: Final = 200
"""Values that say what is usual."""
RUN_LENGTH: Final = 2_000
"""Values to one false pre-alarm, at least in expectation."""
CALLS_RUN_LENGTH: Final = 100_000
"""The same of values that calls show: two weeks of them."""
RAISED_FOR: Final = 300
"""Values for which a pre-alarm lasts; then the usual is learnt anew."""
RAISED_BY: Final = 5.0
"""How many times the declared share is sampled while a pre-alarm lasts."""
USUAL_QUANTILE: Final = 0.95
ALLOWED_ABOVE: Final = 0.10
"""The share that may lie above the usual 95th percentile, which is an estimate."""
ROOM: Final = 0.02
"""By how much a rate may be above the upper bound of what was usual."""
_TAIL: Final = 0.05
_WORDS: Final[dict[Sign, str]] = {
    "disagreement": "it disagrees with the old tool more often",
    "format": "more of its answers are not of the form that is asked for",
    "length": "its answers have become longer",
    "latency": "it has become slower",
    "tokens": "it writes more tokens",
}
_YES_OR_NO: Final = frozenset({"disagreement", "format"})
_OF_CALLS: Final = frozenset({"latency", "tokens"})


class PreAlarm:
    """One sign of one tool."""

    def __init__(self, sign: Sign) -> None:
        self.sign = sign
        self.usual: float | None = None
        """A rate that may not be exceeded, or a level above which few may lie; None at first."""
        self._learning: list[float] = []
        self._test: ScoreDrift | None = None
        self._left = 0

    @property
    def raised(self) -> bool:
        """Whether it has been seen of late."""
        return self._left > 0

    @property
    def what(self) -> str:
        """What has been seen, in words."""
        return _WORDS[self.sign]

    def add(self, value: float) -> bool:
        """Take in the next value (0 or 1 of what is yes or no); return whether it is raised."""
        if self._left:
            self._left -= 1
            if not self._left:
                self._learning, self._test, self.usual = [], None, None
        elif self.usual is None:
            self._learn(value)
        elif self._test is not None:
            over = value if self.sign in _YES_OR_NO else float(value > self.usual)
            if self._test.add(1 - over):
                self._left = RAISED_FOR
        return self.raised

    def _learn(self, value: float) -> None:
        self._learning.append(value)
        if len(self._learning) < LEARNT:
            return
        allowed = ALLOWED_ABOVE
        if self.sign in _YES_OR_NO:
            count = sum(self._learning)
            high = beta_quantile(1 - _TAIL, count + 1, LEARNT - count) if count < LEARNT else 1.0
            self.usual = allowed = high + ROOM
        else:
            self.usual = sorted(self._learning)[int(USUAL_QUANTILE * LEARNT)]
        self._learning = []
        if allowed < 1:
            length = CALLS_RUN_LENGTH if self.sign in _OF_CALLS else RUN_LENGTH
            self._test = ScoreDrift(1 - allowed, length)


class PreAlarms:
    """All signs of one tool."""

    def __init__(self) -> None:
        self._signs: dict[Sign, PreAlarm] = {}
        self.last_call = 0
        """The last call that was looked at."""

    @property
    def raised(self) -> tuple[str, ...]:
        """What has been seen of late, in words; empty where nothing has."""
        return tuple(each.what for each in self._signs.values() if each.raised)

    def add(self, sign: Sign, value: float) -> None:
        """Take in a value of one sign."""
        self._signs.setdefault(sign, PreAlarm(sign)).add(value)

    def take(self, sample: Sample) -> None:
        """Take in what a sample shows."""
        if sample.same is not None:
            self.add("disagreement", float(not sample.same))
        self.add("format", float(sample.ill_formed))
        self.add("length", float(sample.characters))

    def take_calls(self, calls: Iterable[SeenCall]) -> None:
        """Take in what calls show."""
        for call in calls:
            self.last_call = call.seen_id
            self.add("latency", float(call.latency_ms))
            if call.output_tokens is not None:
                self.add("tokens", float(call.output_tokens))


def raised_share(share: float, *, raised: bool) -> float:
    """Return the share of requests that is sampled."""
    return min(share * RAISED_BY, 1.0) if raised else share
