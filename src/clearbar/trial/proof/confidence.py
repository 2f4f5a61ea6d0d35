"""An interval of the mean that holds at every look together: what a reader is shown.

The test of the bar, turned round: a bar that the bets refute is not the mean. All bounds are those
of values in [0, 1]; a bet stakes a share u of its capital on each case and has
1 - u + u x / b of it afterwards (Waudby-Smith and Ramdas 2024). That falls as b rises, whatever
the stakes, so that the bars which are refuted have one end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EVERY_UNTIL: Final = 20
_GROWTH: Final = 1.1
_EXACT: Final = 1e-5


class AnytimeInterval:
    """The running intersection of the intervals at fixed numbers of cases, and at the decision.

    It is looked at after each of the first 20 cases and then after every tenth part more,
    whoever asks and when: the interval is a pure function of the values, and only ever shrinks.
    """

    def __init__(self, log_needed: float, log_wealth: Callable[[Floats, float], float]) -> None:
        self._needed = log_needed
        self._log_wealth = log_wealth
        self._looked = 0
        self._low = 0.0
        self._high = 1.0

    def of(self, values: Sequence[float], decided_at: int | None) -> tuple[float, float]:
        """Return the interval after these values; each call must extend those of the last."""
        scores = np.asarray(values, dtype=float)
        while (look := _next_look(self._looked, decided_at)) <= len(scores):
            self._low = self._raised(self._low, scores[:look])
            self._high = 1 - self._raised(1 - self._high, 1 - scores[:look])
            self._looked = look
        return self._low, max(self._low, self._high)

    def _raised(self, low: float, scores: Floats) -> float:
        """Return the highest bar that is refuted, to `_EXACT` on the safe side; at least `low`."""
        refuted, held = max(low, _EXACT), float(scores.mean())
        if refuted >= held or self._log_wealth(scores, refuted) < self._needed:
            return low
        while held - refuted > _EXACT:
            middle = (refuted + held) / 2
            enough = self._log_wealth(scores, middle) >= self._needed
            refuted, held = (middle, held) if enough else (refuted, middle)
        return refuted


def _next_look(n: int, decided_at: int | None) -> int:
    following = n + 1 if n < _EVERY_UNTIL else math.ceil(n * _GROWTH)
    return decided_at if decided_at is not None and n < decided_at < following else following
