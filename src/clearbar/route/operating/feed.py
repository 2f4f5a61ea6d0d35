"""Lines of the journal, paired to calls, for all who watch: metrics, traces, logs.

Each line is read once, off the hot path, by the supervisor; the workers know nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from clearbar.route.journal.entry import Ended, Held, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearbar.route.journal.entry import Entry, Noted

_MOST_OPEN: Final = 200_000
"""Calls in flight that are remembered: some 150 MB; the oldest are given up first."""


class Observer(Protocol):
    """Who hears of what the journal says, in its order. It has to return quickly."""

    def began(self, held: Held) -> None:
        """Hear of a call that is about to be made."""

    def ended(self, held: Held, ended: Ended) -> None:
        """Hear how it ended; its `began` came before."""

    def refused(self, refused: Refused) -> None:
        """Hear of a request that was not served."""

    def noted(self, noted: Noted) -> None:
        """Hear of anything else."""

    def died(self, worker: str) -> None:
        """Hear that a worker is gone; its calls have ended before."""


class Feed:
    """Tells observers what new lines say."""

    def __init__(self, observers: Sequence[Observer], most_open: int = _MOST_OPEN) -> None:
        self.unpaired = 0
        """Ends whose beginning was not seen: it was read before this process, or given up."""
        self._observers = tuple(observers)
        self._most_open = most_open
        self._open: dict[str, Held] = {}

    def take(self, entries: Iterable[Entry]) -> None:
        """Take new lines; those of one worker in their order."""
        for entry in entries:
            if isinstance(entry, Held):
                self._begin(entry)
            elif isinstance(entry, Ended):
                self._end(entry)
            elif isinstance(entry, Refused):
                for each in self._observers:
                    each.refused(entry)
            else:
                for each in self._observers:
                    each.noted(entry)

    def worker_died(self, worker: str, at_us: int) -> int:
        """End the calls that a dead worker had in flight, once its last line was taken.

        What was held for them is taken, as the ledger takes it. Returns how many there were.
        """
        lost = [held for held in self._open.values() if held.worker == worker]
        for held in lost:
            self._end(
                Ended(
                    held.call_id,
                    at_us,
                    "lost",
                    0,
                    {},
                    "none",
                    held.amount_nusd,
                    priced=False,
                    latency_ms=max(at_us - held.at_us, 0) // 1000,
                    what="the worker died",
                )
            )
        for each in self._observers:
            each.died(worker)
        return len(lost)

    def _begin(self, held: Held) -> None:
        if held.call_id in self._open:
            return
        while len(self._open) >= self._most_open:
            self._give_up(next(iter(self._open.values())))
        self._open[held.call_id] = held
        for each in self._observers:
            each.began(held)

    def _give_up(self, held: Held) -> None:
        self._end(Ended(held.call_id, held.at_us, "lost", 0, {}, "none", 0, priced=False))

    def _end(self, ended: Ended) -> None:
        held = self._open.pop(ended.call_id, None)
        if held is None:
            self.unpaired += 1
            return
        for each in self._observers:
            each.ended(held, ended)


class InFlight:
    """Counts the calls that each worker has in flight; an observer."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}

    def of(self, worker: str) -> int:
        """Return how many calls a worker has in flight."""
        return self._calls.get(worker, 0)

    def began(self, held: Held) -> None:
        """Count one more."""
        self._calls[held.worker] = self.of(held.worker) + 1

    def ended(self, held: Held, ended: Ended) -> None:  # noqa: ARG002 - however it ended
        """Count one less."""
        self._calls[held.worker] -= 1

    def refused(self, refused: Refused) -> None:
        """Count nothing."""

    def noted(self, noted: Noted) -> None:
        """Count nothing."""

    def died(self, worker: str) -> None:
        """Forget a worker."""
        self._calls.pop(worker, None)
