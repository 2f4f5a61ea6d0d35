"""What of a ledger is exported: charges one by one or by the day, and the lines beside them.

The only module of the export that reads the ledger.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from clearbar.core.errors import LedgerError
from clearbar.core.period import Period
from clearbar.spend import queries
from clearbar.spend.charge import METERS
from clearbar.spend.columns import STORED
from clearbar.spend.export.rows import Counted, Group, beside
from clearbar.spend.reconciling.told import LINE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from clearbar.spend.charge import Origin
    from clearbar.spend.export.rows import Beside
    from clearbar.spend.reading import LedgerReading
    from clearbar.spend.storage.ledger import Ledger

_BILL: Final = "bill"
_NO_COST: Final = Decimal(0)
_HELD_CHARGES: Final = 50_000
_ID: Final = 1 + list(STORED).index("charge_id")
_QUANTITIES: Final = (*METERS, "reasoning_tokens")
_TEXTS: Final = ("service_tier", "speed", "geo", "price_id", "price_version")
_KEYS: Final = ("day", "origin_id", "grain", "basis", *_TEXTS, "charge_category")


def _by_day_and_id(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return values[0], values[_ID]


class Charges:
    """The charges of a ledger as they stood when it was read, with the workflow of each."""

    def __init__(
        self, ledger: Ledger, reading: LedgerReading, workflow_of: Mapping[int, str], nobody: str
    ) -> None:
        """`workflow_of` says for each origin id who is charged; `nobody` is the name for no one."""
        self._ledger = ledger
        self._reading = reading
        self._workflow_of = workflow_of
        self._nobody = nobody
        self._frame = ledger.charges(tuple(STORED))

    def one_by_one(self, period: Period) -> Iterator[tuple[dict[str, Any], Origin, str]]:
        """Yield each charge of a period by its columns, with its origin and workflow; by the day.

        Some days are held at a time, and never more than one of very many charges.
        """
        for span in self._spans(period):
            yield from self._of_span(span)

    def _spans(self, period: Period) -> Iterator[Period]:
        """Yield the days that have charges, as many together as can be held."""
        if self._frame is None:
            return
        frame = queries.within(self._frame, period).group_by("day").agg(nw.len().alias("charges"))
        first: date | None = None
        held = 0
        for day, charges in sorted(self._rows(frame.select("day", "charges"))):
            if first is not None and held + charges > _HELD_CHARGES:
                yield Period(first, day)
                first, held = None, 0
            first, held = first or day, held + charges
        if first is not None:
            yield Period(first, period.end)

    def _of_span(self, span: Period) -> Iterator[tuple[dict[str, Any], Origin, str]]:
        if self._frame is None:
            return
        frame = queries.within(self._frame, span).select(nw.col("day").alias("on"), *STORED)
        for _, *values in sorted(self._rows(frame), key=_by_day_and_id):
            row = dict(zip(STORED, values, strict=True))
            yield row, self._origin(row["origin_id"]), self._workflow_of[row["origin_id"]]

    def groups(self, period: Period) -> list[Group]:
        """Return the charges of a period by day and all by which they are priced and attributed.

        A line of a bill is a group of its own.
        """
        if self._frame is None:
            return []
        frame = queries.within(self._frame, period)
        known = frame.with_columns(
            *(nw.col(name).fill_null("") for name in _TEXTS),
            *(nw.col(name).fill_null(0) for name in _QUANTITIES),
        )
        calls = known.filter(nw.col("grain") != _BILL)
        sums = calls.group_by(*_KEYS).agg(
            nw.col("cost_usd").sum(),
            nw.col("calls").sum(),
            *(nw.col(name).sum() for name in _QUANTITIES),
        )
        names = (*_KEYS, "cost_usd", "calls", *_QUANTITIES)
        bills = known.filter(nw.col("grain") == _BILL)
        more = ("commitment_status", "ended_at", "charge_id")
        found = [self._group(names, row) for row in self._rows(sums.select(*names))]
        found += [
            self._group((*names, *more), row) for row in self._rows(bills.select(*names, *more))
        ]
        return sorted(found, key=lambda group: (group.day, repr(group)))

    def beside(self, period: Period) -> list[Beside]:
        """Return the lines that make the charges of a period sum to what a report says."""
        counted = [
            self._counted(day, key, usage, is_bill=self._origin(key).source in LINE_NAMES)
            for (key, day), usage in self._reading.by_origin_and_day(period).items()
        ]
        corrections = [
            Counted(
                day=each.day,
                origin=each.origin,
                workflow=each.workflow or self._nobody,
                usage=each.usage,
                is_bill=each.origin.source in LINE_NAMES,
                month=each.month,
            )
            for each in self._reading.corrections(period)
        ]
        return beside(counted, self._charged(period), corrections)

    def _charged(self, period: Period) -> Iterator[Counted]:
        if self._frame is None:
            return
        frame = queries.within(self._frame, period)
        for key, day, grain, *sums in self._rows(
            queries.usage_by(frame, ["origin_id", "day", "grain"])
        ):
            yield self._counted(day, key, queries.usage_of(sums), is_bill=grain == _BILL)

    def _counted(self, day: date, key: int, usage: Any, *, is_bill: bool) -> Counted:
        return Counted(day, self._origin(key), self._workflow_of[key], usage, is_bill)

    def _group(self, names: tuple[str, ...], values: tuple[Any, ...]) -> Group:
        row = dict(zip(names, values, strict=True))
        key = row["origin_id"]
        return Group(
            day=row["day"],
            origin=self._origin(key),
            workflow=self._workflow_of[key],
            grain=row["grain"],
            basis=row["basis"],
            cost_usd=row["cost_usd"] or _NO_COST,
            calls=row["calls"],
            meters={name: row[name] for name in _QUANTITIES if row[name]},
            charge_category=row["charge_category"],
            commitment_status=row.get("commitment_status") or "",
            ended_at=row.get("ended_at"),
            charge_ids=(row["charge_id"],) if "charge_id" in row else (),
            **{name: row[name] for name in _TEXTS},
        )

    def _origin(self, key: int) -> Origin:
        try:
            return self._reading.origins[key]
        except KeyError as error:
            hint = "see what else is: clearbar check"
            raise LedgerError(f"origin {key} is missing", hint) from error

    def _rows(self, frame: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
        return self._ledger.engine.rows(frame)
