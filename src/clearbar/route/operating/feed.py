"""Lines of the journal, paired to calls, for all who watch: metrics, traces, logs.

Each line is read once, off the hot path, by the supervisor; the workers know nothing of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from clearbar.route.journal.entry import Ended, Held, Refused, family_of

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


@runtime_checkable
class Counting(Protocol):
    """An observer to whom the order of calls says nothing: it hears of many at a time."""

    def calls(self, begun: Sequence[Held], ended: Sequence[tuple[Held, Ended]]) -> None:
        """Hear of calls that began, and of calls that ended, of which some have just begun."""

    def refused(self, refused: Refused) -> None:
        """Hear of a request that was not served."""

    def noted(self, noted: Noted) -> None:
        """Hear of anything else."""

    def died(self, worker: str) -> None:
        """Hear that a worker is gone; its calls have ended before."""


class Feed:
    """Tells observers what new lines say."""

    def __init__(
        self, observers: Sequence[Observer | Counting], most_open: int = _MOST_OPEN
    ) -> None:
        self.unpaired = 0
        """Ends whose beginning was not seen: it was read before this process, or given up."""
        self._observers = tuple(observers)
        self._in_order = [each for each in observers if not isinstance(each, Counting)]
        self._counting = [each for each in observers if isinstance(each, Counting)]
        self._most_open = most_open
        self._open: dict[str, Held] = {}
        self._begun: list[Held] = []
        self._ended: list[tuple[Held, Ended]] = []
        """What those who count are still to hear of."""

    def take(self, entries: Iterable[Entry]) -> None:
        """Take new lines; those of one worker in their order."""
        opened = self._open
        for entry in entries:
            if isinstance(entry, Held):
                if entry.call_id not in opened:
                    self._begin(entry)
            elif isinstance(entry, Ended):
                held = opened.pop(entry.call_id, None)
                if held is None:
                    self.unpaired += 1
                else:
                    self._end(held, entry)
            else:
                self._pass_on(entry)
        self._count()

    def _pass_on(self, entry: Refused | Noted) -> None:
        for each in self._observers:
            if isinstance(entry, Refused):
                each.refused(entry)
            else:
                each.noted(entry)

    def worker_died(self, worker: str, at_us: int) -> int:
        """End the calls that a dead worker had in flight, once its last line was taken.

        What was held for them is taken, as the ledger takes it. Returns how many there were.
        """
        lost = [held for held in self._open.values() if family_of(held.worker) == worker]
        for held in lost:
            del self._open[held.call_id]
            self._end(
                held,
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
                ),
            )
        self._count()
        for each in self._observers:
            each.died(worker)
        return len(lost)

    def _begin(self, held: Held) -> None:
        while len(self._open) >= self._most_open:
            self._give_up(next(iter(self._open)))
        self._open[held.call_id] = held
        self._begun.append(held)
        for each in self._in_order:
            each.began(held)

    def _give_up(self, call_id: str) -> None:
        held = self._open.pop(call_id)
        self._end(held, Ended(call_id, held.at_us, "lost", 0, {}, "none", 0, priced=False))

    def _end(self, held: Held, ended: Ended) -> None:
        self._ended.append((held, ended))
        for each in self._in_order:
            each.ended(held, ended)

    def _count(self) -> None:
        """Tell those who count."""
        begun, self._begun = self._begun, []
        ended, self._ended = self._ended, []
        if begun or ended:
            for each in self._counting:
                each.calls(begun, ended)


class InFlight:
    """Counts the calls that each worker has in flight; an observer."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}

    def of(self, worker: str) -> int:
        """Return how many calls a worker has in flight."""
        return self._calls.get(worker, 0)

    def calls(self, begun: Sequence[Held], ended: Sequence[tuple[Held, Ended]]) -> None:
        """Count the calls that began, and those that ended, however they did."""
        for life, count in Counter([held.worker for held in begun]).items():
            self._add(family_of(life), count)
        for life, count in Counter([held.worker for held, _ in ended]).items():
            self._add(family_of(life), -count)

    def _add(self, worker: str, count: int) -> None:
        self._calls[worker] = self.of(worker) + count

    def refused(self, refused: Refused) -> None:
        """Count nothing."""

    def noted(self, noted: Noted) -> None:
        """Count nothing."""

    def died(self, worker: str) -> None:
        """Forget a worker."""
        self._calls.pop(worker, None)
