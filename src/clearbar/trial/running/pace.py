"""When the next call may go: requests per minute, waits between tries, and when to give up a tool.

Pure: time is an argument, in seconds of any clock that does not go back; chance is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

TRIES: Final = 5
"""The first call and at most four more."""
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 60.0
LONGEST_ASKED_WAIT_S: Final = 300.0
"""An endpoint that asks for a longer wait than this is not waited for."""
BROKEN_AFTER: Final = 5
"""So many cases in a row without an answer, each tried as often as allowed, and a tool is broken.

A tool that fails on one case in four by itself is called broken after 1,400 cases on average; one
that is down, after five.
"""
_MINUTE_S: Final = 60.0


class Pace:
    """Spreads the calls of one tool evenly, at most so many in any minute; None sets no limit.

    An even spacing never bursts, so it also keeps limits that are counted by the second.
    """

    def __init__(self, requests_per_minute: int | None) -> None:
        self._spacing_s = _MINUTE_S / requests_per_minute if requests_per_minute else 0.0
        self._free_at = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """Take the next place; return how long to wait for it."""
        place = max(now_s, self._free_at)
        self._free_at = place + self._spacing_s
        return place - now_s

    def hold_s(self, until_s: float) -> None:
        """Give out no place before this time: the endpoint asked for a pause."""
        self._free_at = max(self._free_at, until_s)


def retry_wait_s(failed: int, retry_after_s: float | None, rng: Random) -> float | None:
    """Return how long to wait after `failed` tries; None: give up.

    Exponential with full jitter: anywhere from zero to the doubled step, so that callers that
    failed together do not return together. What the endpoint asks for is a lower bound.
    """
    if failed >= TRIES:
        return None
    step = min(FIRST_WAIT_S * 2 ** (failed - 1), LONGEST_WAIT_S)
    jittered = rng.uniform(0.0, step)
    if retry_after_s is None:
        return jittered
    return None if retry_after_s > LONGEST_ASKED_WAIT_S else retry_after_s + jittered


@dataclass(slots=True)
class Circuit:
    """Counts the cases of one tool that went without an answer, one after the other."""

    in_a_row: int = 0
    answers: int = 0
    what: str = ""
    """The last failure, in plain words."""

    def answered(self) -> None:
        """Note an answer: the tool works."""
        self.in_a_row = 0
        self.answers += 1

    def failed(self, what: str) -> None:
        """Note a case that was given up."""
        self.in_a_row += 1
        self.what = what

    @property
    def broken(self) -> bool:
        """Whether the tool is to be asked no more."""
        return self.in_a_row >= BROKEN_AFTER
