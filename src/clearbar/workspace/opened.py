"""What a workspace opens: the declared file, the store, the ledger, the price book, the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.core.store import Store
    from clearbar.declared import Declared
    from clearbar.own.scored_spend import ScoredSpend
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.reconciling.closed import Closed
    from clearbar.spend.storage.ledger import Ledger
    from clearbar.spend.storage.spark import SparkEngine

DECLARED: Final = "clearbar.toml"
_KEPT: Final = ".clearbar"
_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2999, 12, 31)


class Opened:
    """An open workspace folder. Nothing in it is read before it is asked for.

    `as_of` judges as if it were that day; None takes clearbar.toml's, else today in UTC.
    `engine` is the address of a Spark Connect server that runs the queries instead of DuckDB.
    """

    def __init__(
        self,
        folder: Path,
        *,
        as_of: date | None = None,
        engine: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = folder
        self._as_of = as_of
        self._engine = engine
        self._clock = clock

    @classmethod
    def find(cls, start: str | Path | None = None, **settings: Any) -> Self:
        """Open the workspace of a folder, or of the nearest one above the current folder.

        Raises:
            ClearbarError: when there is none.
        """
        folder = _nearest_folder(start)
        if folder is None:
            where = f"in {start}" if start else "here or in any folder above"
            raise ClearbarError(f"there is no {DECLARED} {where}", "make one: clearbar init")
        return cls(folder, **settings)

    @classmethod
    def exists(cls, start: str | Path | None = None) -> bool:
        """Return whether `find` would find a workspace."""
        return _nearest_folder(start) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        for name in ("ledger", "store", "_spark"):
            if (opened := self.__dict__.pop(name, None)) is not None:
                opened.close()

    @cached_property
    def declared(self) -> Declared:
        """What clearbar.toml says."""
        from clearbar.declared import load

        return load(self.folder / DECLARED)

    @cached_property
    def store(self) -> Store:
        """The store of small facts."""
        from clearbar.core.store import Store

        return Store(self.folder / _KEPT / "facts.db")

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of charges."""
        from clearbar.spend.storage.ledger import Ledger

        return Ledger(self.folder / _KEPT / "ledger", self._spark)

    @cached_property
    def book(self) -> PriceBook:
        """The price book, with the prices that clearbar.toml declares."""
        from clearbar.spend.prices.book import PriceBook

        declared, kept = self.declared, self.folder / _KEPT / "prices"
        return PriceBook.open(kept, declared.prices, declared.agreements)

    @property
    def as_of(self) -> date:
        """The day on which everything is judged; it is not part of any period behind it.

        Raises:
            ClearbarError: when it is so far away that periods around it would leave the calendar.
        """
        day = self._as_of or self.declared.as_of or self._clock().date()
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise ClearbarError(
                f"{day} is too far away to judge on", f"give a day from {_FIRST_DAY} to {_LAST_DAY}"
            )
        return day

    @property
    def is_as_of_another_day(self) -> bool:
        """Whether the caller chose the day, so that nothing may be recorded as decided today."""
        return self._as_of is not None

    @property
    def _now(self) -> datetime:
        """The time that entries carry: the clock's, or the beginning of the day judged on."""
        now = self._clock()
        return now if now.date() == self.as_of else datetime.combine(self.as_of, time.min, UTC)

    def _refuse_another_day(self) -> None:
        """Keep the records to their word: they say what was decided when."""
        if self.is_as_of_another_day:
            raise ClearbarError(
                f"nothing is recorded under another day ({self._as_of})", "leave out --as-of"
            )

    @cached_property
    def _reading(self) -> LedgerReading:
        from clearbar.spend.reconciling.closing import closed_months

        closed = closed_months(self.store)
        return self._read(self._corrected(closed) if closed.months else closed)

    def _read(self, closed: Closed | None = None, until: date | None = None) -> LedgerReading:
        """Return a new reading; with no closed months everything is as the ledger holds it now.

        What was agreed costs up to the day judged on, or up to `until`.
        """
        from clearbar.spend.reading import LedgerReading

        reading = LedgerReading(self.ledger, closed, self.declared.accounts)
        reading.add_agreed(self.declared.agreements, until or self.as_of)
        return reading

    def _corrected(self, closed: Closed) -> Closed:
        """Return closed months with all that has changed in them, which is recorded when seen."""
        from importlib.metadata import version

        from clearbar.own.closed_spend import Looking

        declared = (self.folder / DECLARED).read_bytes() + version("clearbar").encode()
        live = partial(self._live, max(month.end for month in closed.months))
        looking = Looking(self.ledger, self.store, live, declared)
        return looking.corrected(closed, self._clock(), recording=not self.is_as_of_another_day)

    def _live(self, closed_until: date) -> tuple[LedgerReading, dict[int, str]]:
        """Return a reading without closed months, and who its origins' usage goes to now.

        Months before `closed_until` are over, so what was agreed costs all of them, on whatever day
        anyone judges.
        """
        from clearbar.own.scored_spend import ScoredSpend

        reading = self._read(until=max(self.as_of, closed_until))
        declared = self.declared
        scored = ScoredSpend(reading, self.store, declared.workflows, declared.tiers)
        return reading, scored.workflow_of

    @cached_property
    def _scored(self) -> ScoredSpend:
        from clearbar.own.scored_spend import ScoredSpend

        declared = self.declared
        return ScoredSpend(self._reading, self.store, declared.workflows, declared.tiers)

    @cached_property
    def _spark(self) -> SparkEngine | None:
        if self._engine is None:
            return None
        from clearbar.spend.storage.spark import SparkEngine

        return SparkEngine(self._engine)

    def _forget(self) -> None:
        """Let the next question read the ledger anew."""
        self.__dict__.pop("_reading", None)
        self.__dict__.pop("_scored", None)


def _nearest_folder(start: str | Path | None) -> Path | None:
    given = Path(start).expanduser().resolve() if start else None
    places = [given] if given else [Path.cwd(), *Path.cwd().parents]
    return next((place for place in places if (place / DECLARED).is_file()), None)
