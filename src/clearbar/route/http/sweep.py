"""One timer for all timeouts: something looks at everything, now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Sweep:
    """Calls `look` with the loop's time once in `every_s`, until closed."""

    __slots__ = ("_every_s", "_look", "_loop", "_timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, every_s: float, look: Callable[[float], None]
    ) -> None:
        self._loop = loop
        self._every_s = every_s
        self._look = look
        self._timer: asyncio.TimerHandle | None = loop.call_later(every_s, self._due)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = self._loop.call_later(self._every_s, self._due)
        self._look(self._loop.time())
