"""Sums read from the ledger, with aggregates reconciled: each dollar once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import LedgerError
from clearbar.spend import queries
from clearbar.spend.reconcile import Correction, DayUsage, corrections, scope
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    import narwhals as nw

    from clearbar.core.period import Period
    from clearbar.spend.charge import Origin
    from clearbar.spend.ledger import Ledger

_AGGREGATING: Final = frozenset({"openai_usage", "table"})
"""The sources that may tell of many calls in one record."""


class LedgerReading:
    """The charges of a ledger as they stood when this was made."""

    def __init__(self, ledger: Ledger) -> None:
        self._engine = ledger.engine
        self._charges = ledger.charges()
        self.origins: dict[int, Origin] = ledger.origins()
        self._corrections = self._find_corrections()

    def by_origin(self, period: Period) -> dict[int, Usage]:
        """Return origin id -> usage in the period.

        Raises:
            LedgerError: when a file of origins is gone.
        """
        found = {key: usage for (key,), usage in self._grouped(["origin_id"], period).items()}
        if lost := found.keys() - self.origins.keys():
            raise LedgerError(f"origin {min(lost)} is missing", "see what else is: clearbar check")
        for correction in self._within(period):
            found[correction.origin_id] += correction.usage
        return found

    def by_day(self, period: Period) -> dict[date, Usage]:
        """Return UTC day -> usage in the period."""
        found = {key: usage for (key,), usage in self._grouped(["day"], period).items()}
        for correction in self._within(period):
            found[correction.day] += correction.usage
        return found

    def by_workflow_and_day(
        self, period: Period, workflows: Mapping[int, str]
    ) -> dict[tuple[str, date], Usage]:
        """Return (workflow, UTC day) -> usage, by a map from origin id to workflow."""
        if self._charges is None:
            return {}
        names = list(dict.fromkeys(workflows.values()))
        numbers = {name: number for number, name in enumerate(names)}  # quicker to group by
        rows = [(key, numbers[name]) for key, name in workflows.items()]
        origins = self._engine.table({"origin_id": int, "workflow": int}, rows)
        owned = queries.attributed(queries.within(self._charges, period), origins)
        sums = self._sums(owned, ["workflow", "day"])
        found: dict[tuple[str, date], Usage] = defaultdict(
            Usage, {(names[number], day): usage for (number, day), usage in sums.items()}
        )
        for correction in self._within(period):
            found[workflows[correction.origin_id], correction.day] += correction.usage
        return found

    def overlap(self, period: Period) -> Usage:
        """Return what aggregates and single calls both hold, and is counted once."""
        total = Usage()
        for correction in self._within(period):
            total += correction.usage
        return total

    def first_days(self) -> dict[int, date]:
        """Return origin id -> the first UTC day on which it has a charge."""
        if self._charges is None:
            return {}
        return dict(self._engine.rows(queries.first_days(self._charges)))

    def dearest(self, period: Period, count: int) -> list[tuple[str, int, date, str, Decimal]]:
        """Return charge id, origin id, day, basis and cost of the dearest charges."""
        if self._charges is None:
            return []
        frame = queries.dearest(queries.within(self._charges, period), count)
        return [(*row,) for row in self._engine.rows(frame)]

    def _grouped(self, keys: list[str], period: Period) -> dict[tuple[Any, ...], Usage]:
        if self._charges is None:
            return {}
        return self._sums(queries.within(self._charges, period), keys)

    def _sums(self, frame: nw.LazyFrame[Any], keys: list[str]) -> dict[Any, Usage]:
        size = len(keys)
        rows = self._engine.rows(queries.usage_by(frame, keys))
        return defaultdict(Usage, {row[:size]: queries.usage_of(row[size:]) for row in rows})

    def _within(self, period: Period) -> list[Correction]:
        return [correction for correction in self._corrections if correction.day in period]

    def _find_corrections(self) -> list[Correction]:
        if self._charges is None or not _AGGREGATING & {o.source for o in self.origins.values()}:
            return []
        buckets = self._engine.rows(queries.bucket_origins(self._charges))
        if not buckets:
            return []
        scopes = {scope(self.origins[key]) for (key,) in buckets if key in self.origins}
        wanted = [(key, 0) for key, o in self.origins.items() if scope(o) in scopes]
        table = self._engine.table({"origin_id": int, "workflow": int}, wanted)
        frame = queries.attributed(self._charges, table)
        rows = self._sums(frame, ["origin_id", "grain", "day"])
        return corrections(
            DayUsage(key, self.origins[key], grain, day, usage)
            for (key, grain, day), usage in rows.items()
        )
