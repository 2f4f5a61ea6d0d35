"""Circuit breakers: a tool that keeps failing is left alone for a while, then probed once.

Pure: the time is an argument, in seconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

Turn = Literal["opened", "closed"]
FAILURES_TO_OPEN: Final = 5
"""In a row."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    pause_s: float = 0.0
    """0 while it is closed."""
    until: float = 0.0
    probing_since: float | None = None


class Breakers:
    """One breaker a tool. What is not known of is closed."""

    def __init__(self) -> None:
        self._breakers: dict[str, _Breaker] = {}
        self.ill: Collection[str] = self._breakers.keys()
        """The tools that have failed since they last answered: mostly none."""

    def is_closed(self, tool: str) -> bool:
        """Return whether calls go out as usual."""
        breaker = self._breakers.get(tool)
        return breaker is None or not breaker.pause_s

    def lets(self, tool: str, now: float) -> bool:
        """Say whether a call may go out; of an open breaker one probe may, when its pause is over.

        A probe that never reports is taken for lost after another pause.
        """
        breaker = self._breakers.get(tool)
        if breaker is None or not breaker.pause_s:
            return True
        if now < breaker.until:
            return False
        probing = breaker.probing_since
        if probing is not None and now - probing < breaker.pause_s:
            return False
        breaker.probing_since = now
        return True

    def wait_s(self, tool: str, now: float) -> float:
        """Return how long an open breaker stays so; 0 for a closed one."""
        breaker = self._breakers.get(tool)
        return 0.0 if breaker is None or not breaker.pause_s else max(breaker.until - now, 0.0)

    def worked(self, tool: str) -> Turn | None:
        """Note an answer; return `closed` where that closes the breaker."""
        breaker = self._breakers.pop(tool, None)
        return "closed" if breaker is not None and breaker.pause_s else None

    def failed(self, tool: str, now: float) -> Turn | None:
        """Note a failure of the endpoint; return `opened` where that opens the breaker.

        A failed probe opens it again, for twice as long.
        """
        breaker = self._breakers.setdefault(tool, _Breaker())
        breaker.failures += 1
        if breaker.pause_s and now < breaker.until:
            return None  # a call that was in flight when it opened
        if breaker.failures < FAILURES_TO_OPEN:
            return None
        pause = min(breaker.pause_s * 2, LONGEST_PAUSE_S) or FIRST_PAUSE_S
        breaker.pause_s, breaker.until, breaker.probing_since = pause, now + pause, None
        return "opened"

    def open(self, now: float) -> dict[str, float]:
        """Return the tools whose breakers are open, with the seconds until their next probe."""
        return {
            tool: max(breaker.until - now, 0.0)
            for tool, breaker in self._breakers.items()
            if breaker.pause_s
        }
