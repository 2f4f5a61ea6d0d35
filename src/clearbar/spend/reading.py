"""Sums read from the ledger, with bills, aggregates and calls reconciled: each dollar once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import LedgerError
from clearbar.core.period import ALL, Period
from clearbar.spend import queries
from clearbar.spend.anomaly_search import NO_ANOMALIES, anomalies_of
from clearbar.spend.prices.agreements import NO_AGREEMENTS
from clearbar.spend.reconciling.accounts import with_declared_names
from clearbar.spend.reconciling.billed_plans import unbilled
from clearbar.spend.reconciling.closed import Closed, fixed_ids
from clearbar.spend.reconciling.reconcile import Reconciled, reconcile
from clearbar.spend.reconciling.telling import reported_names, told_by, told_by_calls
from clearbar.spend.reconciling.told import LINE_NAMES
from clearbar.spend.repricing.agreed_use import agreed_lines, agreed_use, beyond_calls, covered
from clearbar.spend.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    import narwhals as nw

    from clearbar.spend.anomalies import Anomalies
    from clearbar.spend.charge import Origin
    from clearbar.spend.prices.agreements import Agreements, Plan, SelfHosted
    from clearbar.spend.prices.planned_lines import AgreedUse
    from clearbar.spend.reconciling.accounts import DeclaredAccount
    from clearbar.spend.reconciling.closed import Fixed
    from clearbar.spend.reconciling.told import Line, Told
    from clearbar.spend.repricing.agreed_use import Covered
    from clearbar.spend.storage.ledger import Ledger

_NOTHING: Final = Usage()
_OF_NOBODY: Final = ("", "no call tells of it, so it is nobody's")
_OF_CLOSED: Final = "reported so when its month was closed"


class LedgerReading:
    """The charges of a ledger as they stood when this was made.

    Beside the origins of charges there are those of lines that no call tells of, and those of what
    a closed month fixes: `fixed` says whose these are, whatever the rules of today say.
    """

    def __init__(
        self,
        ledger: Ledger,
        closed: Closed | None = None,
        accounts: Sequence[DeclaredAccount] = (),
    ) -> None:
        """`accounts` say which names of accounts are one; the ledger itself keeps what it read."""
        self._ledger = ledger
        self.accounts = accounts
        self._engine = ledger.engine
        self._charges = ledger.charges()
        self._files = ledger.folder.record_files()
        self.closed = closed or Closed()
        self.stored_origins: Mapping[int, Origin] = ledger.origins()
        """As they were read."""
        self.origins = with_declared_names(self.stored_origins, accounts)
        self.fixed: dict[int, tuple[str, str]] = {}
        """Origin id -> workflow, empty for nobody's, and why."""
        self.agreed: list[AgreedUse] = []
        """Who used how much under which agreement."""
        self.plans: tuple[Plan, ...] = ()
        """Those that are declared."""
        self.machines: tuple[SelfHosted, ...] = ()
        """Models on machines of one's own, as declared."""
        self.until = ALL.end
        """The day before which they cost."""
        self._lines: list[Line] = []
        self._beside: dict[date, list[tuple[int, Usage]]] = defaultdict(list)
        """What is added to the sums of charges, or comes off them, by day."""
        self.reconciled = self._reconcile()
        self._add_reconciled()
        self._add_closed()

    @property
    def record_files(self) -> frozenset[str]:
        """Names of the files of records that were there."""
        return frozenset(self._files)

    def add_lines(self, lines: Iterable[Line]) -> None:
        """Add lines that no call tells of; those of closed months are fixed already.

        A line whose source is none of `LINE_NAMES` goes to whom the rules give its origin.
        """
        for line in lines:
            if line.day in self.closed:
                continue
            key = line.origin.origin_id
            self.origins[key] = line.origin
            if line.origin.source in LINE_NAMES:
                self._lines.append(line)
                self.fixed[key] = _OF_NOBODY
            self._beside[line.day].append((key, line.usage))

    def add_agreed(self, agreements: Agreements, until: date) -> None:
        """Add what plans, commitments, machines and credits cost before a day.

        A plan whose line a bill has costs what the bill says, for the time of that line.
        """
        self.plans, self.machines, self.until = agreements.plans, agreements.self_hosted, until
        if agreements == NO_AGREEMENTS:
            return
        if self._charges is not None:
            used = agreed_use(self._engine, self._charges, agreements)
            self.agreed = beyond_calls(used, self._told, self.reconciled.overlaps)
        costs: Mapping[tuple[int, date], Usage] = {}
        origins = self.origins
        if agreements.credits:  # of closed months too, as the ledger holds them now
            live = LedgerReading(self._ledger, None, self.accounts) if self.closed.months else self
            costs = live.by_origin_and_day(ALL)
            origins = {**live.origins, **origins}
        plans = unbilled(agreements.plans, self.reconciled.bills, self.accounts)
        left = replace(agreements, plans=plans)
        self.add_lines(agreed_lines(left, self.agreed, costs, origins, until))

    def by_origin(self, period: Period) -> dict[int, Usage]:
        """Return origin id -> usage in the period.

        Raises:
            LedgerError: when a file of origins is gone.
        """
        found = {key: usage for (key,), usage in self._grouped(["origin_id"], period).items()}
        if lost := found.keys() - self.origins.keys():
            raise LedgerError(f"origin {min(lost)} is missing", "see what else is: clearbar check")
        for _, key, usage in self._within(period):
            found[key] = found.get(key, _NOTHING) + usage
        return found

    def by_day(self, period: Period) -> dict[date, Usage]:
        """Return UTC day -> usage in the period."""
        found = {key: usage for (key,), usage in self._grouped(["day"], period).items()}
        for day, _, usage in self._within(period):
            found[day] = found.get(day, _NOTHING) + usage
        return found

    def by_origin_and_day(self, period: Period) -> dict[tuple[int, date], Usage]:
        """Return (origin id, UTC day) -> usage: the finest sums that reports are made of."""
        found = dict(self._grouped(["origin_id", "day"], period))
        for day, key, usage in self._within(period):
            found[key, day] = found.get((key, day), _NOTHING) + usage
        return {place: usage for place, usage in found.items() if usage != _NOTHING}

    def by_workflow_and_day(
        self, period: Period, workflows: Mapping[int, str]
    ) -> dict[tuple[str, date], Usage]:
        """Return (workflow, UTC day) -> usage, by a map from origin id to workflow."""
        found: dict[tuple[str, date], Usage] = defaultdict(Usage)
        if self._open is not None:
            names = list(dict.fromkeys(workflows.values()))
            numbers = {name: number for number, name in enumerate(names)}  # quicker to group by
            rows = [(key, numbers[name]) for key, name in workflows.items()]
            origins = self._engine.table({"origin_id": int, "workflow": int}, rows)
            owned = queries.attributed(queries.within(self._open, period), origins)
            sums = self._sums(owned, ["workflow", "day"])
            found.update({(names[number], day): usage for (number, day), usage in sums.items()})
        for day, key, usage in self._within(period):
            found[workflows[key], day] += usage
        return found

    def overlap(self, period: Period) -> Usage:
        """Return what several accounts both hold, and is counted once; negative."""
        days = [(each.day, each.usage) for each in self.reconciled.overlaps]
        found = [usage for day, usage in days if day not in self.closed and day in period]
        found += [usage for day, usage in self.closed.overlaps if day in period]
        return sum(found, _NOTHING)

    def overlaps(self) -> dict[date, Usage]:
        """Return UTC day -> what is counted once on it, in months that are not closed; negative."""
        found: dict[date, Usage] = defaultdict(Usage)
        for each in self.reconciled.overlaps:
            if each.day not in self.closed:
                found[each.day] += each.usage
        return found

    def lines(self, period: Period) -> list[tuple[Origin, date, Usage]]:
        """Return the lines that no call tells of, those of closed months too."""
        kept = [(each.origin, each.day, each.usage) for each in self._lines]
        kept += [
            (row.origin, row.day, row.usage)
            for row in (*self.closed.rows, *self.closed.corrections)
            if row.origin.source in LINE_NAMES
        ]
        return [each for each in kept if each[1] in period]

    def covered(self, period: Period) -> tuple[Covered, ...]:
        """Return what plans and commitments covered in a period."""
        return covered(use for use in self.agreed if use.day in period)

    def corrections(self, period: Period) -> list[Fixed]:
        """Return what was seen in the period and corrects months that were closed before."""
        return [each for each in self.closed.corrections if each.day in period]

    def unpriced_lines(self, period: Period) -> int:
        """Return how many lines of bills have no known worth, and are in no sum."""
        return sum(row.unpriced_lines for row in self.reconciled.bills if row.day in period)

    def told(self, period: Period) -> list[Told]:
        """Return what bills and aggregates say of a period, and what calls of any provider do."""
        if self._charges is None:
            return []
        wholes = [row for row in self._told if row.grain != "call"]
        reported = reported_names(wholes)
        calls = told_by_calls(self._engine, self._charges, self.origins, period, reported)
        return [*(row for row in wholes if row.day in period), *calls]

    def first_days(self) -> dict[int, date]:
        """Return origin id -> the first UTC day on which it has a charge; of no line of a bill."""
        if self._charges is None:
            return {}
        return dict(self._engine.rows(queries.first_days(queries.of_calls(self._charges))))

    def dearest(self, period: Period, count: int) -> list[tuple[str, int, date, str, Decimal]]:
        """Return charge id, origin id, day, basis and cost of the dearest charges."""
        if self._charges is None:
            return []
        frame = queries.dearest(queries.within(self._charges, period), count)
        return [(*row,) for row in self._engine.rows(frame)]

    def anomalies(self, period: Period, workflows: Mapping[int, str]) -> Anomalies:
        """Return the calls of a period that cost far more than is usual for their kind.

        A kind is a workflow and a model; `workflows` says whose each origin is.
        """
        if self._charges is None:
            return NO_ANOMALIES
        calls = queries.within(self._charges, period)
        return anomalies_of(self._engine, calls, self.origins, workflows)

    @cached_property
    def _told(self) -> list[Told]:
        """What is reconciled; nothing where all records are calls."""
        if self._charges is None or not self._grains:
            return []
        return told_by(self._engine, self._charges, self.origins)

    @cached_property
    def _grains(self) -> frozenset[str]:
        if self._charges is None:
            return frozenset()
        records = self._engine.parquet(list(self._files.values()))
        return frozenset(grain for [grain] in self._engine.rows(queries.grains(records)))

    @cached_property
    def _open(self) -> nw.LazyFrame[Any] | None:
        """The charges that are in sums as they are: no bills, and not of closed months."""
        if self._charges is None:
            return None
        frame = queries.of_calls(self._charges) if "bill" in self._grains else self._charges
        return queries.outside(frame, self.closed.spans)

    def _reconcile(self) -> Reconciled:
        return reconcile(self._told, self.accounts) if self._told else Reconciled()

    def _add_reconciled(self) -> None:
        for overlap in self.reconciled.overlaps:
            if overlap.day not in self.closed:
                self._beside[overlap.day].append((overlap.origin_id, overlap.usage))
        self.add_lines(self.reconciled.lines)

    def _add_closed(self) -> None:
        rows = (*self.closed.rows, *self.closed.corrections)
        ids = fixed_ids(rows)
        for (origin, workflow), key in ids.items():
            self.origins[key], self.fixed[key] = origin, (workflow, _OF_CLOSED)
        for row in rows:
            self._beside[row.day].append((ids[row.key], row.usage))

    def _grouped(self, keys: list[str], period: Period) -> dict[tuple[Any, ...], Usage]:
        if self._open is None:
            return {}
        return self._sums(queries.within(self._open, period), keys)

    def _sums(self, frame: nw.LazyFrame[Any], keys: Sequence[str]) -> dict[Any, Usage]:
        size = len(keys)
        rows = self._engine.rows(queries.usage_by(frame, keys))
        return {row[:size]: queries.usage_of(row[size:]) for row in rows}

    def _within(self, period: Period) -> Iterator[tuple[date, int, Usage]]:
        for day, rows in self._beside.items():
            if day in period:
                for key, usage in rows:
                    yield day, key, usage
